/**
 * OCI image layouts: index.json and oci-layout as text (image-spec image-layout.md).
 *
 * Reading is tolerant of what zot, skopeo, buildah and docker write: null for no manifests, several descriptors for
 * one digest, full references where a tag belongs. What cannot be used is reported, entry by entry. Text that is no
 * index at all throws, because an unreadable index must never pass for an empty one. Writing follows zot: one
 * descriptor per tag, untagged manifests listed without the annotation. An index may have 100,000 entries, so both
 * work entry by entry. Whether the bytes are there is left to the caller.
 */
import { MiB } from "../lib/bytes.ts";
import { JsonElements } from "../lib/json_elements.ts";
import { isJsonObject, showJson, type JsonObject } from "../lib/strict_json.ts";
import { checkDescriptor, type Descriptor } from "./descriptor.ts";
import { mediaTypes } from "./media_types.ts";
import { isTag } from "./reference.ts";

/** The annotation that holds the tag (image-spec annotations.md). */
const refName = "org.opencontainers.image.ref.name";
/**
 * The annotation of an index.json that we wrote: from which state. Tools that change an index keep its annotations, so
 * that it tells what they had read.
 */
const generationName = "io.zotregistry.layout.generation";
/** The annotations of a repository that is a mirror: the host of its upstream, and which entries came from there. */
const upstreamName = "io.zotregistry.layout.upstream";
const cachedName = "io.zotregistry.layout.cached";
/** The origin of the index.json of a repository that has no generation yet. */
export const newOrigin = "new";
/** Bytes of one entry, and of everything beside the entries. */
const entryBytesMax = 4 * MiB;

export interface LayoutEntry {
  /** Without the annotations that hold the tag, and that it came from an upstream. */
  descriptor: Descriptor;
  tag: string | null;
  /** It came from the upstream that the index names: a claim of the file. */
  isCached?: true;
}

/** The state that an index.json was written from. */
export interface LayoutBase {
  /** Whose generation it is: another repository, or another life of the metadata, counts anew. */
  readonly origin: string;
  readonly generation: number;
}

/** The text is not an index. The message is one line for the operator. */
export class LayoutIndexError extends Error {
  override readonly name = "LayoutIndexError";
}

/**
 * Reads an index.json that comes in pieces. `skipped` says what was not taken over: an entry that is no descriptor, a
 * name that is no tag, a tag that an earlier entry holds (the first one wins, as for other readers; the manifest
 * itself stays, untagged).
 */
export class LayoutIndexReader {
  readonly #elements = new JsonElements({ member: "manifests", bytesMax: entryBytesMax });
  readonly #onSkipped: (reason: string) => void;
  readonly #tags = new Set<string>();
  #count = 0;
  #upstream: string | null = null;

  constructor(onSkipped: (reason: string) => void) {
    this.#onSkipped = onSkipped;
  }

