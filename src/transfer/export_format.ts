/**
 * What an export says of itself: the document `export.json` of its archive, and checkpoints, which say what a side has.
 *
 * Both are read strictly, since they may come from anybody: every name, tag and digest is checked, nothing may stand
 * twice, and lists have limits.
 */
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson, type JsonObject } from "../lib/strict_json.ts";
import { digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { isManifestType } from "../oci/media_types.ts";
import { isRepositoryName, isTag } from "../oci/reference.ts";
import { tagsMax, TransferError, type NamedBlob } from "./image_place.ts";

export interface ExportedTag {
  readonly tag: string;
  readonly digest: Digest;
  /** What the other side has there, null for nothing. */
  readonly was: Digest | null;
}

export interface ExportedManifest extends NamedBlob {
  readonly mediaType: string;
}

export interface ExportedBlob extends NamedBlob {
  /** A repository of the other side that has it; null where the archive has it. */
  readonly from: string | null;
}

export interface ExportedRepository {
  readonly name: string;
  readonly tags: readonly ExportedTag[];
  /** Tags of the checkpoint that are gone. They stay on the other side. */
  readonly gone: readonly string[];
  /** What an index names stands before it. */
  readonly manifests: readonly ExportedManifest[];
  readonly blobs: readonly ExportedBlob[];
}

export interface ExportContents {
  /** The registry that it was made from. */
  readonly source: string;
  readonly repositories: readonly ExportedRepository[];
  /** The files under `blobs/`, in the order of the archive. */
  readonly files: readonly NamedBlob[];
}

/** What a side has of one repository. */
export interface RepositoryState {
  readonly tags: ReadonlyMap<string, Digest>;
  readonly manifests: ReadonlySet<Digest>;
  readonly blobs: ReadonlySet<Digest>;
}
export type Checkpoint = ReadonlyMap<string, RepositoryState>;

export const exportFile = "export.json";
export const checkpointFile = "checkpoint.json";
export const documentBytesMax = 256 * MiB;
export const repositoriesMax = 10_000;
const digestsMax = 1_000_000;
const exportFormat = "zot-export-1";
const checkpointFormat = "zot-checkpoint-1";
const depthMax = 8;

export function formatExport(contents: ExportContents): Uint8Array {
  return encoded({ format: exportFormat, ...contents });
}

/** By this digest people tell an export: everything in the archive follows from it. */
export function exportDigest(document: Uint8Array): Digest {
  return digestOf("sha256", document);
}

export function formatCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const sorted = [...checkpoint].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return encoded({
    format: checkpointFormat,
    repositories: sorted.map(([name, state]) => ({
      name,
      tags: Object.fromEntries([...state.tags].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      manifests: [...state.manifests].toSorted(),
      blobs: [...state.blobs].toSorted(),
    })),
  });
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`);
}

/** @throws TransferError. */
export function parseExport(bytes: Uint8Array, label: string): ExportContents {
  const read = new Reader(label);
  const body = read.document(bytes, exportFormat);
  const repositories = read.list(body, "repositories", repositoriesMax).map((each) => {
    const members = read.object(each, "a repository");
    return {
      name: read.name(members["name"]),
      tags: read.list(members, "tags", tagsMax).map((tag) => exportedTag(read, tag)),
      gone: read.list(members, "gone", tagsMax).map((tag) => read.tag(tag)),
      manifests: read
        .list(members, "manifests", digestsMax)
        .map((manifest) => exportedManifest(read, manifest)),
      blobs: read.list(members, "blobs", digestsMax).map((blob) => exportedBlob(read, blob)),
    };
  });
  for (const { name, tags, manifests, blobs } of repositories) {
    read.once(
      tags.map(({ tag }) => tag),
      `tags of ${name}`,
    );
    read.once(
      [...manifests, ...blobs].map(({ digest }) => digest),
      `digests of ${name}`,
    );
  }
  read.once(
    repositories.map(({ name }) => name),
    "repositories",
  );
  const files = read.list(body, "files", digestsMax).map((file) => namedBlob(read, file));
  read.once(
    files.map(({ digest }) => digest),
    "files",
  );
  return { source: read.text(body["source"], "source"), repositories, files };
}

/** @throws TransferError. */
export function parseCheckpoint(bytes: Uint8Array, label: string): Checkpoint {
  const read = new Reader(label);
  const body = read.document(bytes, checkpointFormat);
  const found = new Map<string, RepositoryState>();
  for (const each of read.list(body, "repositories", repositoriesMax)) {
    const members = read.object(each, "a repository");
    const tags = Object.entries(read.object(members["tags"], "tags"));
    found.set(read.name(members["name"]), {
      tags: new Map(tags.map(([tag, digest]) => [read.tag(tag), read.digest(digest)])),
      manifests: new Set(
        read.list(members, "manifests", digestsMax).map((one) => read.digest(one)),
      ),
      blobs: new Set(read.list(members, "blobs", digestsMax).map((one) => read.digest(one))),
    });
  }
  return found;
}

function exportedTag(read: Reader, value: unknown): ExportedTag {
  const { tag, digest, was } = read.object(value, "a tag");
  return {
    tag: read.tag(tag),
    digest: read.digest(digest),
    was: was === null ? null : read.digest(was),
  };
}

function namedBlob(read: Reader, value: unknown): NamedBlob {
  const { digest, sizeBytes } = read.object(value, "a file");
  return { digest: read.digest(digest), sizeBytes: read.size(sizeBytes) };
}

function exportedBlob(read: Reader, value: unknown): ExportedBlob {
  const { from } = read.object(value, "a blob");
  return { ...namedBlob(read, value), from: from === null ? null : read.name(from) };
}

function exportedManifest(read: Reader, value: unknown): ExportedManifest {
  const { mediaType } = read.object(value, "a manifest");
  const type = read.text(mediaType, "mediaType");
  if (!isManifestType(type) && !type.includes("artifact.manifest")) {
    throw read.wrong(`'${type}' as the type of a manifest`);
  }
  return { ...namedBlob(read, value), mediaType: type };
}

/** Values of a document, each checked. */
class Reader {
  readonly #label: string;

  constructor(label: string) {
    this.#label = label;
  }

  wrong(what: string): TransferError {
    return new TransferError(`${this.#label}: what the archive says of itself has ${what}`);
  }

  document(bytes: Uint8Array, format: string): JsonObject {
    const parsed = parseStrictJson(bytes, { depthMax });
    if ("problem" in parsed) throw new TransferError(`${this.#label}: ${parsed.problem}`);
    const body = isJsonObject(parsed.value) ? parsed.value : {};
    if (body["format"] === format) return body;
    throw new TransferError(
      `${this.#label}: expected the format ${format}, got ${JSON.stringify(body["format"] ?? null)}`,
    );
  }

  object(value: unknown, what: string): JsonObject {
    if (isJsonObject(value)) return value;
    throw this.wrong(`no object for ${what}`);
  }

  list(body: JsonObject, member: string, countMax: number): readonly unknown[] {
    const value = body[member];
    if (!Array.isArray(value)) throw this.wrong(`no list of ${member}`);
    if (value.length > countMax) throw this.wrong(`more than ${countMax} ${member}`);
    return value;
  }

  text(value: unknown, what: string): string {
    if (typeof value === "string" && value.length <= 1000) return value;
    throw this.wrong(`no text for ${what}`);
  }

  name(value: unknown): string {
    if (typeof value === "string" && isRepositoryName(value)) return value;
    throw this.wrong(`${JSON.stringify(value ?? null).slice(0, 80)} as the name of a repository`);
  }

  tag(value: unknown): string {
    if (typeof value === "string" && isTag(value)) return value;
    throw this.wrong(`${JSON.stringify(value ?? null).slice(0, 80)} as a tag`);
  }

  digest(value: unknown): Digest {
    const digest = typeof value === "string" ? parseDigest(value) : null;
    if (digest !== null) return digest;
    throw this.wrong(`${JSON.stringify(value ?? null).slice(0, 80)} as a digest`);
  }

  size(value: unknown): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.wrong(`${JSON.stringify(value ?? null).slice(0, 80)} as a size`);
  }

  once(values: readonly string[], what: string): void {
    if (new Set(values).size !== values.length) throw this.wrong(`${what} that stand twice`);
  }
}
