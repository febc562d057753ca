/**
 * An OCI layout in a directory as a target of images: blobs first, `index.json` last, each in one step.
 *
 * A blob that lies there is taken for right where a manifest that the layout lists names it; any other is hashed.
 */
import { constants } from "node:fs";
import { mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { algorithmOf, digestOf, newHasher, type Digest } from "../oci/digest.ts";
import { ociLayoutText } from "../oci/layout_index.ts";
import {
  TransferError,
  type ImageTarget,
  type ManifestPlace,
  type NamedBlob,
  type Placed,
  type PlacedManifest,
  type ProvenContent,
} from "./image_place.ts";
import {
  blobName,
  codeOf,
  DirectoryFiles,
  fileError,
  openPlain,
  piecesOf,
} from "./layout_files.ts";
import { withEntries, type NewEntry } from "./layout_index_edit.ts";
import { LayoutSource, layoutVersion, readLayoutIndex } from "./layout_source.ts";
import { partsOf } from "./manifest_parts.ts";
import { PartialFiles, writeAll } from "./partial_files.ts";

const parallelMax = 64;
/** Times that index.json is edited anew because another program changed it meanwhile. */
const editsMax = 20;
/** Entries that wait until they are written, so that what was copied is named soon. */
const pendingMax = 200;

/** Opens a directory to write, and makes it where it is absent. @throws TransferError for one with other files in it. */
export async function openDirectoryTarget(
  directory: string,
  label: string,
): Promise<LayoutDirectoryTarget> {
  const files = new DirectoryFiles(directory, label);
  const isLayout = (await layoutVersion(files)) !== null;
  if (!isLayout && (await readLayoutIndex(files)) === null && !(await isEmpty(directory))) {
    throw new TransferError(`${label}: the directory is not empty, and no OCI layout`);
  }
  try {
    await mkdir(join(directory, "blobs", "sha256"), { recursive: true });
  } catch (error) {
    throw fileError(directory, error);
  }
  const target = new LayoutDirectoryTarget(directory, files);
  if (!isLayout) await target.replace("oci-layout", ociLayoutText);
  await target.look();
  return target;
}

export class LayoutDirectoryTarget implements ImageTarget {
  readonly label: string;
  readonly isWhole = false;
  readonly parallelMax = parallelMax;
  readonly #directory: string;
  readonly #files: DirectoryFiles;
  readonly #partial: PartialFiles;
  #source: LayoutSource;
  #listed = new Set<string>();
  #pending: NewEntry[] = [];
  #writing: Promise<void> = Promise.resolve();
  #made = new Set<string>();
  #touched = new Set<string>();
  #serial = 0;

  constructor(directory: string, files: DirectoryFiles) {
    this.#directory = directory;
    this.#files = files;
    this.label = files.label;
    this.#partial = new PartialFiles(directory);
    this.#source = new LayoutSource(files, []);
  }

  /** Reads what the layout lists now. */
  async look(): Promise<void> {
    const index = await readLayoutIndex(this.#files);
    this.#source = new LayoutSource(this.#files, index?.entries ?? []);
    this.#listed = new Set(this.#source.entries.map(({ descriptor }) => descriptor.digest));
  }

  tagDigest(tag: string): Promise<string | null> {
    return this.#source.head(tag);
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return this.#listed.has(digest) && (await this.#files.size(blobName(digest))) !== null;
  }

  manifest(digest: Digest): Promise<PlacedManifest | null> {
    return this.#source.manifest(digest);
  }

  async hasBlob({ digest, sizeBytes }: NamedBlob, isNamed: boolean): Promise<boolean> {
    const opened = await openPlain(this.#path(blobName(digest)));
    if (opened === null) return false;
    try {
      if (opened.sizeBytes !== sizeBytes) return false;
      if (isNamed) return true;
      const hasher = newHasher(algorithmOf(digest));
      for await (const piece of piecesOf(opened.file, 0, sizeBytes)) hasher.update(piece);
      return hasher.digest() === digest;
    } finally {
      await opened.file.close();
    }
  }

  async putBlob(content: ProvenContent): Promise<Placed> {
    await this.#partial.fill(content, await this.#place(blobName(content.digest)));
    return "sent";
  }

  async putManifest(manifest: PlacedManifest, { tag, isListed }: ManifestPlace): Promise<void> {
    const { digest, bytes, mediaType } = manifest;
    const name = blobName(digest);
    const there = await openPlain(this.#path(name));
    await there?.file.close();
    const isThere = there?.sizeBytes === bytes.length && (await this.#holds(name, digest));
    if (!isThere) await this.replace(name, bytes);
    if (!isListed && tag === null) return;
    const { subject, artifactType } = partsOf(manifest, this.label);
    this.#pending.push({
      mediaType,
      digest,
      sizeBytes: bytes.length,
      artifactType: subject === null ? null : artifactType,
      name: tag,
    });
    if (this.#pending.length >= pendingMax) await this.finish();
  }

  /** Writes the entries that wait. */
  async finish(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeIndex());
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.#partial.close();
  }

  /** Writes a small file in one step, flushed. */
  async replace(name: string, content: string | Uint8Array): Promise<void> {
    const path = await this.#place(name);
    this.#serial += 1;
    const temporary = `${path}.${process.pid}.${this.#serial}`;
    try {
      await writeFlushed(temporary, content);
      await rename(temporary, path);
    } catch (error) {
      throw fileError(path, error);
    }
    this.#touched.add(dirname(path));
  }

  async #writeIndex(): Promise<void> {
    const pending = this.#pending;
    if (pending.length === 0) return;
    for (const directory of this.#touched) await flushDirectory(directory);
    this.#touched.clear();
    const path = this.#path("index.json");
    for (let edit = 1; ; edit += 1) {
      const before = await stampOf(path);
      const index = await readLayoutIndex(this.#files);
      const text = withEntries(index?.document ?? null, pending);
      const temporary = `${path}.${process.pid}.${(this.#serial += 1)}`;
      await writeFlushed(temporary, text);
      if (before === (await stampOf(path)) || edit >= editsMax) {
        await rename(temporary, path);
        break;
      }
    }
    await flushDirectory(this.#directory);
    this.#pending = this.#pending.slice(pending.length);
    await this.look();
  }

  async #holds(name: string, digest: Digest): Promise<boolean> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#files.read(name, 0)) pieces.push(piece);
    return digestOf(algorithmOf(digest), Buffer.concat(pieces)) === digest;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /** Where a file goes, in a directory that is there. */
  async #place(name: string): Promise<string> {
    const path = this.#path(name);
    const directory = dirname(path);
    if (!this.#made.has(directory)) {
      await mkdir(directory, { recursive: true });
      this.#made.add(directory);
    }
    this.#touched.add(directory);
    return path;
  }
}

/** Also one that is absent, and one that was begun and has no image. */
async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).every((name) => name === "blobs" || name === ".zot-copy");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return true;
    throw fileError(directory, error);
  }
}

async function writeFlushed(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o644);
  try {
    await writeAll(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** What a program that writes a file changes; null for one that is absent. */
async function stampOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino}.${size}.${mtimeMs}`;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw fileError(path, error);
  }
}

async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
