/** Sets entries in the document of an index.json, and leaves everything else in it as it was. */
import { isJsonObject } from "../lib/strict_json.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { refName } from "./layout_source.ts";

export interface NewEntry {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly artifactType: string | null;
  /** Null: listed without a name, unless it is listed already. */
  readonly name: string | null;
  /** Registry, repository and tag, by which docker and containerd load it; null when that is not known. */
  readonly fullName?: string | null;
}

/** What docker and containerd write the full name in, and load it by. */
const containerdName = "io.containerd.image.name";

/** The text of the index with these entries; a name moves to the newest manifest that has it. */
export function withEntries(
  document: Readonly<Record<string, unknown>> | null,
  entries: readonly NewEntry[],
): string {
  const base = document ?? { schemaVersion: 2, mediaType: mediaTypes.ociIndex };
  const listed: unknown = base["manifests"] ?? [];
  const names = new Set(entries.flatMap(({ name }) => name ?? []));
  const named = new Set(entries.flatMap(({ name, digest }) => (name === null ? [] : [digest])));
  const kept = (Array.isArray(listed) ? listed : []).filter((entry: unknown) => {
    const name = nameIn(entry);
    return name === null ? !named.has(digestIn(entry)) : !names.has(name);
  });
  const there = new Set(kept.map(digestIn));
  const added: object[] = [];
  const last = new Map(entries.map((entry) => [entry.name ?? `@${entry.digest}`, entry]));
  for (const entry of last.values()) {
    const { mediaType, digest, sizeBytes, artifactType, name, fullName = null } = entry;
    if (name === null && (there.has(digest) || named.has(digest))) continue;
    added.push({
      mediaType,
      digest,
      size: sizeBytes,
      ...(artifactType === null ? {} : { artifactType }),
      ...(name === null ? {} : { annotations: annotationsOf(name, fullName) }),
    });
  }
  return JSON.stringify({ ...base, manifests: [...kept, ...added] });
}

function annotationsOf(name: string, fullName: string | null): Record<string, string> {
  return { ...(fullName === null ? {} : { [containerdName]: fullName }), [refName]: name };
}

function nameIn(entry: unknown): string | null {
  const annotations = isJsonObject(entry) ? entry["annotations"] : null;
  const name = isJsonObject(annotations) ? annotations[refName] : null;
  return typeof name === "string" ? name : null;
}

function digestIn(entry: unknown): string {
  const digest = isJsonObject(entry) ? entry["digest"] : null;
  return typeof digest === "string" ? digest : "";
}
