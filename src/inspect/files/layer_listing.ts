/**
 * What a layer has in it: its files with their types, sizes, modes and hashes, in the order of the tar, whiteouts
 * included. The tar is read once as it comes and nothing is unpacked; entries, names, bytes and time are bounded.
 */
import { createHash } from "node:crypto";
import { GiB, KiB, MiB } from "../../lib/bytes.ts";
import {
  paddingOf,
  parseHeader,
  parsePax,
  tarBlockBytes,
  type TarHeader,
} from "../../lib/tar_format.ts";
import { ByteReader } from "./byte_reader.ts";
import { LayerProblem } from "./layer_problem.ts";
import { plainBytes, type PlainForm, type ReadBudget } from "./plain_bytes.ts";

/** Entries of a layer. */
export const layerEntriesMax = 200_000;
/** Bytes without compression that are read for one comparison. */
export const readBytesMax = 4 * GiB;
/** Of the names and targets of a layer's entries together. */
export const namesBytesMax = 32 * MiB;
/** Of one name, as Linux has it. */
export const pathBytesMax = 4 * KiB;
/** Of a pax header or a long name. */
const extraBytesMax = 64 * KiB;
/** Headers, of which an entry may have some of its own. */
const headersMax = 3 * layerEntriesMax;
/** Hex digits of a hash that are kept: 128 bits. */
const hashLength = 32;

export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "device" | "fifo";

export interface LayerEntry {
  /** Without a slash at either end. */
  readonly path: string;
  readonly type: EntryType;
  readonly mode: number;
  readonly owner: string;
  readonly sizeBytes: number;
  /** Of a file: the first 128 bits of its SHA-256, as hex. */
  readonly hash: string | null;
  /** Of a link. */
  readonly target: string | null;
}

const types: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "directory",
  "6": "fifo",
};

export interface ListOptions {
  readonly budget: ReadBudget;
  /** Also ends a reading that takes too long. */
  readonly signal: AbortSignal;
}

/** Lists a layer. @throws LayerProblem for what is no tar or too much; what the blob's reading throws. */
export async function listLayer(
  blob: AsyncIterable<Uint8Array>,
  { budget, signal }: ListOptions,
): Promise<LayerEntry[]> {
  const form = { isOpenEnded: false };
  const reader = new ByteReader(plainBytes(blob, budget, form));
  try {
    return await new Lister(reader, form, signal).list();
  } finally {
    await reader.close();
  }
}

/** What headers before an entry say of it. */
interface Extra {
  readonly pax: ReadonlyMap<string, string> | null;
  readonly name: string | null;
  readonly target: string | null;
}

const noExtra: Extra = { pax: null, name: null, target: null };

class Lister {
  readonly #reader: ByteReader;
  readonly #form: PlainForm;
  readonly #signal: AbortSignal;
  readonly #entries: LayerEntry[] = [];
  #headers = 0;
  #namesBytes = 0;

  constructor(reader: ByteReader, form: PlainForm, signal: AbortSignal) {
    this.#reader = reader;
    this.#form = form;
    this.#signal = signal;
  }

  async list(): Promise<LayerEntry[]> {
    let extra = noExtra;
    for (;;) {
      this.#signal.throwIfAborted();
      const header = await this.#header();
      if (header === null) return this.#entries;
      const size = sizeOf(header, extra.pax);
      if (size === null) throw new LayerProblem("a file in it has a size that is no number");
      const more = await this.#extra(header, extra, size);
      if (more !== null) extra = more;
      else {
        await this.#entry(header, extra, size);
        extra = noExtra;
      }
      await this.#skip(paddingOf(size));
    }
  }

