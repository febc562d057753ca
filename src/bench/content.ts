/**
 * Content that no registry has seen: blobs of any size, told apart by their last bytes.
 *
 * One buffer of random bytes serves all blobs of a size, so that a thousand blobs of 100 MB need a megabyte of memory.
 * Digests are computed when content is made, not while it is measured, and what blobs of a size have in common is
 * hashed once.
 */
import { createHash, type Hash } from "node:crypto";
import { digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import type { RequestBody } from "../client/transport.ts";
import { assert, must } from "../lib/assert.ts";
import { KiB, MiB } from "../lib/bytes.ts";

const stampBytes = 32;
const fillBytes = 1 * MiB;
/** Incompressible, and the same for all blobs: only their stamps differ. */
const fill = crypto.getRandomValues(Buffer.alloc(64 * KiB));
const filler = Buffer.concat(Array.from({ length: fillBytes / fill.length }, () => fill));
export interface Content {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly body: RequestBody;
}

/** Makes blobs, and remembers what those of a size have in common. */
export class ContentMaker {
  /** The running digest before the stamp, by the size of the whole. */
  readonly #commonParts = new Map<number, Hash>();

  /** A blob of this size that exists nowhere yet. */
  make(sizeBytes: number): Content {
    const stamp = crypto.getRandomValues(Buffer.alloc(Math.min(stampBytes, sizeBytes)));
    const hex = this.#common(sizeBytes).copy().update(stamp).digest("hex");
    return {
      digest: must(parseDigest(`sha256:${hex}`), "A computed digest fits the grammar"),
      sizeBytes,
      body: { open: () => piecesOf(stamp, sizeBytes), lengthBytes: sizeBytes },
    };
  }

  #common(sizeBytes: number): Hash {
    const known = this.#commonParts.get(sizeBytes);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    for (const piece of commonPieces(sizeBytes)) hash.update(piece);
    this.#commonParts.set(sizeBytes, hash);
    return hash;
  }
}

function* piecesOf(stamp: Uint8Array, sizeBytes: number): Generator<Uint8Array> {
  yield* commonPieces(sizeBytes);
  yield stamp;
}

function* commonPieces(sizeBytes: number): Generator<Uint8Array> {
  for (let left = sizeBytes - stampBytes; left > 0; left -= fillBytes) {
    yield filler.subarray(0, Math.min(left, fillBytes));
  }
}

/** A part of content as a body of its own, for chunked uploads. */
export function partOf(content: Content, first: number, last: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const piece of piecesIn(content)) {
    parts.push(piece.subarray(Math.max(first - at, 0), Math.max(last + 1 - at, 0)));
    at += piece.length;
    if (at > last) break;
  }
  return Buffer.concat(parts);
}

/** The bytes as a body of unknown length, in pieces of `pieceBytes`. */
export function streamOf(content: Content, pieceBytes: number): RequestBody {
  const open = function* (): Generator<Uint8Array> {
    for (const piece of piecesIn(content)) {
      for (let at = 0; at < piece.length; at += pieceBytes) {
        yield piece.subarray(at, at + pieceBytes);
      }
    }
  };
  return { open, lengthBytes: null };
}

function piecesIn(content: Content): Iterable<Uint8Array> {
  const pieces = content.body.open();
  assert(Symbol.iterator in pieces, "Content is at hand");
  return pieces;
}

export interface ManifestContent {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export function newManifest(options: {
  readonly config: Content;
  readonly layers: readonly Content[];
  readonly subject?: { readonly digest: string; readonly size: number };
  /** Makes manifests over the same blobs differ. */
  readonly label: string;
}): ManifestContent {
  const { config, layers, subject, label } = options;
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    ...(subject === undefined ? {} : { artifactType: "application/vnd.example.bench" }),
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.sizeBytes },
    layers: layers.map((layer) => ({
      mediaType: mediaTypes.ociLayer,
      digest: layer.digest,
      size: layer.sizeBytes,
    })),
    ...(subject === undefined ? {} : { subject: { mediaType: mediaTypes.ociImage, ...subject } }),
    annotations: { "org.example.bench": label },
  });
  const bytes = Buffer.from(text);
  return { digest: digestOf("sha256", bytes), bytes };
}
