/** An OCI layout, in a directory or an archive, as a source of images. */
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { checkDescriptor, type Descriptor } from "../oci/descriptor.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { isOciLayout } from "../oci/layout_index.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { isTag } from "../oci/reference.ts";
import {
  tagsMax,
  TransferError,
  type ImageSource,
  type OpenBlob,
  type PlacedManifest,
  type ReadOptions,
} from "./image_place.ts";
import { blobName, readWhole, type LayoutFiles } from "./layout_files.ts";
import { manifestBytesMax } from "./registry_session.ts";

export const refName = "org.opencontainers.image.ref.name";
export const layoutIndexBytesMax = 128 * MiB;
const layoutFileBytesMax = 64 * 1024;
const depthMax = 64;

export interface LayoutEntryNamed {
  readonly descriptor: Descriptor;
  /** As it is written: a tag, or a full reference. */
  readonly name: string | null;
}

/** Whether a layout is there: null where there is none at all. @throws TransferError for one that cannot be read. */
export async function layoutVersion(files: LayoutFiles): Promise<"fine" | null> {
  const marker = await readWhole(files, "oci-layout", layoutFileBytesMax);
  if (marker === null) return null;
  if (isOciLayout(new TextDecoder().decode(marker))) return "fine";
  throw new TransferError(
    `${files.label}: its file oci-layout is not that of a layout of version 1`,
  );
}

/** The entries of index.json, and the document itself; null when it is absent. */
export async function readLayoutIndex(
  files: LayoutFiles,
): Promise<{ entries: LayoutEntryNamed[]; document: Readonly<Record<string, unknown>> } | null> {
  const bytes = await readWhole(files, "index.json", layoutIndexBytesMax);
  if (bytes === null) return null;
  const parsed = parseStrictJson(bytes, { depthMax });
  if ("problem" in parsed) throw new TransferError(`${files.label}: index.json: ${parsed.problem}`);
  if (!isJsonObject(parsed.value) || parsed.value["schemaVersion"] !== 2) {
    throw new TransferError(`${files.label}: index.json is no index of version 2`);
  }
  const listed = parsed.value["manifests"] ?? [];
  if (!Array.isArray(listed)) {
    throw new TransferError(`${files.label}: index.json has no list of manifests`);
  }
  if (listed.length > 2 * tagsMax) {
    throw new TransferError(`${files.label}: index.json lists more than ${2 * tagsMax} manifests`);
  }
  const entries = listed.map((entry, at): LayoutEntryNamed => {
    const checked = checkDescriptor(entry, `manifests[${at}]`);
    if ("problem" in checked) {
      throw new TransferError(`${files.label}: index.json: ${checked.problem}`);
    }
    return {
      descriptor: checked.descriptor,
      name: checked.descriptor.annotations?.[refName] ?? null,
    };
  });
  return { entries, document: parsed.value };
}