  /** The entries that are whole now. @throws LayoutIndexError. */
  push(bytes: Uint8Array): LayoutEntry[] {
    const texts = readable(() => this.#elements.push(bytes));
    return texts.flatMap((text) => this.#entry(readable((): unknown => JSON.parse(text))));
  }

  /** What the index says beside its entries. @throws LayoutIndexError when all of it together was none. */
  end(): LayoutBase | null {
    const index = checkedIndex(readable((): unknown => JSON.parse(this.#elements.end())));
    this.#upstream = layoutUpstream(index);
    return baseIn(index);
  }

  /** The host of the upstream that it says it is a mirror of, once it was read; null for none. */
  get upstream(): string | null {
    return this.#upstream;
  }

  #entry(value: unknown): LayoutEntry[] {
    const place = `manifests[${this.#count++}]`;
    const checked = checkDescriptor(value, place);
    if ("problem" in checked) {
      this.#onSkipped(checked.problem);
      return [];
    }
    const { descriptor, name, isCached } = takeOwn(checked.descriptor);
    const tag = name === null ? null : tagOf(name);
    const taken = tag !== null && this.#tags.has(tag);
    if (name !== null && tag === null) {
      this.#onSkipped(`${place} is named ${showJson(name)}, which is no tag`);
    }
    if (taken) this.#onSkipped(`${place} repeats the tag ${showJson(tag)}`);
    if (tag !== null) this.#tags.add(tag);
    return [{ descriptor, tag: taken ? null : tag, ...(isCached && { isCached }) }];
  }
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new LayoutIndexError("index.json is not JSON", { cause });
  }
}

function checkedIndex(index: unknown): JsonObject {
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
  return index;
}

function baseIn({ annotations }: JsonObject): LayoutBase | null {
  const text = isJsonObject(annotations) ? annotations[generationName] : null;
  const found = typeof text === "string" ? /^([\w-]{1,64})\.(\d{1,15})$/.exec(text) : null;
  const [, origin, generation] = found ?? [];
  if (origin === undefined || generation === undefined) return null;
  return { origin, generation: Number(generation) };
}

/** The host of the upstream that an index.json says it is a mirror of; null for none. */
export function layoutUpstream({ annotations }: JsonObject): string | null {
  const text = isJsonObject(annotations) ? annotations[upstreamName] : null;
  return typeof text === "string" && /^[\w.:[\]-]{1,260}$/.test(text) ? text : null;
}

/** Whether the annotations of an entry say that it came from the upstream. */
export function isCachedEntry(annotations: unknown): boolean {
  return isJsonObject(annotations) && Object.hasOwn(annotations, cachedName);
}

/** Takes what is ours out of the annotations, so that it cannot contradict the tag later. */
function takeOwn(descriptor: Descriptor): {
  descriptor: Descriptor;
  name: string | null;
  isCached: boolean;
} {
  const { annotations, ...rest } = descriptor;
  if (annotations === undefined) return { descriptor, name: null, isCached: false };
  const name = Object.hasOwn(annotations, refName) ? (annotations[refName] ?? "") : null;
  const isCached = isCachedEntry(annotations);
  const { [refName]: _, [cachedName]: _cached, ...others } = annotations;
  const isEmpty = Object.keys(others).length === 0;
  const wasEmpty = Object.keys(annotations).length === 0;
  return {
    descriptor: isEmpty && !wasEmpty ? rest : { ...rest, annotations: others },
    name,
    isCached,
  };
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
 * Writes index.json, page by page. The caller gives each tag once, and untagged manifests that have no tag. Equal
 * entries in an equal order give equal text.
 */
export function* writeLayoutIndex(
  pages: Iterable<readonly LayoutEntry[]>,
  base: LayoutBase | null,
  upstream: string | null = null,
): Generator<string> {
  yield `{"schemaVersion":2,"mediaType":${JSON.stringify(mediaTypes.ociIndex)},"manifests":[`;
  let separator = "";
  for (const page of pages) {
    if (page.length === 0) continue;
    const texts = page.map((entry) => JSON.stringify(toJson(entry)));
    yield separator + texts.join(",");
    separator = ",";
  }
  const annotations = {
    ...(base !== null && { [generationName]: `${base.origin}.${base.generation}` }),
    ...(upstream !== null && { [upstreamName]: upstream }),
  };
  const hasSome = base !== null || upstream !== null;
  yield hasSome ? `],"annotations":${JSON.stringify(annotations)}}` : "]}";
}

/** What a new repository has: readable by every tool, and told from what another tool may have put there. */
export const emptyIndexText = [...writeLayoutIndex([], { origin: newOrigin, generation: 0 })].join(
  "",
);

/** The descriptor with its members in the order of the specification, and the tag in its place. */
function toJson({ descriptor, tag, isCached }: LayoutEntry): Descriptor {
  const { annotations = {}, mediaType, digest, size, ...rest } = descriptor;
  const { [refName]: _, [cachedName]: _cached, ...others } = annotations;
  const named = {
    ...others,
    ...(tag !== null && { [refName]: tag }),
    ...(isCached === true && { [cachedName]: "true" }),
  };
  const optional = Object.keys(named).length === 0 ? {} : { annotations: named };
  return { mediaType, digest, size, ...optional, ...rest };
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
