/**
 * Reads manifests that were not pushed through this registry and may predate its rules: old artifact manifests, Docker
 * schema 1, documents with members that a push would reject.
 *
 * A manifest that passes the push's checks is recorded exactly as a push would record it. Any other JSON object is
 * recorded with every descriptor that it names, so that garbage collection keeps everything it needs. Anything else is
 * `null`; content never makes this throw.
 */
import type { NewManifest } from "../metadata/metadata.ts";
import type { Digest } from "../oci/digest.ts";
import { ApiError } from "../oci/errors.ts";
import { parseManifest, type Manifest } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media_types.ts";
import { listedAnnotations } from "../oci/referrers.ts";

export interface ForeignManifest {
  readonly manifest: NewManifest;
  /** Manifests that it names. */
  readonly children: readonly { readonly digest: string; readonly mediaType: string }[];
  /** Digests that a complete layout holds beside it. */
  readonly needed: readonly string[];
}

/** Members that hold descriptors in any kind of manifest that was ever in use. */
const descriptorMembers: readonly string[] = ["config", "layers", "blobs", "manifests", "fsLayers"];

export function readForeignManifest(
  digest: Digest,
  mediaType: string,
  bytes: Uint8Array,
): ForeignManifest | null {
  try {
    return knownManifest(digest, bytes, parseManifest(bytes, mediaType));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return looseManifest(digest, mediaType, bytes);
  }
}

function knownManifest(digest: Digest, bytes: Uint8Array, parsed: Manifest): ForeignManifest {
  const annotations = listedAnnotations(parsed);
  return {
    manifest: {
      digest,
      mediaType: parsed.mediaType,
      sizeBytes: bytes.length,
      subject: parsed.subject?.digest ?? null,
      artifactType: parsed.artifactType,
      annotations: annotations.fit ? annotations.text : null,
      references: parsed.references.map((reference) => ({
        digest: reference.descriptor.digest,
        target: reference.target,
      })),
    },
    children: parsed.references
      .filter((reference) => reference.target === "manifest")
      .map(({ descriptor }) => ({ digest: descriptor.digest, mediaType: descriptor.mediaType })),
    needed: parsed.references
      .filter((reference) => reference.required)
      .map(({ descriptor }) => descriptor.digest),
  };
}

interface LooseDescriptor {
  readonly digest: string;
  readonly mediaType: string;
}

function looseManifest(
  digest: Digest,
  mediaType: string,
  bytes: Uint8Array,
): ForeignManifest | null {
  const document = parseObject(bytes);
  if (document === null) return null;
  const named = descriptorMembers.flatMap((member) => descriptorsIn(document[member]));
  const subject = descriptorsIn(document["subject"])[0]?.digest ?? null;
  return {
    manifest: {
      digest,
      mediaType,
      sizeBytes: bytes.length,
      subject,
      artifactType: textOf(document["artifactType"]),
      annotations: null,
      references: named.map((descriptor) => ({
        digest: descriptor.digest,
        target: isManifestType(descriptor.mediaType) ? "manifest" : "blob",
      })),
    },
    children: named.filter((descriptor) => isManifestType(descriptor.mediaType)),
    needed: named.map((descriptor) => descriptor.digest),
  };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Descriptors in a member: one, a list of them, or none. Schema 1 calls the digest `blobSum`. */
function descriptorsIn(value: unknown): LooseDescriptor[] {
  if (Array.isArray(value)) return value.flatMap((item) => descriptorsIn(item));
  if (!isObject(value)) return [];
  const digest = textOf(value["digest"]) ?? textOf(value["blobSum"]);
  return digest === null ? [] : [{ digest, mediaType: textOf(value["mediaType"]) ?? "" }];
}
