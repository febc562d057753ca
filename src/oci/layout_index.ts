// OCI image layouts: index.json and oci-layout as text (image-spec image-layout.md).
//
// Reading is tolerant of what zot, skopeo, buildah and docker write: null for no manifests, several
// descriptors for one digest, full references where a tag belongs. What cannot be used is reported,
// entry by entry. Text that is no index at all throws, because an unreadable index must never pass
// for an empty one. Writing follows zot: one descriptor per tag, untagged manifests listed without
// the annotation. Whether the bytes are there is left to the caller.

import { isJsonObject, showJson } from "../lib/strict_json.ts";
import { checkDescriptor, type Descriptor } from "./descriptor.ts";
import { mediaTypes } from "./media_types.ts";
import { isTag } from "./reference.ts";

/** The annotation that holds the tag (image-spec annotations.md). */
const refName = "org.opencontainers.image.ref.name";

export interface LayoutEntry {
  /** Without the annotation that holds the tag. */
  descriptor: Descriptor;
  tag: string | null;
}

/** The text is not an index. The message is one line for the operator. */
export class LayoutIndexError extends Error {
  override readonly name = "LayoutIndexError";
}

/**
 * Reads index.json. `skipped` says what was not taken over: an entry that is no descriptor, a name
 * that is no tag, a tag that an earlier entry holds (the first one wins, as for other readers; the
 * manifest itself stays, untagged). Throws LayoutIndexError when the text is not an index.
 */
export function readLayoutIndex(text: string): {
  entries: LayoutEntry[];
  skipped: { reason: string }[];
} {
  const entries: LayoutEntry[] = [];
  const skipped: { reason: string }[] = [];
  const tags = new Set<string>();
  for (const [index, value] of parseManifests(text).entries()) {
    const checked = checkDescriptor(value, `manifests[${index}]`);
    if ("problem" in checked) {
      skipped.push({ reason: checked.problem });
      continue;
    }
    const { descriptor, name } = takeName(checked.descriptor);
    const tag = name === null ? null : tagOf(name);
    const taken = tag !== null && tags.has(tag);
    if (name !== null && tag === null) {
      skipped.push({ reason: `manifests[${index}] is named ${showJson(name)}, which is no tag` });
    }
    if (taken) skipped.push({ reason: `manifests[${index}] repeats the tag ${showJson(tag)}` });
    if (tag !== null) tags.add(tag);
    entries.push({ descriptor, tag: taken ? null : tag });
  }
  return { entries, skipped };
}

function parseManifests(text: string): unknown[] {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (cause) {
    throw new LayoutIndexError("index.json is not JSON", { cause });
  }
  if (!isJsonObject(index)) {
    throw new LayoutIndexError(`index.json must hold an object, but holds ${showJson(index)}`);
  }
  if (index["schemaVersion"] !== 2) {
    const came = showJson(index["schemaVersion"]);
    throw new LayoutIndexError(`index.json must have schemaVersion 2, but has ${came}`);
  }
  const manifests = index["manifests"] ?? [];
  if (!Array.isArray(manifests)) {
    throw new LayoutIndexError(`index.json must list manifests, but has ${showJson(manifests)}`);
  }
  return manifests;
}

/** Takes the name out of the annotations, so that it cannot contradict the tag later. */
function takeName(descriptor: Descriptor): { descriptor: Descriptor; name: string | null } {
  const { annotations, ...rest } = descriptor;
  if (annotations === undefined || !Object.hasOwn(annotations, refName)) {
    return { descriptor, name: null };
  }
  const { [refName]: name = "", ...others } = annotations;
  const empty = Object.keys(others).length === 0;
  return { descriptor: empty ? rest : { ...rest, annotations: others }, name };
}

/** The tag in a name: the name itself, or what follows the last ":" of a full reference. */
function tagOf(name: string): string | null {
  if (isTag(name)) return name;
  const reference = name.split("@", 1)[0] ?? ""; // "…:1@sha256:…" names the digest as well.
  const colon = reference.lastIndexOf(":");
  const tag = reference.slice(colon + 1);
  return colon !== -1 && isTag(tag) ? tag : null;
}

/**
 * Writes index.json. Entries are ordered by tag, then the untagged ones by digest, so that equal
 * content gives equal text. A digest that has a tag, or was listed already, is not listed untagged.
 * The caller passes each tag once.
 */
export function writeLayoutIndex(entries: LayoutEntry[]): string {
  const listed = new Set<string>();
  const manifests: Descriptor[] = [];
  const tagged = entries.filter((entry) => entry.tag !== null);
  for (const { descriptor, tag } of tagged.sort((a, b) => compare(a.tag ?? "", b.tag ?? ""))) {
    listed.add(descriptor.digest);
    manifests.push(toJson(descriptor, tag));
  }
  const untagged = entries.filter((entry) => entry.tag === null);
  for (const { descriptor } of untagged.sort((a, b) =>
    compare(a.descriptor.digest, b.descriptor.digest),
  )) {
    if (listed.has(descriptor.digest)) continue;
    listed.add(descriptor.digest);
    manifests.push(toJson(descriptor, null));
  }
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

/** The descriptor with its members in the order of the specification, and the tag in its place. */
function toJson(descriptor: Descriptor, tag: string | null): Descriptor {
  const { annotations = {}, mediaType, digest, size, ...rest } = descriptor;
  const { [refName]: _, ...others } = annotations;
  const named = tag === null ? others : { ...others, [refName]: tag };
  const optional = Object.keys(named).length === 0 ? {} : { annotations: named };
  return { mediaType, digest, size, ...optional, ...rest };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The content of the file `oci-layout`. */
export const ociLayoutText = '{"imageLayoutVersion":"1.0.0"}';

/** Tells whether the text is that of an `oci-layout` file of version 1. */
export function isOciLayout(text: string): boolean {
  try {
    const layout: unknown = JSON.parse(text);
    const version = isJsonObject(layout) ? layout["imageLayoutVersion"] : null;
    return typeof version === "string" && /^1\.\d+\.\d+$/.test(version);
  } catch {
    return false;
  }
}
