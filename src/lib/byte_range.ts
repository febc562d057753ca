// Byte ranges: the Range header of a pull and the Content-Range header of an upload.
//
// Ranges here are inclusive at both ends, as in the headers. Parsing costs linear time in the
// header, whose length the HTTP server bounds; numbers beyond 2^53 - 1 are held there instead of
// losing digits. What to answer is left to the caller: this only says which of four cases it is.

/** From the byte at `first` to the byte at `last`, both included; `first <= last`. */
export interface InclusiveRange {
  first: number;
  last: number;
}

export type RangeRequest =
  /** Not a byte range, or malformed: answer as if the header were not there. */
  | { kind: "ignore" }
  /** No byte of the content is asked for: 416. */
  | { kind: "unsatisfiable" }
  /** More parts, or more bytes in all, than the server is willing to answer: refuse. */
  | { kind: "too-many" }
  /** At least one range, inside of the content, in the order of the request. */
  | { kind: "ranges"; ranges: InclusiveRange[] };

const unit = /^bytes=/i;
const spec = /^(\d*)-(\d*)$/;
const contentRange = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/(?:(\d+)|\*))?$/;

/**
 * Reads a Range header for content of `sizeBytes` (RFC 9110 §14.1.2, §14.2).
 *
 * Ends are clamped to the content. Of several ranges those that hold no byte are dropped, unless
 * all are such. A range that ends before it begins (`500-0`) is taken as holding no byte. Several
 * ranges that overlap so much that they would send more than twice the content are "too-many".
 */
export function parseRange(
  header: string,
  sizeBytes: number,
  options: { partsMax: number },
): RangeRequest {
  if (!unit.test(header)) return { kind: "ignore" };
  const ranges: InclusiveRange[] = [];
  let parts = 0;
  let totalBytes = 0;
  for (const element of header.slice("bytes=".length).split(",")) {
    const text = trimBlanks(element);
    if (text === "") continue; // RFC 9110 §5.6.1.2: empty list elements count for nothing.
    const match = spec.exec(text);
    if (match === null || text === "-") return { kind: "ignore" };
    parts += 1;
    const range = resolve(match[1] ?? "", match[2] ?? "", sizeBytes);
    if (range === null) continue;
    totalBytes += range.last - range.first + 1;
    ranges.push(range);
  }
  if (parts === 0) return { kind: "ignore" };
  if (parts > options.partsMax) return { kind: "too-many" };
  if (ranges.length === 0) return { kind: "unsatisfiable" };
  if (ranges.length > 1 && totalBytes > 2 * sizeBytes) return { kind: "too-many" };
  return { kind: "ranges", ranges };
}

/** The bytes that one `first-last`, `first-` or `-length` asks for; null when there are none. */
function resolve(first: string, last: string, sizeBytes: number): InclusiveRange | null {
  if (first === "") {
    const lengthBytes = Math.min(toInteger(last), sizeBytes);
    return lengthBytes === 0 ? null : { first: sizeBytes - lengthBytes, last: sizeBytes - 1 };
  }
  const range = {
    first: toInteger(first),
    last: last === "" ? sizeBytes - 1 : Math.min(toInteger(last), sizeBytes - 1),
  };
  return range.first > range.last ? null : range;
}

/**
 * Reads the Content-Range of an upload: `a-b` (distribution-spec, "Pushing a blob in chunks").
 * Tolerates what HTTP libraries make of it: `bytes a-b/total`, `bytes a-b/*`, `bytes=a-b`.
 * Returns null for any other syntax, and for an end before the beginning or beyond the total.
 */
export function parseContentRange(header: string): InclusiveRange | null {
  const match = contentRange.exec(header);
  if (match === null) return null;
  const range = { first: toInteger(match[1] ?? ""), last: toInteger(match[2] ?? "") };
  const totalBytes = match[3] === undefined ? Infinity : toInteger(match[3]);
  return range.last < range.first || range.last >= totalBytes ? null : range;
}

function toInteger(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** Removes blanks and tabs, the only white space inside of a header list (RFC 9110 §5.6.3). */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
