/**
 * Numbers that a server gives to somebody and takes back, and that tell nobody anything: not how large they are, nor
 * which came first. Each is good for those alone to whom it was given; the same number is the same text for them.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

const algorithm = "aes-128-ecb";
const keyBytes = 16;
/** One block of the cipher: for whom, and the number. */
const halfBytes = 8;

/** `key` has 16 bytes at least; `who` is whoever it is given to. */
export function sealNumber(key: Uint8Array, who: string, number: number): string {
  const block = Buffer.alloc(2 * halfBytes);
  markOf(who).copy(block);
  block.writeBigUInt64BE(BigInt(number), halfBytes);
  const cipher = createCipheriv(algorithm, key.subarray(0, keyBytes), null).setAutoPadding(false);
  return Buffer.concat([cipher.update(block), cipher.final()]).toString("hex");
}

/** Null for what was not given to them. */
export function openNumber(key: Uint8Array, who: string, text: string): number | null {
  if (!/^[0-9a-f]{32}$/.test(text)) return null;
  const cipher = createDecipheriv(algorithm, key.subarray(0, keyBytes), null).setAutoPadding(false);
  const block = Buffer.concat([cipher.update(Buffer.from(text, "hex")), cipher.final()]);
  if (!block.subarray(0, halfBytes).equals(markOf(who))) return null;
  const number = Number(block.readBigUInt64BE(halfBytes));
  return Number.isSafeInteger(number) ? number : null;
}

function markOf(who: string): Buffer {
  return createHash("sha256").update(who).digest().subarray(0, halfBytes);
}
