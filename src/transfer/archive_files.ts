/**
 * The files of an OCI layout in a tar archive. Nothing is unpacked: a list of places is made once, and files are read
 * where they lie. Names that are none of a layout's are passed over, whatever they say.
 */
import { open, unlink, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../lib/bytes.ts";
import { TransferError } from "./image_place.ts";
import { standardPath } from "./archive_output.ts";
import { fileError, openPlain, piecesOf, type LayoutFiles } from "./layout_files.ts";
import { writeAll } from "./partial_files.ts";
import {
  paddingOf,
  parseHeader,
  parsePax,
  tarBlockBytes,
  type TarHeader,
} from "../lib/tar_format.ts";

/** Files in an archive; more are refused. */
export const archiveEntriesMax = 500_000;
/** Of a pax header or a long name. */
const extraBytesMax = MiB;

/** What a layout has; everything else in an archive is another program's. */
const layoutName =
  /^(?:oci-layout|index\.json|manifest\.json|export\.json|checkpoint\.json|blobs\/[a-z0-9+._-]{1,32}\/[a-f0-9]{1,128})$/;
const compressions: readonly (readonly [readonly number[], string])[] = [
  [[0x1f, 0x8b], "gzip"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  [[0xfd, 0x37, 0x7a, 0x58], "xz"],
  [[0x42, 0x5a, 0x68], "bzip2"],
];

export interface ArchiveEntry {
  readonly name: string;
  readonly fromByte: number;
  readonly sizeBytes: number;
}

/** Opens an archive and lists it. @throws TransferError. */
export async function openArchive(path: string, label: string): Promise<ArchiveFiles> {
  const opened = path === standardPath ? await standardInput() : await openPlain(path);
  if (opened === null) throw new TransferError(`${label}: there is no such file`);
  try {
    const entries = await listEntries(opened.file, opened.sizeBytes, label);
    return new ArchiveFiles(opened.file, entries, label);
  } catch (error) {
    await opened.file.close();
    throw error;
  }
}

/** All of standard input, kept in a temporary file that is gone with the program: archives are read in any order. */
async function standardInput(): Promise<{ file: FileHandle; sizeBytes: number }> {
  const path = join(tmpdir(), `zot-${crypto.randomUUID()}.tar`);
  try {
    const file = await open(path, "wx+", 0o600);
    try {
      await unlink(path);
      for await (const piece of Bun.stdin.stream()) await writeAll(file, piece);
      return { file, sizeBytes: (await file.stat()).size };
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw fileError(path, error);
  }
}

export class ArchiveFiles implements LayoutFiles {
  readonly label: string;
  /** In the order of the archive. */
  readonly entries: readonly ArchiveEntry[];
  readonly #file: FileHandle;
  readonly #places: ReadonlyMap<string, ArchiveEntry>;

  constructor(file: FileHandle, entries: readonly ArchiveEntry[], label: string) {
    this.#file = file;
    this.label = label;
    this.entries = entries;
    this.#places = new Map(entries.map((entry) => [entry.name, entry]));
  }

  async size(name: string): Promise<number | null> {
    return this.#places.get(name)?.sizeBytes ?? null;
  }

  async *read(name: string, fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const place = this.#places.get(name);
    if (place === undefined)
      throw new TransferError(`${this.label}: ${name} is not in the archive`);
    yield* piecesOf(this.#file, place.fromByte + fromByte, place.fromByte + place.sizeBytes);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Names and places of a layout's files. @throws TransferError for an archive that is damaged or cut off. */
async function listEntries(
  file: FileHandle,
  sizeBytes: number,
  label: string,
): Promise<ArchiveEntry[]> {
  const damaged = (what: string): TransferError => new TransferError(`${label}: ${what}`);
  const found = new Map<string, ArchiveEntry>();
  let count = 0;
  let pax: ReadonlyMap<string, string> | null = null;
  let longName: string | null = null;
  for (let at = 0; ;) {
    if (at + tarBlockBytes > sizeBytes)
      throw damaged(at === 0 ? "it is no tar archive" : "the archive is cut off");
    const bytes = await exactly(file, at, tarBlockBytes);
    if (at === 0) refuseCompressed(bytes, label);
    const header = parseHeader(bytes);
    if (header === null) return [...found.values()];
    if ("problem" in header) throw damaged(header.problem);
    const contentAt = at + tarBlockBytes;
    const size = sizeOf(header, pax);
    if (size === null) throw damaged("a header has a size that is no number");
    if (contentAt + size > sizeBytes) throw damaged("the archive is cut off");
    if ((count += 1) > archiveEntriesMax)
      throw damaged(`it holds more than ${archiveEntriesMax} files`);
    at = contentAt + size + paddingOf(size);
    if (header.type === "x" || header.type === "L") {
      if (size > extraBytesMax)
        throw damaged(`a header of ${size} bytes is more than ${extraBytesMax}`);
      const extra = await exactly(file, contentAt, size);
      if (header.type === "L") longName = Buffer.from(extra).toString("utf8").replace(/\0.*$/s, "");
      else pax = parsePax(extra);
      if (header.type === "x" && pax === null) throw damaged("a pax header cannot be read");
      continue;
    }
    const name = (pax?.get("path") ?? longName ?? header.name).replace(/^(?:\.\/)+/, "");
    pax = null;
    longName = null;
    if (!layoutName.test(name)) continue;
    if (header.type !== "0" && header.type !== "7")
      throw damaged(`${name} is a link, or no plain file`);
    if (found.has(name)) throw damaged(`it holds ${name} twice`);
    found.set(name, { name, fromByte: contentAt, sizeBytes: size });
  }
}

/** Content that a header of another kind has, such as a directory, has none. */
function sizeOf(
  { sizeBytes, type }: TarHeader,
  pax: ReadonlyMap<string, string> | null,
): number | null {
  if (type === "x" || type === "L") return sizeBytes;
  const said = pax?.get("size");
  if (said === undefined) return /^[1-6]$/.test(type) ? 0 : sizeBytes;
  return /^\d{1,15}$/.test(said) ? Number(said) : null;
}

function refuseCompressed(bytes: Uint8Array, label: string): void {
  const found = compressions.find(([magic]) => magic.every((byte, at) => bytes[at] === byte));
  if (found === undefined) return;
  throw new TransferError(
    `${label}: the archive is compressed with ${found[1]}; decompress it first`,
  );
}

async function exactly(file: FileHandle, at: number, sizeBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(file, at, at + sizeBytes)) pieces.push(piece);
  return Buffer.concat(pieces);
}
