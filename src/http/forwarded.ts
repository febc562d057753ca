/**
 * Finds the client of a request that came through proxies (`http.trustedProxies`).
 *
 * Every proxy appends the address that called it to X-Forwarded-For, and a client may send any list of its own. So the
 * list is read from its end for as long as the entries come from trusted proxies; the entries before are ignored.
 * Without trusted proxies the header is ignored altogether.
 */
import { isIP } from "node:net";
import type { NetworkSet } from "../lib/networks.ts";
import type { Connection } from "./call.ts";

/** Proxies in a row; further entries of the list are ignored. */
const proxiesMax = 16;

/** The address of the client; `address` is that of the connection, `header` is X-Forwarded-For. */
export function clientAddress(
  address: string | null,
  header: string | null,
  proxies: NetworkSet,
): string | null {
  if (address === null || header === null || !proxies.has(address)) return address;
  const claims = header.split(",").slice(-proxiesMax).reverse();
  let client = address;
  for (const claim of claims) {
    const claimed = addressOf(claim.trim());
    if (claimed === null) return client;
    client = claimed;
    if (!proxies.has(client)) return client;
  }
  return client;
}

/** An address, with or without a port; null for what is none (`unknown`, a name). */
function addressOf(text: string): string | null {
  const [, bracketed, dotted] =
    /^(?:\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(text) ?? [];
  const address = (bracketed ?? dotted ?? text).toLowerCase();
  if (isIP(address) === 0 || address.includes("%")) return null;
  return address.startsWith("::ffff:") && address.includes(".")
    ? address.slice("::ffff:".length)
    : address;
}

/** A connection of a proxy, on behalf of a client. */
export class ForwardedConnection implements Connection {
  readonly address: string | null;
  readonly #connection: Connection;

  constructor(connection: Connection, address: string | null) {
    this.#connection = connection;
    this.address = address;
  }

  get tlsVersion(): string | null {
    return this.#connection.tlsVersion;
  }

  get certificate(): Connection["certificate"] {
    return this.#connection.certificate;
  }

  get certificateProblem(): string | null {
    return this.#connection.certificateProblem;
  }

  holdOpen(): void {
    this.#connection.holdOpen();
  }

  cut(): void {
    this.#connection.cut();
  }
}
