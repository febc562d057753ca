/**
 * The files of an OCI layout, wherever they lie: a directory, or a tar archive. Names are those of the specification
 * (`index.json`, `blobs/sha256/…`); nothing else is ever read.
 */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { KiB } from "../lib/bytes.ts";
import { algorithmOf, hexOf, type Digest } from "../oci/digest.ts";
import { TransferError } from "./image_place.ts";

export interface LayoutFiles {
  readonly label: string;
  /** Null: there is no such file. */
  size(name: string): Promise<number | null>;
  /** The bytes of what `size` says is there, from one on. */
  read(name: string, fromByte: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const pieceBytes = 256 * KiB;

export function blobName(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** A whole file; null when it is absent. @throws TransferError when it is larger than `bytesMax`. */
export async function readWhole(
  files: LayoutFiles,
  name: string,
  bytesMax: number,
): Promise<Uint8Array | null> {
  const sizeBytes = await files.size(name);
  if (sizeBytes === null) return null;
  if (sizeBytes > bytesMax) {
    throw new TransferError(
      `${files.label}: ${name} has ${sizeBytes} bytes; expected up to ${bytesMax}`,
    );
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of files.read(name, 0)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Opens a plain file; null when it is absent. A pipe or a device is an error, and never waited for. */
export async function openPlain(
  path: string,
): Promise<{ file: FileHandle; sizeBytes: number } | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
    throw fileError(path, error);
  }
  const stat = await file.stat();
  if (stat.isFile()) return { file, sizeBytes: stat.size };
  await file.close();
  throw new TransferError(`expected a file at '${path}', got something else`);
}

/** Bytes of an open file between two places. */
export async function* piecesOf(
  file: FileHandle,
  fromByte: number,
  endByte: number,
): AsyncGenerator<Uint8Array, void, void> {
  for (let at = fromByte; at < endByte;) {
    const buffer = new Uint8Array(Math.min(pieceBytes, endByte - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A layout in a directory. */
export class DirectoryFiles implements LayoutFiles {
  readonly label: string;
  readonly #directory: string;

  constructor(directory: string, label: string) {
    this.#directory = directory;
    this.label = label;
  }

  async size(name: string): Promise<number | null> {
    const opened = await openPlain(join(this.#directory, name));
    await opened?.file.close();
    return opened?.sizeBytes ?? null;
  }

  async *read(name: string, fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const opened = await openPlain(join(this.#directory, name));
    if (opened === null) throw new TransferError(`${this.label}: ${name} is gone`);
    try {
      yield* piecesOf(opened.file, fromByte, opened.sizeBytes);
    } finally {
      await opened.file.close();
    }
  }

  async close(): Promise<void> {}
}

export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : null;
}

/** What the system says of a file, as one line. */
export function fileError(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === null) return error;
  const what = code === "ENOSPC" || code === "EDQUOT" ? "no space is left" : code;
  return new TransferError(`'${path}' cannot be used: ${what}`, { cause: error });
}
