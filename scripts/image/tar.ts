/**
 * A tar archive (POSIX ustar) from a list of entries, the same bytes for the same list.
 *
 * Owners, times and modes are those of the entry, never those of this machine; entries come in the given order. Names
 * may have up to 100 bytes, or 255 where they can be split at a slash.
 */

export interface TarEntry {
  /** Relative path without a leading slash; directories end in `/`. */
  readonly path: string;
  readonly mode: number;
  /** User and group id. */
  readonly owner: number;
  /** Content of a file; null for a directory or link. */
  readonly content: Uint8Array | null;
  /** Target of a symbolic link. */
  readonly link?: string;
}

const block = 512;
const nameBytesMax = 100;

/** @param modifiedAt seconds since the epoch, for every entry. */
export function tarOf(entries: readonly TarEntry[], modifiedAt: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const entry of entries) {
    const content = entry.content ?? new Uint8Array(0);
    pieces.push(headerOf(entry, content.length, modifiedAt), content);
    const rest = content.length % block;
    if (rest > 0) pieces.push(new Uint8Array(block - rest));
  }
  pieces.push(new Uint8Array(2 * block));
  return Buffer.concat(pieces);
}

function headerOf(entry: TarEntry, sizeBytes: number, modifiedAt: number): Uint8Array {
  const header = Buffer.alloc(block);
  const { name, prefix } = splitName(entry.path);
  header.write(name, 0);
  header.write(octal(entry.mode, 7), 100);
  header.write(octal(entry.owner, 7), 108);
  header.write(octal(entry.owner, 7), 116);
  header.write(octal(sizeBytes, 11), 124);
  header.write(octal(modifiedAt, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write(typeOf(entry), 156);
  header.write(entry.link ?? "", 157);
  header.write("ustar\x0000", 257);
  header.write(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)} `, 148);
  return header;
}

function typeOf(entry: TarEntry): string {
  if (entry.link !== undefined) return "2";
  return entry.path.endsWith("/") ? "5" : "0";
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, "0")}\0`;
}

function splitName(path: string): { name: string; prefix: string } {
  if (path.length <= nameBytesMax) return { name: path, prefix: "" };
  const at = path.lastIndexOf("/", path.length - 2);
  const name = path.slice(at + 1);
  if (at === -1 || name.length > nameBytesMax) throw new Error(`tar: ${path} is too long`);
  return { name, prefix: path.slice(0, at) };
}
