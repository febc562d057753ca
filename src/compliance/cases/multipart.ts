// Reads a `multipart/byteranges` body (RFC 9110 §14.6) into its parts.

export interface Part {
  /** The value of the part's Content-Range. */
  range: string;
  body: Uint8Array;
}

/** The parts in order; null when type, boundary or framing are not as they should be. */
export function parseMultipart(contentType: string, body: Uint8Array): Part[] | null {
  const boundary = /^multipart\/byteranges\s*;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(
    contentType,
  );
  if (boundary === null) return null;
  const delimiter = `--${boundary[1] ?? boundary[2] ?? ""}`;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parts: Part[] = [];
  let at = bytes.indexOf(delimiter);
  while (at !== -1) {
    const start = at + delimiter.length;
    if (bytes.toString("latin1", start, start + 2) === "--") return parts;
    const headEnd = bytes.indexOf("\r\n\r\n", start);
    const next = bytes.indexOf(`\r\n${delimiter}`, start);
    if (headEnd === -1 || next === -1 || headEnd > next) return null;
    const head = bytes.toString("latin1", start, headEnd);
    const range = /^content-range:\s*(.+?)\s*$/im.exec(head)?.[1];
    if (range === undefined) return null;
    parts.push({ range, body: bytes.subarray(headEnd + 4, next) });
    at = next + 2;
  }
  return null;
}
