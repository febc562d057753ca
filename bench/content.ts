// What the benchmark pushes: blobs and manifests made from numbers, so that the load generator, the setup and a plain
// file server all hold the same bytes without sending them to each other.
// The same (seed, index, size) gives the same bytes and digest, and different indexes give different digests. The
// digest of a big blob costs one hash of its common part per process.

import { CryptoHasher } from "bun";
import { MiB } from "../src/lib/bytes.ts";

/** A blob as `blocks` times the same `block`, then `last`: never in memory as a whole. */
export interface Blob {
  readonly digest: string;
  readonly bytes: number;
  readonly blocks: number;
  readonly block: Uint8Array;
  readonly last: Uint8Array;
}

/** What a manifest says about a blob or manifest. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const blockBytes = MiB;
const tailBytes = 64;
const patterns = new Map<string, Uint8Array>();
const prefixes = new Map<string, CryptoHasher>();

/** Blob number `index` of the family `seed`, `bytes` long (at least 64). */
export function makeBlob(seed: string, index: number, bytes: number): Blob {
  const block = patternOf(seed);
  // What is left for the end holds at least the text that makes this blob another than the rest.
  const blocks = Math.max(0, Math.ceil((bytes - tailBytes) / blockBytes) - 1);
  const last = new Uint8Array(bytes - blocks * blockBytes);
  last.set(block.subarray(0, last.length));
  last.set(Buffer.from(`${seed} ${index} `.padEnd(tailBytes, ".")), last.length - tailBytes);
  const hasher = prefixOf(seed, block, blocks).copy();
  const digest = `sha256:${hasher.update(last).digest("hex")}`;
  return { digest, bytes, blocks, block, last };
}

/** The parts of a blob in order. */
export function* blobParts(blob: Blob): Generator<Uint8Array> {
  for (let index = 0; index < blob.blocks; index++) yield blob.block;
  yield blob.last;
}

/** The config blob that every image manifest of the benchmark names. */
export const configBytes = Buffer.from(
  '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}',
);

/** Descriptor of {@link configBytes}. */
export const config: Descriptor = {
  mediaType: "application/vnd.oci.image.config.v1+json",
  digest: digestOf(configBytes),
  size: configBytes.length,
};

export const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";

/** Image manifest number `index` of the family `seed`; with a `subject` it is a referrer of it. */
export function makeManifest(seed: string, index: number, subject?: Descriptor): Buffer {
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestMediaType,
    ...(subject === undefined ? {} : { artifactType: "application/vnd.example.note", subject }),
    config,
    layers: [{ ...config, mediaType: "application/vnd.oci.image.layer.v1.tar" }],
    annotations: { "com.example.number": `${seed} ${index}` },
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** Descriptor of a manifest made by {@link makeManifest}. */
export function describeManifest(bytes: Uint8Array): Descriptor {
  return { mediaType: manifestMediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Tag number `index`, padded so that the order of numbers is the order of names. */
export function tagName(prefix: string, index: number): string {
  return `${prefix}-${String(index).padStart(6, "0")}`;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${new CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

/** One block of bytes that no compression or zero detection can shorten, the same for the same seed. */
function patternOf(seed: string): Uint8Array {
  const known = patterns.get(seed);
  if (known !== undefined) return known;
  const words = new Uint32Array(blockBytes / 4);
  let state = Bun.hash.crc32(seed) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  const pattern = new Uint8Array(words.buffer);
  patterns.set(seed, pattern);
  return pattern;
}

function prefixOf(seed: string, block: Uint8Array, blocks: number): CryptoHasher {
  const key = `${seed} ${blocks}`;
  const known = prefixes.get(key);
  if (known !== undefined) return known;
  const hasher = new CryptoHasher("sha256");
  for (let index = 0; index < blocks; index++) hasher.update(block);
  prefixes.set(key, hasher);
  return hasher;
}
