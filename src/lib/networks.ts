/**
 * Sets of IP networks, written as people write them: `10.0.0.0/8`, `fd00::/8`, or one address.
 *
 * An address is found in any spelling, and an IPv4 address also as IPv6 writes it (`::ffff:10.0.0.1`). Text that is not
 * an address is in no set.
 */
import { BlockList, isIP } from "node:net";

interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** Reads `address` or `address/prefix`; null when it is neither. */
export function parseNetwork(text: string): Network | null {
  const [address = "", bits, ...others] = text.split("/");
  const version = address.includes("%") ? 0 : isIP(address);
  if (version === 0 || others.length > 0) return null;
  const prefixMax = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? prefixMax : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
  if (prefix > prefixMax) return null;
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}

export class NetworkSet {
  readonly #list = new BlockList();

  /** Takes texts that `parseNetwork` reads; others are nothing. */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const network = parseNetwork(text);
      if (network !== null) this.#list.addSubnet(network.address, network.prefix, network.family);
    }
  }

  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}
