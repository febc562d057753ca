// A source of images in memory, for tests of copying: content is made by calls, and what it sends can be made wrong.

import { algorithmOf, digestOf, type Digest } from "../../src/oci/digest.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import type {
  ImageSource,
  OpenBlob,
  PlacedManifest,
  ReadOptions,
} from "../../src/transfer/image_place.ts";
import { TransferError } from "../../src/transfer/image_place.ts";

export interface Made {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** What a blob's reading does to its bytes; `fromByte` is where the reader wanted to begin. */
export type Fault = (bytes: Uint8Array, fromByte: number) => AsyncIterable<Uint8Array>;

export class MemorySource implements ImageSource {
  readonly label: string;
  readonly manifests = new Map<string, PlacedManifest>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly names = new Map<string, Digest>();
  readonly faults = new Map<string, Fault>();
  /** Every blob that was asked for, and from which byte. */
  readonly asked: { digest: string; fromByte: number }[] = [];
  readonly askedManifests: string[] = [];
  /** Lists of referrers that the source claims, beside the true ones. */
  readonly claims = new Map<string, Descriptor[]>();

  constructor(label = "memory") {
    this.label = label;
  }

  blobOf(content: string | Uint8Array, mediaType: string = mediaTypes.ociLayer): Made {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf("sha256", bytes);
    this.blobs.set(digest, bytes);
    return { digest, mediaType, size: bytes.length };
  }

  manifestOf(
    body: object,
    mediaType: string = mediaTypes.ociImage,
    tag: string | null = null,
  ): Made {
    const bytes = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType, ...body }, null, 1),
    );
    const digest = digestOf("sha256", bytes);
    this.manifests.set(digest, { digest, mediaType, bytes });
    if (tag !== null) this.names.set(tag, digest);
    return { digest, mediaType, size: bytes.length };
  }

  image(
    layers: readonly (string | Uint8Array)[],
    tag: string | null = null,
    more: object = {},
  ): Made {
    const config = this.blobOf(
      JSON.stringify({ layers: layers.length, tag }),
      mediaTypes.ociConfig,
    );
    const body = { config, layers: layers.map((layer) => this.blobOf(layer)), ...more };
    return this.manifestOf(body, mediaTypes.ociImage, tag);
  }

  index(children: readonly (Made & object)[], tag: string | null = null, more: object = {}): Made {
    return this.manifestOf({ manifests: children, ...more }, mediaTypes.ociIndex, tag);
  }

  /** Something about another manifest, such as a signature. */
  referrer(subject: Made, content: string, artifactType = "application/vnd.test.signature"): Made {
    const config = this.blobOf("{}", mediaTypes.ociEmpty);
    return this.manifestOf({ artifactType, config, layers: [this.blobOf(content)], subject });
  }

  async head(reference: string): Promise<string | null> {
    return this.#named(reference);
  }

  async manifest(reference: string): Promise<PlacedManifest | null> {
    this.askedManifests.push(reference);
    return this.manifests.get(this.#named(reference) ?? "") ?? null;
  }

  async blob(digest: Digest, { fromByte }: ReadOptions): Promise<OpenBlob | null> {
    this.asked.push({ digest, fromByte });
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return null;
    const fault = this.faults.get(digest);
    const body = fault === undefined ? pieces(bytes.subarray(fromByte)) : fault(bytes, fromByte);
    return { fromByte, body };
  }

  async tags(): Promise<readonly string[]> {
    return [...this.names.keys()];
  }

  async only(): Promise<Digest | null> {
    return null;
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    const found = [...this.manifests.values()].filter(({ bytes }) => {
      const body: { subject?: { digest?: string } } = JSON.parse(new TextDecoder().decode(bytes));
      return body.subject?.digest === digest;
    });
    const listed = found.map((each) => ({
      mediaType: each.mediaType,
      digest: each.digest,
      size: each.bytes.length,
    }));
    return [...listed, ...(this.claims.get(digest) ?? [])];
  }

  async close(): Promise<void> {}

  #named(reference: string): Digest | null {
    const known = this.manifests.get(reference)?.digest;
    return known ?? this.names.get(reference) ?? null;
  }
}

/** A body in several pieces. */
export async function* pieces(bytes: Uint8Array, pieceBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Breaks off after so many bytes, the first `times`. */
export function cutAfter(bytesMax: number, times = 1): Fault {
  let left = times;
  return async function* (bytes, fromByte) {
    const isCut = left > 0;
    left -= 1;
    yield* pieces(isCut ? bytes.subarray(fromByte, fromByte + bytesMax) : bytes.subarray(fromByte));
    if (isCut) throw new TransferError("memory: the connection broke", { isPassing: true });
  };
}

/** A byte is another one. */
export function flipped(at: number): Fault {
  return (bytes, fromByte) => {
    const wrong = Uint8Array.from(bytes);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    return pieces(wrong.subarray(fromByte));
  };
}

/** Bytes that do not repeat. */
export function someBytes(sizeBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

export const sha = (bytes: Uint8Array, like: Digest): Digest => digestOf(algorithmOf(like), bytes);
