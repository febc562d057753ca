// Manifests: from the bytes of a push to what the registry needs to know of them, or an API error.
//
// These are the checks that need nothing but the bytes and their Content-Type: media type, strict
// JSON, envelope, confusion of types, structure, subject. Order matters: the first stage that fails
// answers, the structure stage lists all of its problems. Unknown members and unknown types of
// configs, layers, children and artifacts are accepted. The bytes are stored as they came; nothing
// here is ever written back. Left to others: name, size limit, digest, and whether references exist.

import { essenceOf, isMediaType, parseMediaType } from "../lib/http_fields.ts";
import { isJsonObject, isStringMap, parseStrictJson, showJson } from "../lib/strict_json.ts";
import type { JsonObject } from "../lib/strict_json.ts";
import { MiB } from "../lib/bytes.ts";
import { checkDescriptor, type Descriptor } from "./descriptor.ts";
import { apiError } from "./errors.ts";
import { isForeignLayerType, isManifestType, manifestType, mediaTypes } from "./media_types.ts";
import type { ManifestType } from "./media_types.ts";

/** The largest manifest accepted by default. containerd and containers/image pull no larger one. */
export const manifestBytesMax = 4 * MiB;

const depthMax = 64;
/** So many problems are listed at most; the answer stays small whatever was sent. */
const problemsMax = 32;
/**
 * Descriptors in `layers` or `manifests`. Images have up to 127 layers, caches and artifacts of many files some
 * thousands; each costs the one writer of the metadata a check and a row.
 */
export const descriptorsMax = 10_000;

export interface Manifest {
  /** The type to store and serve: as given at the push, without parameters. */
  mediaType: string;
  kind: "image" | "index";
  /** What this manifest refers to; it need not exist. Docker types have none. */
  subject: Descriptor | null;
  /** The type that a list of referrers shows: `artifactType`, else for images that of the config. */
  artifactType: string | null;
  annotations: Record<string, string> | null;
  references: ManifestReference[];
}

export interface ManifestReference {
  descriptor: Descriptor;
  role: "config" | "layer" | "child";
  /** Where the content lives. A child that is no manifest is a blob (BuildKit's older caches). */
  target: "blob" | "manifest";
  /** Whether it must exist before the push. False for foreign layers that say where to get them. */
  required: boolean;
}

/**
 * Reads and checks the bytes of a manifest. `contentType` is the header of the push, parameters and
 * all; null or `application/json` leaves the type to the body. Throws a ApiError:
 * MANIFEST_TYPE for a type that is no manifest, MANIFEST_INVALID for the rest.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | null): Manifest {
  const declared = declaredType(contentType);
  const body = parseBody(bytes);
  const mediaType = declared ?? typeOfBody(body);
  const row = manifestType(mediaType);
  if (row === null) throw unsupportedType(mediaType);
  checkEnvelope(body, { mediaType, row });
  checkConfusion(body, row);
  return readStructure(body, { mediaType, row });
}

/** The media type that the header declares; null when it leaves the choice to the body. */
function declaredType(contentType: string | null): string | null {
  if (contentType === null || contentType.trim() === "") return null;
  const mediaType = parseMediaType(contentType);
  if (mediaType !== null && essenceOf(mediaType) === mediaTypes.json) return null;
  if (mediaType === null || !isManifestType(mediaType)) throw unsupportedType(contentType);
  return mediaType;
}

function unsupportedType(mediaType: string): Error {
  const expected = "expected an OCI or Docker (version 2) image manifest or index";
  return apiError("MANIFEST_TYPE", {
    message: `Media type ${showJson(mediaType)} is not that of a manifest; ${expected}`,
  });
}

function invalid(message: string): Error {
  return apiError("MANIFEST_INVALID", { message });
}

function parseBody(bytes: Uint8Array): JsonObject {
  if (bytes.length === 0) throw invalid("Manifest is empty; expected a JSON object");
  const parsed = parseStrictJson(bytes, { depthMax });
  if ("problem" in parsed) throw invalid(`Manifest cannot be read: ${parsed.problem}`);
  if (!isJsonObject(parsed.value)) {
    throw invalid(`Manifest must be a JSON object, but is ${showJson(parsed.value)}`);
  }
  return parsed.value;
}

function typeOfBody(body: JsonObject): string {
  const mediaType = body["mediaType"];
  if (typeof mediaType === "string") return parseMediaType(mediaType) ?? mediaType;
  const message = "Manifest has no media type; set Content-Type or mediaType in the manifest";
  throw apiError("MANIFEST_TYPE", { message });
}

interface DeclaredManifest {
  mediaType: string;
  row: ManifestType;
}

function checkEnvelope(body: JsonObject, { mediaType, row }: DeclaredManifest): void {
  if (body["schemaVersion"] !== 2) {
    throw invalid(`schemaVersion must be the number 2, but is ${showJson(body["schemaVersion"])}`);
  }
  const own = body["mediaType"] ?? null;
  if (own === null) {
    if (!row.mediaTypeRequired) return;
    throw invalid(`mediaType is missing; a Docker manifest must repeat ${row.mediaType}`);
  }
  if (typeof own !== "string" || essenceOf(own) !== essenceOf(mediaType)) {
    throw invalid(`mediaType is ${showJson(own)}, but Content-Type is ${showJson(mediaType)}`);
  }
}

