/**
 * SHA-256 and SHA-512 crypt (`$5$`, `$6$`): the password hashes of shadow files, by the public specification "Unix
 * crypt using SHA-256 and SHA-512" (Ulrich Drepper, 2008). No maintained package has them.
 *
 * The result equals that of crypt(3) for every input. The work is done in slices, so that other requests are answered
 * in between, and hashes are compared in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";

interface Variant {
  readonly hash: "sha256" | "sha512";
  readonly bytes: number;
  /** Bytes of the digest in the order in which they are written, three to four characters. */
  readonly order: readonly (readonly number[])[];
}

export interface ShaCryptHash {
  readonly variant: "5" | "6";
  readonly rounds: number;
  readonly salt: string;
  readonly encoded: string;
}

const roundsDefault = 5_000;
const roundsMin = 1_000;
/** More rounds than this take seconds for each login. */
export const roundsMax = 1_000_000;
const saltLengthMax = 16;
/** Rounds between two breaths: about half a millisecond. */
const sliceRounds = 512;
/** Longer passwords are refused: the cost grows with the square of the length. */
export const passwordBytesMax = 256;

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const variants: Readonly<Record<"5" | "6", Variant>> = {
  "5": { hash: "sha256", bytes: 32, order: writingOrder(32, 10, [31, 30]) },
  "6": { hash: "sha512", bytes: 64, order: writingOrder(64, 21, [63]) },
};

/** Triples that rotate through the thirds of the digest, and the rest at the end. */
function writingOrder(bytes: number, third: number, rest: readonly number[]): number[][] {
  // SHA-256 turns its triples to the right, SHA-512 to the left.
  const turn = bytes === 32 ? 2 : 1;
  const triples = Array.from({ length: third }, (_, at) =>
    [0, 1, 2].map((place) => at + third * ((place + turn * at) % 3)),
  );
  return [...triples, [...rest]];
}

/** Reads `$5$[rounds=n$]salt$hash`; null when the text is no such hash. */
export function parseShaCrypt(text: string): ShaCryptHash | null {
  const match = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([^$:\n]*)\$([./0-9A-Za-z]+)$/.exec(text);
  if (match === null) return null;
  const [, variant, rounds, salt = "", encoded = ""] = match;
  const length = variant === "5" ? 43 : 86;
  if ((variant !== "5" && variant !== "6") || encoded.length !== length) return null;
  const asked = rounds === undefined ? roundsDefault : Math.max(Number(rounds), roundsMin);
  return { variant, rounds: asked, salt: salt.slice(0, saltLengthMax), encoded };
}

/** Whether the password has the hash. */
export async function verifyShaCrypt(password: Uint8Array, hash: ShaCryptHash): Promise<boolean> {
  const actual = await shaCrypt(password, hash);
  const expected = Buffer.from(hash.encoded);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** The encoded hash of a password. */
export async function shaCrypt(
  password: Uint8Array,
  { variant, rounds, salt }: Omit<ShaCryptHash, "encoded">,
): Promise<Buffer> {
  const { hash, bytes, order } = variants[variant];
  const saltBytes = Buffer.from(salt);
  const digest = (...parts: readonly Uint8Array[]): Buffer => {
    const hasher = createHash(hash);
    for (const part of parts) hasher.update(part);
    return hasher.digest();
  };
  const mixed = digest(password, saltBytes, password);
  const bits: Uint8Array[] = [];
  for (let left = password.length; left > 0; left >>= 1) {
    bits.push((left & 1) === 1 ? mixed : password);
  }
  let current = digest(password, saltBytes, filled(mixed, password.length), ...bits);
  const passwords = digest(...Array.from(password, () => password));
  const p = filled(passwords, password.length);
  const repeats = Array.from({ length: 16 + (current[0] ?? 0) }, () => saltBytes);
  const s = filled(digest(...repeats), saltBytes.length);
  // Each round hashes one of a few shapes: bytes are laid out by hand, since this is all the time.
  const block = Buffer.alloc(2 * p.length + s.length + bytes);
  for (let round = 0; round < rounds; round += 1) {
    if (round % sliceRounds === sliceRounds - 1) await breath();
    const odd = round % 2 === 1;
    let length = put(block, odd ? p : current, 0);
    if (round % 3 !== 0) length = put(block, s, length);
    if (round % 7 !== 0) length = put(block, p, length);
    length = put(block, odd ? current : p, length);
    current = digest(block.subarray(0, length));
  }
  return Buffer.from(encode(current, order));
}

/** Copies a part into the block; the length of the block then. */
function put(block: Buffer, part: Uint8Array, at: number): number {
  block.set(part, at);
  return at + part.length;
}

/** A digest repeated up to a length. */
function filled(digest: Buffer, length: number): Buffer {
  return Buffer.alloc(length, digest);
}

function encode(digest: Buffer, order: readonly (readonly number[])[]): string {
  let text = "";
  for (const places of order) {
    let value = 0;
    for (const place of places) value = value * 256 + (digest[place] ?? 0);
    // Three bytes make four characters, two make three, one makes two.
    for (let left = 0; left <= places.length; left += 1) {
      text += alphabet[value & 63] ?? "";
      value >>= 6;
    }
  }
  return text;
}

function breath(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
