/** Whether a URL leads to this server itself: an upstream that asks itself would never end. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import type { Origin } from "../../../client/registry_url.ts";
import { addressKind } from "./address_kinds.ts";

/** Where this server listens, as its configuration says. */
export interface OwnPlace {
  readonly address: string;
  readonly port: number;
}

/** All addresses of a name, the best first. @throws where it has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveBySystem: Resolve = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
};

/** Nobody is asked for a name whose port is another one. `own` is null where nobody knows. */
export async function isOwnPlace(
  { host, port }: Origin,
  own: OwnPlace | null,
  resolve: Resolve = resolveBySystem,
): Promise<boolean> {
  if (own === null || port !== own.port) return false;
  if (host === hostname() || host === "localhost") return true;
  const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host];
  return addresses.some((address) => isHere(address, own));
}

/** Another server may listen on the same port of another address of this machine. */
function isHere(address: string, own: OwnPlace): boolean {
  if (isIP(own.address) !== 0 && !isEveryAddress(own.address)) return address === own.address;
  return addressKind(address) === "local" || ownAddresses().has(address);
}

function isEveryAddress(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function ownAddresses(): ReadonlySet<string> {
  const interfaces = Object.values(networkInterfaces());
  return new Set(interfaces.flatMap((each) => (each ?? []).map(({ address }) => address)));
}
