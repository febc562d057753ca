/**
 * The body of a `multipart/byteranges` answer (RFC 9110 §14.6).
 *
 * Promises: parts in the given order, each with its Content-Type and Content-Range; the total length is known
 * before a byte is sent, and file parts are sent from their files. The boundary cannot occur by chance.
 */

export interface RangePart {
  /** Value of the part's Content-Range. */
  readonly header: string;
  readonly content: Uint8Array | Blob;
  readonly lengthBytes: number;
}

export interface MultipartBody {
  readonly body: Blob;
  readonly boundary: string;
  readonly lengthBytes: number;
}

export function multipartBody(parts: readonly RangePart[], contentType: string): MultipartBody {
  const boundary = crypto.randomUUID().replaceAll("-", "");
  const pieces: (string | Uint8Array<ArrayBuffer> | Blob)[] = [];
  let lengthBytes = 0;
  for (const part of parts) {
    const head = `\r\n--${boundary}\r\nContent-Type: ${contentType}\r\nContent-Range: ${part.header}\r\n\r\n`;
    pieces.push(head, part.content as Uint8Array<ArrayBuffer> | Blob);
    lengthBytes += head.length + part.lengthBytes;
  }
  const end = `\r\n--${boundary}--\r\n`;
  pieces.push(end);
  return { body: new Blob(pieces), boundary, lengthBytes: lengthBytes + end.length };
}
