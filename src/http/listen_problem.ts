/**
 * Explains in one line for the operator why a server cannot listen: no right to the port, no such address, or the port
 * is taken (and by which process, where the system tells), each with what to do.
 *
 * Source: Linux, /proc/net/tcp and /proc/<pid>/fd (proc(5)). On other platforms, and for processes of other users, no
 * process is named.
 */
import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isIP } from "node:net";
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";
import { maySharePort } from "./listening_socket.ts";

export interface ListenPlace {
  readonly address: string;
  readonly port: number;
}

/** Addresses that stand for every interface of the machine. */
const everyInterface: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** Ports below this need a right of their own, where the system does not say otherwise. */
const firstFreePortDefault = 1024;
const firstFreePortPath = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
/** The runtime's types do not know the option. */
const sharedPort = { reusePort: true };
/** State of a listening socket in /proc/net/tcp. */
const listening = "0A";
/** As many processes of a busy machine are looked at; none beyond them is named. */
const processesMax = 10_000;

/** What a listener's failure means; the failure's own words where it is none of those that are known. */
export function listenProblem(error: unknown, place: ListenPlace): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const explain = typeof code === "string" ? explanations[code] : undefined;
  if (explain !== undefined) return explain(place);
  const reason = error instanceof Error ? error.message : String(error);
  return (
    `http.address, http.port: expected to listen on ${shown(place)}, and cannot (${reason}); ` +
    "choose another address or port"
  );
}

/** @throws with one line for the operator for a name that stands for no address. */
export async function requireAddress(
  address: string,
  resolve: (name: string) => Promise<unknown> = lookup,
): Promise<void> {
  if (isIP(address) !== 0) return;
  const found = await resolve(address).catch(() => null);
  if (found !== null) return;
  throw new Error(
    "http.address: expected an address of this machine or a name that stands for one, " +
      `got "${address}", which does not resolve`,
  );
}

/**
 * Finds out whether this place can be listened at. Workers share their port, and would share it with a stranger of the
 * same user as well: so this one shares with nobody, unless several servers are to; then it takes no connection away
 * from those that serve already. @throws with one line for the operator.
 */
export async function requireListen(place: ListenPlace, isShared: boolean): Promise<void> {
  const { address: hostname, port } = place;
  if (isShared) {
    const found = await lookup(hostname).catch(() => null);
    if (found !== null && maySharePort(found.address, port)) return;
  }
  try {
    const socket = { data() {} };
    Bun.listen({ hostname, port, socket, ...(isShared ? sharedPort : {}) }).stop(true);
  } catch (cause) {
    throw new Error(listenProblem(cause, place), { cause });
  }
}

export function isEveryInterface(address: string): boolean {
  return everyInterface.has(address);
}

/** Addresses of the machine; none where a sandbox does not let them be asked for (systemd without AF_NETLINK). */
function ownAddresses(): NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  } catch {
    return [];
  }
}

/** Addresses by which others reach what listens on every interface: `0.0.0.0` is those of IPv4, `::` all of them. */
export function outsideAddresses(everyAddress: string): string[] {
  const outside = ownAddresses().filter(
    ({ internal, family, address }) =>
      !internal && (family === "IPv4" || (everyAddress === "::" && !address.startsWith("fe80:"))),
  );
  const sorted = outside.toSorted((a, b) => a.family.localeCompare(b.family));
  return [...new Set(sorted.map(({ address }) => address))];
}

const explanations: Readonly<Record<string, (place: ListenPlace) => string>> = {
  EACCES: noRight,
  EPERM: noRight,
  EADDRNOTAVAIL: noAddress,
  EAFNOSUPPORT: noAddress,
  EINVAL: noAddress,
  EADDRINUSE: taken,
};

function noRight({ port }: ListenPlace): string {
  const first = firstFreePort();
  return (
    `http.port: expected a port that this user may listen on, got ${port}: ports below ${first} need a right of their ` +
    `own; choose one from ${first} on, or give the right (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE; for every ` +
    `user of this machine: sysctl -w net.ipv4.ip_unprivileged_port_start=${port})`
  );
}

function noAddress({ address }: ListenPlace): string {
  const addresses = ownAddresses().map((each) => each.address);
  const named = addresses.length === 0 ? "" : ` (${addresses.join(", ")})`;
  return (
    `http.address: expected an address of this machine${named}, got ${address}; ` +
    "choose one of them, or 0.0.0.0 for every interface"
  );
}

function taken(place: ListenPlace): string {
  const holder = holderOf(place);
  const by = holder === null ? "" : ` by ${holder.name} (process ${holder.pid})`;
  return (
    `http.port: expected ${shown(place)} to be free, found it taken${by}; ` +
    "end what listens there, or choose another http.port in a configuration file"
  );
}

function shown({ address, port }: ListenPlace): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function firstFreePort(): number {
  const text = contentOf(firstFreePortPath);
  return text === null ? firstFreePortDefault : Number(text);
}

/** The process that keeps others from listening there; null where that is not told. */
function holderOf(place: ListenPlace): { pid: number; name: string } | null {
  const sockets = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"]
      .flatMap((path) => contentOf(path)?.split("\n").slice(1) ?? [])
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = "", , state]) => state === listening && isInTheWay(local, place))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  if (sockets.size === 0) return null;
  const pids = list("/proc").filter((name) => /^\d+$/.test(name));
  const pid = pids.slice(0, processesMax).find((each) => holdsOne(each, sockets));
  return pid === undefined ? null : nameOf(Number(pid));
}

/** `local` is an address and a port in hex, the address in the machine's byte order. */
function isInTheWay(local: string, { address, port }: ListenPlace): boolean {
  const [hex = "", portHex = ""] = local.split(":");
  if (Number.parseInt(portHex, 16) !== port) return false;
  if (/^0+$/.test(hex) || isEveryInterface(address)) return true;
  if (hex.length > 8) return address.includes(":");
  return Buffer.from(hex, "hex").toReversed().join(".") === address;
}

/** A worker is told as the server that started it. */
function nameOf(pid: number): { pid: number; name: string } {
  const words = contentOf(`/proc/${pid}/cmdline`)?.split("\0") ?? [];
  const at = words.findIndex((word) => /(^|\/)(zot|src\/main\.ts)$/.test(word));
  const command = at === -1 ? undefined : words[at + 1];
  const name = contentOf(`/proc/${pid}/comm`)?.trim() ?? "a process";
  if (command === "serve") return { pid, name: "another zot" };
  if (command !== "worker") return { pid, name };
  const parent = /^PPid:\s+(\d+)$/m.exec(contentOf(`/proc/${pid}/status`) ?? "")?.[1];
  return { pid: Number(parent ?? pid), name: "another zot" };
}

function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  const directory = `/proc/${pid}/fd`;
  return list(directory).some((name) => sockets.has(linkOf(`${directory}/${name}`)));
}

// What cannot be read belongs to others, or has ended meanwhile: it names nobody.

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
