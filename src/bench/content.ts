/**
 * Content that no registry has seen: blobs of any size, told apart by their first bytes.
 *
 * One buffer of random bytes serves all blobs of a size, so that a thousand blobs of 100 MB need 100 MB of memory.
 * Digests are computed when content is made, not while it is measured.
 */
import { newHasher, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import type { RequestBody } from "../client/transport.ts";
import { MiB } from "../lib/bytes.ts";

const stampBytes = 32;
const fillBytes = 1 * MiB;
/** Incompressible, and the same for all blobs: only their stamps differ. */
const fill = crypto.getRandomValues(Buffer.alloc(64 * 1024));
const filler = Buffer.concat(Array.from({ length: fillBytes / fill.length }, () => fill));

export interface Content {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly body: RequestBody;
}

/** A blob of this size that exists nowhere yet. */
export function newContent(sizeBytes: number): Content {
  const stamp = crypto.getRandomValues(Buffer.alloc(Math.min(stampBytes, sizeBytes)));
  const pieces = piecesOf(stamp, sizeBytes);
  const hasher = newHasher("sha256");
  for (const piece of pieces) hasher.update(piece);
  return {
    digest: hasher.digest(),
    sizeBytes,
    body: { open: () => pieces, lengthBytes: sizeBytes },
  };
}

function piecesOf(stamp: Uint8Array, sizeBytes: number): Uint8Array[] {
  const pieces = [stamp];
  for (let left = sizeBytes - stamp.length; left > 0; left -= fillBytes) {
    pieces.push(filler.subarray(0, Math.min(left, fillBytes)));
  }
  return pieces;
}

/** A part of content as a body of its own, for chunked uploads. */
export function partOf(content: Content, first: number, last: number): Uint8Array {
  const whole = Buffer.concat([...(content.body.open() as Uint8Array[])]);
  return whole.subarray(first, last + 1);
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
  const hasher = newHasher("sha256");
  hasher.update(bytes);
  return { digest: hasher.digest(), bytes };
}
