/**
 * Password hashes of an htpasswd file: bcrypt (`$2a$ $2b$ $2y$`), SHA-256 and SHA-512 crypt (`$5$`, `$6$`).
 *
 * Hashes that would take seconds, and kinds that no longer protect (plain, crypt, MD5, SHA-1), are rejected when the
 * file is read. Hashing runs off the event loop, or in slices of it.
 */
import { parseShaCrypt, passwordBytesMax, roundsMax, verifyShaCrypt } from "./sha_crypt.ts";
import type { ShaCryptHash } from "./sha_crypt.ts";

export type PasswordHash =
  | { readonly kind: "bcrypt"; readonly text: string }
  | { readonly kind: "sha-crypt"; readonly hash: ShaCryptHash };

/** Cost 14 takes about a second; every step doubles it. */
const bcryptCostMax = 14;
const bcryptCostMin = 4;
/** bcrypt looks at no more than this; a longer password would be good for all that begin like it. */
const bcryptBytesMax = 72;

/** Reads a hash. The problem ends a sentence that begins with "expected". */
export function parsePasswordHash(
  text: string,
): { readonly hash: PasswordHash } | { readonly problem: string } {
  const bcrypt = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/.exec(text);
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1]);
    if (cost >= bcryptCostMin && cost <= bcryptCostMax) return { hash: { kind: "bcrypt", text } };
    return { problem: `a bcrypt cost of ${bcryptCostMin} to ${bcryptCostMax}, got ${cost}` };
  }
  const sha = parseShaCrypt(text);
  if (sha !== null && sha.rounds <= roundsMax) return { hash: { kind: "sha-crypt", hash: sha } };
  if (sha !== null) return { problem: `up to ${roundsMax} rounds, got ${sha.rounds}` };
  return {
    problem: `a hash of bcrypt ($2y$), SHA-256 ($5$) or SHA-512 crypt ($6$), got ${kindOf(text)}`,
  };
}

function kindOf(text: string): string {
  if (text === "") return "nothing";
  if (text.startsWith("$apr1$") || text.startsWith("$1$")) return "MD5 crypt";
  if (text.startsWith("{SHA}")) return "SHA-1";
  if (/^\$2[aby]\$/.test(text)) return "a bcrypt hash that is cut off";
  if (/^\$[56]\$/.test(text)) return "a SHA crypt hash that is cut off";
  return "something else";
}

/** Whether the password has the hash. Takes as long for a wrong password as for the right one. */
export async function verifyPassword(password: string, hash: PasswordHash): Promise<boolean> {
  const bytes = new TextEncoder().encode(password);
  if (hash.kind === "sha-crypt") {
    const isRight = await verifyShaCrypt(bytes.subarray(0, passwordBytesMax), hash.hash);
    return isRight && bytes.length <= passwordBytesMax;
  }
  const isRight = await Bun.password.verify(bytes.subarray(0, bcryptBytesMax), hash.text, "bcrypt");
  return isRight && bytes.length <= bcryptBytesMax;
}
