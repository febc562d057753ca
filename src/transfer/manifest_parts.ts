/** What a manifest names, as far as copying is concerned: manifests, and blobs that go along. */
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { checkDescriptor } from "../oci/descriptor.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { ApiError } from "../oci/errors.ts";
import { descriptorsMax, parseManifest } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media_types.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { TransferError, type NamedBlob, type PlacedManifest } from "./image_place.ts";

export interface ManifestParts {
  readonly kind: "image" | "index";
  readonly children: readonly ChildManifest[];
  readonly blobs: readonly NamedBlob[];
  readonly subject: string | null;
  readonly artifactType: string | null;
  readonly annotations: Readonly<Record<string, string>> | null;
}

export interface ChildManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly platform: Platform | null;
}

/** Of the first drafts of OCI 1.1: its blobs are in a member of their own. */
const artifactType = "application/vnd.oci.artifact.manifest.v1+json";
const depthMax = 64;

/** Reads a manifest. `where` begins the line of the error. @throws TransferError. */
export function partsOf(
  { mediaType, bytes, digest }: PlacedManifest,
  where: string,
): ManifestParts {
  if (mediaType === artifactType) return artifactParts(bytes, `${where}: manifest ${digest}`);
  if (!isManifestType(mediaType)) {
    const old = mediaType.includes("manifest.v1+") ? ", which is of the old schema 1" : "";
    throw new TransferError(
      `${where}: manifest ${digest} has the type '${mediaType}'${old}; expected an image manifest or an index`,
    );
  }
  try {
    const parsed = parseManifest(bytes, mediaType);
    const of = (target: "manifest" | "blob"): Descriptor[] =>
      parsed.references
        .filter((reference) => reference.target === target && reference.required)
        .map(({ descriptor }) => descriptor);
    return {
      kind: parsed.kind,
      children: of("manifest").map((child) => ({
        digest: supported(child.digest, where),
        mediaType: child.mediaType,
        sizeBytes: child.size,
        platform: child.platform ?? null,
      })),
      blobs: distinct(of("blob"), where),
      subject: parsed.subject?.digest ?? null,
      artifactType: parsed.artifactType,
      annotations: parsed.annotations,
    };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new TransferError(`${where}: manifest ${digest}: ${error.message}`, { cause: error });
  }
}

function artifactParts(bytes: Uint8Array, where: string): ManifestParts {
  const parsed = parseStrictJson(bytes, { depthMax });
  if ("problem" in parsed) throw new TransferError(`${where}: ${parsed.problem}`);
  const body = isJsonObject(parsed.value) ? parsed.value : {};
  const listed = body["blobs"] ?? [];
  const list = Array.isArray(listed) ? listed.slice(0, descriptorsMax + 1) : [];
  if (list.length > descriptorsMax) {
    throw new TransferError(`${where}: it names more than ${descriptorsMax} blobs`);
  }
  const blobs = list.map((entry, at) => checkedDescriptor(entry, `${where}: blobs[${at}]`));
  const subject = body["subject"] ?? null;
  return {
    kind: "image",
    children: [],
    blobs: distinct(blobs, where),
    subject: subject === null ? null : checkedDescriptor(subject, `${where}: subject`).digest,
    artifactType: typeof body["artifactType"] === "string" ? body["artifactType"] : null,
    annotations: null,
  };
}

function checkedDescriptor(value: unknown, where: string): Descriptor {
  const checked = checkDescriptor(value, where);
  if ("problem" in checked) throw new TransferError(checked.problem);
  return checked.descriptor;
}

/** Each blob once: layers may repeat. */
function distinct(descriptors: readonly Descriptor[], where: string): NamedBlob[] {
  const found = new Map<Digest, NamedBlob>();
  for (const { digest: text, size } of descriptors) {
    const digest = supported(text, where);
    found.set(digest, { digest, sizeBytes: size });
  }
  return [...found.values()];
}

function supported(text: string, where: string): Digest {
  const digest = parseDigest(text);
  if (digest !== null) return digest;
  throw new TransferError(
    `${where}: '${text}' is a digest that cannot be computed here; expected sha256 or sha512`,
  );
}
