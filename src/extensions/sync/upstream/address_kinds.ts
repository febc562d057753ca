/**
 * Kinds of IP addresses, for what somebody else names: where a request may go that he makes us send.
 *
 * An IPv4 address inside of an IPv6 one (mapped, NAT64, 6to4) is what it leads to.
 */
import { isIP, isIPv4 } from "node:net";
import { NetworkSet } from "../../../lib/networks.ts";

/**
 * `forbidden` is never called: link-local, the metadata services of clouds, multicast, reserved. `local` is this
 * machine, `private` a network that is not public.
 */
export type AddressKind = "forbidden" | "local" | "private" | "public";

/** The first kind whose networks have an address is its kind. */
const kinds: readonly { readonly kind: AddressKind; readonly networks: NetworkSet }[] = [
  {
    kind: "forbidden",
    networks: new NetworkSet([
      "0.0.0.0/8",
      "169.254.0.0/16",
      "192.0.0.0/24",
      "224.0.0.0/4",
      "240.0.0.0/4",
      "::",
      "fe80::/10",
      "fec0::/10",
      "ff00::/8",
      // Metadata services outside of link-local: Alibaba, Azure, AWS, Google.
      "100.100.100.200",
      "168.63.129.16",
      "fd00:ec2::254",
      "fd20:ce::254",
      // Teredo, and documentation.
      "2001::/32",
      "2001:db8::/32",
    ]),
  },
  { kind: "local", networks: new NetworkSet(["127.0.0.0/8", "::1"]) },
  {
    kind: "private",
    networks: new NetworkSet([
      "10.0.0.0/8",
      "100.64.0.0/10",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "198.18.0.0/15",
      "fc00::/7",
      "64:ff9b:1::/48",
    ]),
  },
];

/** Anything that is no address is `forbidden`. */
export function addressKind(address: string): AddressKind {
  const plain = address.replace(/^\[|\]$/g, "").split("%")[0] ?? "";
  if (isIP(plain) === 0) return "forbidden";
  const own = embeddedIPv4(plain) ?? plain;
  return kinds.find(({ networks }) => networks.has(own))?.kind ?? "public";
}

/** Where an IPv4 address lies in an IPv6 one, in groups of 16 bits from its start. */
const embeddings: readonly { readonly prefix: readonly number[]; readonly at: number }[] = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], at: 6 },
  { prefix: [0, 0, 0, 0, 0xffff, 0], at: 6 },
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], at: 6 },
  { prefix: [0x2002], at: 1 },
  { prefix: [0, 0, 0, 0, 0, 0], at: 6 },
];

function embeddedIPv4(address: string): string | null {
  if (isIPv4(address)) return null;
  const groups = groupsOf(address);
  // `::` and `::1` are addresses of their own.
  if (groups.slice(0, 7).every((group) => group === 0)) return null;
  for (const { prefix, at } of embeddings) {
    if (!prefix.every((group, index) => groups[index] === group)) continue;
    const [high = 0, low = 0] = groups.slice(at, at + 2);
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return null;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The runtime writes an IPv4 address at the end as two groups.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const read = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = read(head);
  if (tail === undefined) return before;
  const after = read(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
