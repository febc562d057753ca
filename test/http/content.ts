// Blobs and manifests for the tests of the API: bytes with their digests, and manifests made of descriptors.
//
// The same call gives the same bytes. Manifests are valid unless a test spoils them on purpose.

import { createHash } from "node:crypto";
import { mediaTypes } from "../../src/oci/media_types.ts";

export interface Content {
  readonly bytes: Uint8Array;
  /** The sha256 digest. */
  readonly digest: string;
  readonly sha512: string;
}

export interface ManifestContent extends Content {
  readonly mediaType: string;
}

export function content(data: string | Uint8Array): Content {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  return { bytes, digest: digestOf("sha256", bytes), sha512: digestOf("sha512", bytes) };
}

function digestOf(algorithm: "sha256" | "sha512", bytes: Uint8Array): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Bytes that differ everywhere, the same for the same length. */
export function pattern(sizeBytes: number): Content {
  const bytes = new Uint8Array(sizeBytes);
  let state = 0x9e3779b9;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return content(bytes);
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [member: string]: unknown;
}

export function descriptor(of: Content, mediaType: string, more: object = {}): Descriptor {
  return { mediaType, digest: of.digest, size: of.bytes.length, ...more };
}

export const empty = content("");
export const letters = content("abcdefghijklmnopqrstuvwxyz");
export const config = content("{}");
export const layer = content("a layer");
/** Larger than what is answered from memory. */
export const large = pattern(200_000);

/** A manifest from any JSON value or text, valid or not. */
export function manifestOf(
  value: unknown,
  mediaType: string = mediaTypes.ociImage,
): ManifestContent {
  return { ...content(typeof value === "string" ? value : JSON.stringify(value)), mediaType };
}

/** Members of an image manifest with one config and one layer. */
export const imageMembers = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociImage as string,
  config: descriptor(config, mediaTypes.ociConfig),
  layers: [descriptor(layer, mediaTypes.ociLayer)],
};

/** An image manifest of `config` and `layer`; `changes` replaces or adds members, `undefined` removes. */
export function image(changes: object = {}): ManifestContent {
  const members = { ...imageMembers, ...changes };
  return manifestOf(members, members.mediaType ?? mediaTypes.ociImage);
}

/** An index of manifests. */
export function index(
  children: readonly (ManifestContent | Descriptor)[],
  changes: object = {},
): ManifestContent {
  const manifests = children.map((child) =>
    "bytes" in child ? descriptor(child as Content, child.mediaType) : child,
  );
  const members = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...changes };
  return manifestOf(members, members.mediaType);
}

/** The request that pushes a manifest which names nothing, so that nothing has to be there before. */
export function emptyIndexPush(): { headers: Record<string, string>; body: Uint8Array } {
  const { bytes, mediaType } = index([]);
  return { headers: { "content-type": mediaType }, body: bytes };
}

/** An artifact manifest that refers to a subject, with the annotation `n` to tell it from others. */
export function referrer(
  subject: ManifestContent,
  n: number,
  changes: object = {},
): ManifestContent {
  return image({
    artifactType: "application/vnd.example.signature",
    subject: descriptor(subject, subject.mediaType),
    annotations: { n: String(n) },
    ...changes,
  });
}
