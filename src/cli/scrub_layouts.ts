/**
 * Checks OCI image layouts on disk: what `index.json` lists, and all that it leads to, is read and hashed.
 *
 * Nothing is changed, and no metadata are asked: it works on a root of ours, on one of zot (Go), and on layouts of any
 * program. A file with several hard links is read once.
 */
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, type JsonObject } from "../lib/strict_json.ts";
import { algorithmOf, hexOf, type Digest } from "../oci/digest.ts";
import { isCachedEntry, layoutUpstream } from "../oci/layout_index.ts";
import {
  faults,
  ImageJudge,
  type Fault,
  type JudgedContent,
} from "../registry/scrub/judge_image.ts";
import { FileHashes } from "../server.ts";
import { repositoryOfKey } from "../storage/layout.ts";
import { byteOrder, layoutsBelow } from "./plain_layouts.ts";

/** A manifest or config of more is none. */
const documentBytesMax = 64 * MiB;
const refName = "org.opencontainers.image.ref.name";

/** A line of zot's table. */
export interface ScrubRow {
  readonly imageName: string;
  readonly tag: string;
  readonly status: "ok" | "affected";
  /** Hexadecimal digits of its digest; empty for nothing. */
  readonly affectedBlob: string;
  readonly error: string;
}

export interface ScrubOptions {
  readonly row: (row: ScrubRow) => void;
  /** Hears what could not be looked at. */
  readonly problem: (text: string) => void;
  /** Hears of a mirror how many blobs of its images are not fetched yet. */
  readonly absent: (imageName: string, upstream: string, blobs: number) => void;
  /** Hears how many bytes were read, of about how many; null where nobody watches. */
  readonly progress: ((doneBytes: number, allBytes: number) => void) | null;
}

export interface ScrubTotals {
  readonly affected: number;
  /** Layouts that could not be looked at. */
  readonly failed: number;
}

/** Checks all layouts below some directories; a repository is named from its own on. */
export async function scrubLayouts(
  rootDirectories: readonly string[],
  options: ScrubOptions,
): Promise<ScrubTotals> {
  const { row, problem, absent, progress } = options;
  const found = await Promise.all(
    rootDirectories.map(async (root) =>
      (await layoutsBelow(root)).map((directory) => ({
        directory,
        key: relative(root, directory),
      })),
    ),
  );
  const layouts = found.flat();
  const directories = layouts.map(({ directory }) => directory);
  const files = new CheckedFiles(
    progress === null ? null : { tell: progress, allBytes: await bytesIn(directories) },
  );
  const totals = { affected: 0, failed: 0 };
  for (const { directory, key } of layouts) {
    const imageName = key === "" ? "." : (repositoryOfKey(key) ?? key);
    try {
      const told = (upstream: string, blobs: number): void => absent(imageName, upstream, blobs);
      for await (const found of scrubLayout(directory, files, told)) {
        if (found.status === "affected") totals.affected += 1;
        row({ imageName, ...found });
      }
    } catch (error) {
      totals.failed += 1;
      problem(`${imageName}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return totals;
}

interface Entry {
  readonly digest: string;
  readonly mediaType: string;
  readonly tag: string;
  readonly isCached: boolean;
}

async function* scrubLayout(
  directory: string,
  files: CheckedFiles,
  absent: (upstream: string, blobs: number) => void,
): AsyncGenerator<Omit<ScrubRow, "imageName">> {
  const index = indexIn(await readFile(join(directory, "index.json"), "utf8"));
  if (index === null) {
    yield { tag: "", status: "affected", affectedBlob: "", error: "invalid index.json" };
    return;
  }
  const { upstream, entries } = index;
  const notHere = new Set<Digest>();
  const content = contentOf(directory, files);
  const onAbsent = (digest: Digest): void => void notHere.add(digest);
  const own = new ImageJudge(content);
  const cached = upstream === null ? own : new ImageJudge({ ...content, onAbsent });
  for (const entry of entries) {
    const { tag } = entry;
    const affected = await (entry.isCached ? cached : own).judge(entry);
    if (affected === null) yield { tag, status: "ok", affectedBlob: "", error: "" };
    else {
      const { blob, error } = affected;
      yield { tag, status: "affected", affectedBlob: blob.replace(/^[^:]*:/, ""), error };
    }
  }
  if (upstream !== null && notHere.size > 0) absent(upstream, notHere.size);
}

interface Index {
  readonly entries: readonly Entry[];
  /** As it says itself. */
  readonly upstream: string | null;
}

/** Null for what is no index. */
function indexIn(text: string): Index | null {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isJsonObject(index)) return null;
  const entries = entriesIn(index);
  return entries === null ? null : { entries, upstream: layoutUpstream(index) };
}

function entriesIn({ manifests = [] }: JsonObject): Entry[] | null {
  if (!Array.isArray(manifests)) return manifests === null ? [] : null;
  return manifests.map((value: unknown) => {
    const { digest, mediaType, annotations } = (value ?? {}) as Record<string, unknown>;
    const tag = (annotations as Record<string, unknown> | null | undefined)?.[refName];
    return {
      digest: textOf(digest),
      mediaType: textOf(mediaType),
      tag: textOf(tag),
      isCached: isCachedEntry(annotations),
    };
  });
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function contentOf(directory: string, files: CheckedFiles): JudgedContent {
  const pathOf = (digest: Digest): string =>
    join(directory, "blobs", algorithmOf(digest), hexOf(digest));
  return {
    fault: (digest) => files.fault(pathOf(digest), digest),
    bytes: async (digest) => {
      const path = pathOf(digest);
      return (await stat(path)).size > documentBytesMax ? null : readFile(path);
    },
  };
}

interface Watched {
  readonly tell: (doneBytes: number, allBytes: number) => void;
  readonly allBytes: number;
}

/** Files that were read, by what tells one from any other. */
class CheckedFiles {
  readonly #known = new Map<string, Fault | null>();
  readonly #hashes: FileHashes;

  constructor(watched: Watched | null) {
    let doneBytes = 0;
    this.#hashes = new FileHashes((bytes) => {
      doneBytes += bytes;
      watched?.tell(doneBytes, watched.allBytes);
    });
  }

  async fault(path: string, digest: Digest): Promise<Fault | null> {
    const id = await idOf(path);
    if (id === null) return faults.missing;
    // A file may stand under the digests of two algorithms.
    const name = `${id} ${digest}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const fault = this.#check(path, digest);
    this.#known.set(name, fault);
    return fault;
  }

  #check(path: string, digest: Digest): Fault | null {
    try {
      return this.#hashes.digest(path, digest) === digest ? null : faults.wrong;
    } catch (error) {
      return (error as { code?: unknown }).code === "ENOENT" ? faults.missing : faults.unreadable;
    }
  }
}

/** Null for an absent file alone. */
async function idOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await lstat(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

/** Of all files of content, each once. */
async function bytesIn(directories: readonly string[]): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  for (const directory of directories) {
    for (const algorithm of ["sha256", "sha512"]) {
      const folder = join(directory, "blobs", algorithm);
      for (const name of (await readdir(folder).catch(() => [])).toSorted(byteOrder)) {
        const found = await lstat(join(folder, name)).catch(() => null);
        if (found === null || seen.has(`${found.dev} ${found.ino}`)) continue;
        seen.add(`${found.dev} ${found.ino}`);
        bytes += found.size;
      }
    }
  }
  return bytes;
}
