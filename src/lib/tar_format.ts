/** Headers of tar archives: those that we write (ustar, with pax records where it is too small), and reading any. */
import { KiB } from "./bytes.ts";

export const tarBlockBytes = 512;
/** Beyond this the twelve octal digits of ustar end. */
const ustarSizeMax = 8 * 1024 * 1024 * KiB - 1;
const ustarNameBytesMax = 100;

export interface TarHeader {
  readonly name: string;
  readonly sizeBytes: number;
  /** The type: `0` for a file. */
  readonly type: string;
  /** Permissions, and the numbers of the owner; 0 where a field is no number. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What a link leads to. */
  readonly linkName: string;
}

/** Bytes that fill the last block of content. */
export function paddingOf(sizeBytes: number): number {
  return (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
}

/** The header of a file, with a pax header before it where that is needed. The same file gives the same bytes. */
export function fileHeader(name: string, sizeBytes: number): Uint8Array {
  const records: string[] = [];
  if (Buffer.byteLength(name) > ustarNameBytesMax) records.push(paxRecord("path", name));
  if (sizeBytes > ustarSizeMax) records.push(paxRecord("size", String(sizeBytes)));
  const own = block(name, Math.min(sizeBytes, ustarSizeMax), "0");
  if (records.length === 0) return own;
  const content = Buffer.from(records.join(""));
  const padding = new Uint8Array(paddingOf(content.length));
  return Buffer.concat([block("PaxHeader", content.length, "x"), content, padding, own]);
}

/** Two empty blocks end an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * tarBlockBytes);
}

function block(name: string, sizeBytes: number, type: string): Uint8Array {
  const header = new Uint8Array(tarBlockBytes);
  const put = (text: string, at: number): void => void Buffer.from(header.buffer).write(text, at);
  put(name.slice(0, ustarNameBytesMax), 0);
  put("0000644\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  put("00000000000\0", 136);
  put("        ", 148);
  put(type, 156);
  put("ustar\u000000", 257);
  put(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

/** `<length> <name>=<value>\n`, where the length counts itself. */
function paxRecord(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes + 1;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return `${length}${rest}`;
}

/** Reads a header; null for an empty block, which ends an archive. The problem is one line. */
export function parseHeader(bytes: Uint8Array): TarHeader | { problem: string } | null {
  if (bytes.every((byte) => byte === 0)) return null;
  const said = numberIn(bytes.subarray(148, 156));
  if (said === null || said !== checksumOf(bytes)) {
    return {
      problem: "a header does not have its checksum; this is no tar archive, or a damaged one",
    };
  }
  const sizeBytes = numberIn(bytes.subarray(124, 136));
  if (sizeBytes === null) return { problem: "a header has a size that is no number" };
  const isUstar = textIn(bytes.subarray(257, 262)) === "ustar";
  // GNU tar keeps other fields in the place of the prefix.
  const isPosix = isUstar && bytes[262] === 0;
  const prefix = isPosix ? textIn(bytes.subarray(345, 500)) : "";
  const name = textIn(bytes.subarray(0, ustarNameBytesMax));
  const type = String.fromCharCode(bytes[156] ?? 0).replace("\0", "0");
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    sizeBytes,
    type,
    mode: numberIn(bytes.subarray(100, 108)) ?? 0,
    uid: numberIn(bytes.subarray(108, 116)) ?? 0,
    gid: numberIn(bytes.subarray(116, 124)) ?? 0,
    linkName: textIn(bytes.subarray(157, 257)),
  };
}

/** What a pax header says of the file behind it; null for records that cannot be read. */
export function parsePax(bytes: Uint8Array): ReadonlyMap<string, string> | null {
  const found = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(
      space === -1 ? Number.NaN : Buffer.from(bytes.subarray(at, space)).toString(),
    );
    if (!Number.isInteger(length) || length < 5 || at + length > bytes.length) return null;
    const record = Buffer.from(bytes.subarray(space + 1, at + length)).toString("utf8");
    const equals = record.indexOf("=");
    if (equals < 1 || !record.endsWith("\n")) return null;
    found.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += length;
  }
  return found;
}

/** The sum of all bytes, with spaces in the place of the sum. */
function checksumOf(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 1) {
    sum += at >= 148 && at < 156 ? 0x20 : (header[at] ?? 0);
  }
  return sum;
}

/** Octal digits between spaces, or binary as GNU tar writes large numbers. A layer has hundreds of thousands of them. */
function numberIn(field: Uint8Array): number | null {
  let value = 0;
  if ((field[0] ?? 0) === 0x80) {
    for (let at = 1; at < field.length; at += 1) value = value * 256 + (field[at] ?? 0);
    return Number.isSafeInteger(value) ? value : null;
  }
  let at = 0;
  while (field[at] === 0x20) at += 1;
  const first = at;
  for (; at < field.length; at += 1) {
    const byte = field[at] ?? 0;
    if (byte < 0x30 || byte > 0x37) break;
    value = value * 8 + (byte - 0x30);
  }
  const hasDigits = at > first;
  while (field[at] === 0x20) at += 1;
  const isEnd = at === field.length || field[at] === 0;
  return hasDigits && isEnd ? value : null;
}

function textIn(field: Uint8Array): string {
  const end = field.indexOf(0);
  const length = end === -1 ? field.length : end;
  return length === 0 ? "" : Buffer.from(field.buffer, field.byteOffset, length).toString("utf8");
}
