/** A manifest as it is looked at: parsed, with its kind, and the blobs that it names read within limits. */
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson, type JsonObject } from "../lib/strict_json.ts";
import { artifactFacts } from "../oci/artifact_facts.ts";
import { artifactKindOf, type ArtifactFacts, type ArtifactKind } from "../oci/artifact_kinds.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { ApiError } from "../oci/errors.ts";
import { parseManifest, type Manifest } from "../oci/manifest.ts";
import { InspectError, type FoundManifest, type ImageContent } from "./image_content.ts";

/** Of a config that is looked at. */
export const configBytesMax = 4 * MiB;
const depthMax = 64;

export interface SeenManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the manifest itself. */
  readonly sizeBytes: number;
  readonly document: JsonObject;
  readonly parsed: Manifest;
  readonly facts: ArtifactFacts;
  readonly artifactKind: ArtifactKind;
}

/**
 * What a reference names; null when it is absent. `named` are the annotations of the descriptor that led to it.
 * @throws InspectError for a manifest that cannot be read.
 */
export async function seeManifest(
  content: ImageContent,
  reference: string,
  named: Readonly<Record<string, string>> = {},
): Promise<SeenManifest | null> {
  const found = await content.manifest(reference);
  return found === null ? null : seen(found, named, content.label);
}

function seen(
  { digest, mediaType, bytes }: FoundManifest,
  named: Readonly<Record<string, string>>,
  label: string,
): SeenManifest {
  const parsed = parsedManifest(bytes, mediaType, `${label}: manifest ${digest}`);
  const read = parseStrictJson(bytes, { depthMax });
  const document = "value" in read && isJsonObject(read.value) ? read.value : {};
  const facts = artifactFacts(document, named);
  return {
    digest,
    mediaType,
    sizeBytes: bytes.length,
    document,
    parsed,
    facts,
    artifactKind: artifactKindOf(facts),
  };
}

function parsedManifest(bytes: Uint8Array, mediaType: string, where: string): Manifest {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new InspectError(`${where}: ${error.message}`, { cause: error });
  }
}

/** The config of an image; null for an index. */
export function configOf({ parsed }: SeenManifest): Descriptor | null {
  return parsed.references.find(({ role }) => role === "config")?.descriptor ?? null;
}

export function layersOf({ parsed }: SeenManifest): Descriptor[] {
  return parsed.references
    .filter(({ role }) => role === "layer")
    .map(({ descriptor }) => descriptor);
}

export function childrenOf({ parsed }: SeenManifest): Descriptor[] {
  return parsed.references
    .filter(({ role }) => role === "child")
    .map(({ descriptor }) => descriptor);
}

/** Bytes of the config and the layers, each digest once. */
export function contentBytesOf({ parsed }: SeenManifest): number {
  const sizes = new Map(
    parsed.references
      .filter(({ role }) => role !== "child")
      .map(({ descriptor: { digest, size } }) => [digest, size]),
  );
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** A blob whole; null when it is absent or larger than `bytesMax`. */
export async function readBlob(
  content: ImageContent,
  { digest: text, size: sizeBytes }: Descriptor,
  bytesMax: number,
): Promise<Uint8Array | null> {
  const digest = parseDigest(text);
  if (digest === null || sizeBytes > bytesMax) return null;
  const blob = await content.blob({ digest, sizeBytes });
  if (blob === null) return null;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of blob) {
    if ((bytes += piece.length) > bytesMax) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The config as JSON; null where it is absent, too large, or none: an image with an odd config is looked at, too. */
export async function readConfig(
  content: ImageContent,
  manifest: SeenManifest,
): Promise<JsonObject | null> {
  const config = configOf(manifest);
  if (config === null) return null;
  const bytes = await readBlob(content, config, configBytesMax).catch((error: unknown) => {
    if (error instanceof InspectError) return null;
    throw error;
  });
  if (bytes === null) return null;
  const read = parseStrictJson(bytes, { depthMax });
  return "value" in read && isJsonObject(read.value) ? read.value : null;
}