  /** Null at the end: an empty block, or nothing where the next header would begin. */
  async #header(): Promise<TarHeader | null> {
    const bytes = await this.#reader.take(tarBlockBytes);
    const isFirst = (this.#headers += 1) === 1;
    if (bytes.length === 0 && !isFirst && !this.#form.isOpenEnded) return null;
    if (bytes.length < tarBlockBytes) throw isFirst ? noTar() : cutOff();
    const header = parseHeader(bytes);
    if (header !== null && "problem" in header) {
      throw isFirst ? noTar() : new LayerProblem("a header in it is damaged");
    }
    // Headers without an entry cost as much as entries.
    if (this.#headers > headersMax) throw tooMany();
    return header;
  }

  /** What a header says of the next one; null for an entry. */
  async #extra({ type }: TarHeader, extra: Extra, size: number): Promise<Extra | null> {
    if (type !== "x" && type !== "g" && type !== "L" && type !== "K") return null;
    if (size > extraBytesMax) {
      throw new LayerProblem(`a name or header in it has more than ${extraBytesMax} bytes`);
    }
    const bytes = await this.#reader.take(size);
    if (bytes.length < size) throw cutOff();
    // A header for all that follow says nothing of names and sizes.
    if (type === "g") return extra;
    if (type === "x") {
      const pax = parsePax(bytes);
      if (pax === null) throw new LayerProblem("a pax header in it cannot be read");
      return { ...extra, pax };
    }
    const text = Buffer.from(bytes).toString("utf8").replace(/\0.*$/s, "");
    return type === "L" ? { ...extra, name: text } : { ...extra, target: text };
  }

  async #entry(header: TarHeader, { pax, name, target }: Extra, size: number): Promise<void> {
    if (header.type === "S") {
      throw new LayerProblem("it has a sparse file in GNU tar's own form, which is not read");
    }
    const type = types[header.type];
    const path = plainPath(pax?.get("path") ?? name ?? header.name);
    const isFile = type === "file";
    const hash = isFile && path !== null ? createHash("sha256") : null;
    const passed = await this.#reader.pass(size, (part) => {
      // A file of many gigabytes ends with the time, too.
      this.#signal.throwIfAborted();
      hash?.update(part);
    });
    if (passed < size) throw cutOff();
    if (type === undefined || path === null) return;
    const link = type === "symlink" || type === "hardlink";
    const entry: LayerEntry = {
      path,
      type,
      mode: header.mode & 0o7777,
      owner: `${idIn(pax, "uid") ?? header.uid}:${idIn(pax, "gid") ?? header.gid}`,
      sizeBytes: isFile ? size : 0,
      hash: hash?.digest("hex").slice(0, hashLength) ?? null,
      target: link ? (pax?.get("linkpath") ?? target ?? header.linkName) : null,
    };
    this.#add(entry);
  }

  #add(entry: LayerEntry): void {
    const nameBytes = Buffer.byteLength(entry.path);
    const targetBytes = entry.target === null ? 0 : Buffer.byteLength(entry.target);
    if (nameBytes > pathBytesMax || targetBytes > pathBytesMax) {
      throw new LayerProblem(`a name in it has more than ${pathBytesMax} bytes`);
    }
    this.#namesBytes += nameBytes + targetBytes;
    if (this.#entries.length >= layerEntriesMax) throw tooMany();
    if (this.#namesBytes > namesBytesMax) {
      throw new LayerProblem(`its names have more than ${namesBytesMax / MiB} MiB together`);
    }
    this.#entries.push(entry);
  }

  async #skip(bytes: number): Promise<void> {
    if ((await this.#reader.pass(bytes, () => {})) < bytes) throw cutOff();
  }
}

function noTar(): LayerProblem {
  return new LayerProblem("it is no tar archive, so that it has no files to list");
}

function cutOff(): LayerProblem {
  return new LayerProblem("its tar archive is cut off");
}

function tooMany(): LayerProblem {
  return new LayerProblem(`it has more than ${layerEntriesMax} files`);
}

/** Content of a header of another kind, such as a directory, is none. */
function sizeOf(
  { sizeBytes, type }: TarHeader,
  pax: ReadonlyMap<string, string> | null,
): number | null {
  if (/^[xgLK]$/.test(type)) return sizeBytes;
  if (/^[1-6]$/.test(type)) return 0;
  const said = pax?.get("size");
  if (said === undefined) return sizeBytes;
  return /^\d{1,15}$/.test(said) ? Number(said) : null;
}

/** Null for what is no number: a text of any length may stand there. */
function idIn(pax: ReadonlyMap<string, string> | null, name: "uid" | "gid"): string | null {
  const said = pax?.get(name) ?? "";
  return /^\d{1,20}$/.test(said) ? said : null;
}

/** Null for the root itself, and for a path that leads out of it, which nothing unpacks. */
function plainPath(name: string): string | null {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0 || parts.includes("..")) return null;
  return parts.join("/");
}