/** Opens a layout to read; its files are closed where there is none. @throws TransferError. */
export async function openLayoutSource(files: LayoutFiles): Promise<LayoutSource> {
  try {
    return new LayoutSource(files, await entriesIn(files));
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function entriesIn(files: LayoutFiles): Promise<readonly LayoutEntryNamed[]> {
  if ((await layoutVersion(files)) === null) {
    const isOld = (await files.size("manifest.json")) !== null;
    const what = isOld
      ? "it is an archive of an old 'docker save', without an OCI layout; save it with Docker 25 or later"
      : "expected an OCI layout, but there is no file oci-layout";
    throw new TransferError(`${files.label}: ${what}`);
  }
  const index = await readLayoutIndex(files);
  if (index === null) throw new TransferError(`${files.label}: the layout has no index.json`);
  return index.entries;
}

export class LayoutSource implements ImageSource {
  readonly label: string;
  readonly entries: readonly LayoutEntryNamed[];
  readonly #files: LayoutFiles;
  readonly #types = new Map<string, string>();
  #bySubject: Promise<Map<string, Descriptor[]>> | null = null;

  constructor(files: LayoutFiles, entries: readonly LayoutEntryNamed[]) {
    this.#files = files;
    this.label = files.label;
    this.entries = entries;
    for (const { descriptor } of entries) this.#types.set(descriptor.digest, descriptor.mediaType);
  }

  async head(reference: string): Promise<string | null> {
    const digest = parseDigest(reference) ?? this.#named(reference);
    if (digest === null) return null;
    return (await this.#files.size(blobName(digest))) === null ? null : digest;
  }

  async manifest(reference: string): Promise<PlacedManifest | null> {
    const digest = parseDigest(reference) ?? this.#named(reference);
    if (digest === null) return null;
    const bytes = await readWhole(this.#files, blobName(digest), manifestBytesMax);
    if (bytes === null) return null;
    if (digestOf(algorithmOf(digest), bytes) !== digest) {
      throw new TransferError(`${this.label}: manifest ${digest} does not have its digest`);
    }
    const parsed = parseStrictJson(bytes, { depthMax });
    const body = "value" in parsed && isJsonObject(parsed.value) ? parsed.value : {};
    this.#learn(body);
    return { digest, mediaType: this.#types.get(digest) ?? typeOf(body), bytes };
  }

  async blob(digest: Digest, { fromByte }: ReadOptions): Promise<OpenBlob | null> {
    if ((await this.#files.size(blobName(digest))) === null) return null;
    return { fromByte, body: this.#files.read(blobName(digest), fromByte) };
  }

  async tags(): Promise<readonly string[]> {
    return [...new Set(this.entries.flatMap(({ name }) => name ?? []))];
  }

  async only(): Promise<Digest | null> {
    const digests = new Set(this.entries.map(({ descriptor }) => descriptor.digest));
    const [digest] = digests;
    return digest === undefined || digests.size > 1 ? null : parseDigest(digest);
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    this.#bySubject ??= this.#readSubjects();
    return (await this.#bySubject).get(digest) ?? [];
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  /** The name as it is written, else the tag of the only full reference that ends with it. */
  #named(reference: string): Digest | null {
    const exact = this.entries.find(({ name }) => name === reference);
    const ending = this.entries.filter(
      ({ name }) => name !== null && tagOfName(name) === reference,
    );
    const found = exact ?? (ending.length === 1 ? ending[0] : undefined);
    return found === undefined ? null : parseDigest(found.descriptor.digest);
  }

  /** Types of what an index names, which is not in index.json. */
  #learn(body: Readonly<Record<string, unknown>>): void {
    const children = body["manifests"];
    if (!Array.isArray(children)) return;
    for (const child of children) {
      if (!isJsonObject(child)) continue;
      const { digest, mediaType } = child;
      if (typeof digest !== "string" || typeof mediaType !== "string") continue;
      if (!this.#types.has(digest)) this.#types.set(digest, mediaType);
    }
  }

  /** Nothing but the manifests themselves says what they are about. */
  async #readSubjects(): Promise<Map<string, Descriptor[]>> {
    const found = new Map<string, Descriptor[]>();
    const seen = new Set<string>();
    for (const { descriptor } of this.entries) {
      const { digest: text, mediaType, size } = descriptor;
      const digest = parseDigest(text);
      if (digest === null || seen.has(text)) continue;
      seen.add(text);
      const bytes = await readWhole(this.#files, blobName(digest), manifestBytesMax);
      if (bytes === null) continue;
      const parsed = parseStrictJson(bytes, { depthMax });
      const subject =
        "value" in parsed && isJsonObject(parsed.value) ? parsed.value["subject"] : null;
      if (!isJsonObject(subject) || typeof subject["digest"] !== "string") continue;
      const list = found.get(subject["digest"]) ?? [];
      found.set(subject["digest"], [...list, { mediaType, digest, size }]);
    }
    return found;
  }
}

/** The tag in a name: the name itself, or what follows the last ":" of a full reference. */
export function tagOfName(name: string): string | null {
  if (isTag(name)) return name;
  const tag = name.slice(name.lastIndexOf(":") + 1);
  return name.includes(":") && isTag(tag) ? tag : null;
}

/** What a manifest is that says nothing of itself. */
export function typeOf(body: Readonly<Record<string, unknown>>): string {
  const own = body["mediaType"];
  if (typeof own === "string") return own;
  return Array.isArray(body["manifests"]) ? mediaTypes.ociIndex : mediaTypes.ociImage;
}
