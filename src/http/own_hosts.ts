/**
 * Checks whether a Host header names this registry, which protects a registry without logins from pages of the web.
 *
 * A page may give its own host name the address of a registry that only its reader can reach (DNS rebinding); the
 * browser then treats the registry as the page's own site. The Host header shows the attack, because the page cannot
 * change the name that the browser sends. An address cannot be rebound, so every address is accepted.
 */
import { isIP } from "node:net";
import { hostname } from "node:os";

export class OwnHosts {
  readonly #names: ReadonlySet<string>;

  /** `address` is where the server listens, `externalUrl` what clients know it by. */
  constructor({ address, externalUrl }: { address: string; externalUrl: string | null }) {
    const name = hostname().toLowerCase();
    const [label = name] = name.split(".");
    const external = externalUrl === null ? [] : [new URL(externalUrl).hostname];
    this.#names = new Set(["localhost", name, label, `${label}.local`, address, ...external]);
  }

  /** `host` is the header, with or without a port. */
  has(host: string | null): boolean {
    const name = nameOf(host ?? "");
    return isIP(name) !== 0 || name.endsWith(".localhost") || this.#names.has(name);
  }
}

/** Without port, brackets and the dot of a complete name; empty for what is none. */
function nameOf(host: string): string {
  const [, bracketed, plain = ""] =
    /^(?:\[([\da-f:.]+)\]|([^:[\]/@\s]+))(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
  return (bracketed ?? plain).replace(/\.$/, "");
}