/** Members that would let the bytes be read as the other kind (CVE-2021-41190). */
const forbiddenMembers = {
  image: ["manifests"],
  index: ["config", "layers", "fsLayers", "history"],
} as const;

/** Members that decide what a manifest is and reaches. */
const decisiveMembers = [
  "schemaVersion",
  "mediaType",
  "artifactType",
  "config",
  "layers",
  "manifests",
  "subject",
  "annotations",
  "fsLayers",
  "history",
];
const decisiveNames = new Map(decisiveMembers.map((name) => [foldCase(name), name]));
const decisiveLengthMax = Math.max(...decisiveMembers.map((name) => name.length));

/** Folds as Go's encoding/json does when it matches names, Kelvin sign and long s included. */
function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function checkConfusion(body: JsonObject, row: ManifestType): void {
  for (const name of forbiddenMembers[row.kind]) {
    if (Object.hasOwn(body, name) && body[name] !== null) {
      throw invalid(`An ${row.kind} must not contain ${name}; that belongs to another type`);
    }
  }
  // Go reads "Layers" as layers. A manifest that depends on who reads it is refused.
  for (const name of Object.keys(body)) {
    if (name.length > decisiveLengthMax) continue;
    const decisive = decisiveNames.get(foldCase(name)) ?? name;
    if (decisive !== name) throw invalid(`Member ${showJson(name)} must be written ${decisive}`);
  }
}

function readStructure(body: JsonObject, { mediaType, row }: DeclaredManifest): Manifest {
  const problems: string[] = [];
  const references =
    row.kind === "image" ? imageReferences(body, problems) : indexReferences(body, problems);
  const annotations = readAnnotations(body, problems);
  const ownArtifactType = readArtifactType(body, problems);
  const subject = row.family === "oci" ? readSubject(body, problems) : null;
  if (problems.length > 0) {
    const errors = problems.slice(0, problemsMax).map((message) => ({ message }));
    throw apiError("MANIFEST_INVALID", { errors });
  }
  const config = references.find(({ role }) => role === "config");
  const artifactType = ownArtifactType ?? config?.descriptor.mediaType ?? null;
  return { mediaType, kind: row.kind, subject, artifactType, annotations, references };
}

function imageReferences(body: JsonObject, problems: string[]): ManifestReference[] {
  const references: ManifestReference[] = [];
  const config = read(body["config"], "config", problems);
  if (config !== null) {
    references.push({ descriptor: config, role: "config", target: "blob", required: true });
  }
  for (const layer of readList(body, "layers", problems)) {
    const elsewhere = isForeignLayerType(layer.mediaType) && (layer.urls ?? []).length > 0;
    references.push({ descriptor: layer, role: "layer", target: "blob", required: !elsewhere });
  }
  return references;
}

function indexReferences(body: JsonObject, problems: string[]): ManifestReference[] {
  return readList(body, "manifests", problems).map((child) => {
    const target = isManifestType(child.mediaType) ? "manifest" : "blob";
    return { descriptor: child, role: "child", target, required: true };
  });
}

/** The descriptors of an array. Null, as Go writes an empty one, and absent count as empty. */
function readList(body: JsonObject, name: string, problems: string[]): Descriptor[] {
  const list = body[name] ?? [];
  if (!Array.isArray(list)) {
    problems.push(`${name} must be an array of descriptors, but is ${showJson(list)}`);
    return [];
  }
  if (list.length > descriptorsMax) {
    problems.push(
      `${name} must hold up to ${descriptorsMax} descriptors, but holds ${list.length}`,
    );
    return [];
  }
  const descriptors: Descriptor[] = [];
  for (const [index, element] of list.entries()) {
    if (problems.length >= problemsMax) break;
    const descriptor = read(element, `${name}[${index}]`, problems);
    if (descriptor !== null) descriptors.push(descriptor);
  }
  return descriptors;
}

function read(value: unknown, where: string, problems: string[]): Descriptor | null {
  const checked = checkDescriptor(value, where);
  if ("descriptor" in checked) return checked.descriptor;
  problems.push(checked.problem);
  return null;
}

/** Go clients fail on the whole list of referrers when one annotation of one entry is no string. */
function readAnnotations(body: JsonObject, problems: string[]): Record<string, string> | null {
  const annotations = body["annotations"] ?? null;
  if (annotations === null || isStringMap(annotations)) return annotations;
  problems.push("annotations must be an object of strings");
  return null;
}

function readArtifactType(body: JsonObject, problems: string[]): string | null {
  const artifactType = body["artifactType"] ?? null;
  if (artifactType === null || artifactType === "") return null;
  if (typeof artifactType === "string" && isMediaType(artifactType)) return artifactType;
  problems.push(`artifactType must be a media type, but is ${showJson(artifactType)}`);
  return null;
}

function readSubject(body: JsonObject, problems: string[]): Descriptor | null {
  const subject = body["subject"] ?? null;
  return subject === null ? null : read(subject, "subject", problems);
}
