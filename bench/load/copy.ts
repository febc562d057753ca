// The floor for an upload: the same bytes read, hashed and written once, with no network and no server.

import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CryptoHasher } from "bun";
import { KiB } from "../../src/lib/bytes.ts";
import { blobParts, makeBlob } from "../content.ts";
import type { CopyJob } from "./jobs.ts";

/** The size that measured cheapest: larger falls out of the processor's cache, smaller is more calls. */
const bufferBytes = 256 * KiB;

/** Writes the source file first; reading it then comes from the page cache, as a socket comes from memory. */
export function prepareCopies(job: CopyJob): () => Promise<{ operations: number; bytes: number }> {
  const source = join(job.directory, "source");
  const target = join(job.directory, "target");
  const blob = makeBlob("floor", 0, job.bytes);
  const file = openSync(source, "w");
  for (const part of blobParts(blob)) writeSync(file, part);
  closeSync(file);
  return async () => {
    for (let round = 0; round < job.count; round++) {
      const digest = copy(source, target);
      if (digest !== blob.digest) throw new Error(`The copy has the digest ${digest}`);
      unlinkSync(target);
    }
    return { operations: job.count, bytes: job.count * job.bytes };
  };
}

function copy(source: string, target: string): string {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  const hasher = new CryptoHasher("sha256");
  const from = openSync(source, "r");
  const to = openSync(target, "w");
  for (;;) {
    const length = readSync(from, buffer, 0, buffer.length, null);
    if (length === 0) break;
    const bytes = length === buffer.length ? buffer : buffer.subarray(0, length);
    hasher.update(bytes);
    writeSync(to, bytes);
  }
  closeSync(from);
  closeSync(to);
  return `sha256:${hasher.digest("hex")}`;
}
