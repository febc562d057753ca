// The way to a server: by itself, at an address that was checked, or through a proxy.
import type { TlsOptions } from "./connection.ts";
import type { Origin } from "./registry_url.ts";

export interface Proxy {
  /** Name or address, IPv6 without brackets. */
  host: string;
  port: number;
  /** For a proxy that is itself spoken to over TLS. */
  tls: TlsOptions | null;
  /** Value of `Proxy-Authorization`; null without a login. */
  authorization: string | null;
}

/** The way to an origin. An empty one is the straight way. */
export interface Way {
  /** The address to dial in place of the name. */
  address?: string;
  proxy?: Proxy;
}

/**
 * Finds the way to an origin. `isDerived` for one that an answer named (redirects, token services) rather than the user.
 * Throws a ClientError (`egress`) for one that must not be called.
 */
export type Route = (origin: Origin, isDerived: boolean) => Promise<Way>;
