// What went over the wire, fit to be shown: every secret removed, every body short.
//
// Reports are published, so nothing here may let a stranger in: logins, cookies, tokens and signed
// parameters are blanked by name, and bodies of token services are never kept. Text stays text;
// other bytes are shown as their number.
import type { HeaderLine } from "./http_message.ts";
import { type Address, formatAddress } from "./registry_url.ts";
import type { RequestBody, WireResponse } from "./transport.ts";

/** One request and its answer. */
export interface TranscriptEntry {
  method: string;
  url: string;
  requestHeaders: HeaderLine[];
  /** Short text, or a line such as `(512 bytes)`; empty when there was no body. */
  requestBody: string;
  /** 0 when there was no answer; `error` then says why. */
  status: number;
  reason: string;
  responseHeaders: HeaderLine[];
  responseBody: string;
  error: string | null;
  /** Until the answer was complete. */
  durationMs: number;
}

const hidden = "(hidden)";
const shownCharactersMax = 1500;
const secretHeader =
  /^(authorization|proxy-authorization|cookie|set-cookie|x-.*(token|secret|key))$/i;
const secretParameter =
  /([?&;](?:_state|[^=&;#]*(?:token|secret|signature|credential|password|sig|key)[^=&;#]*)=)[^&;#]+/gi;

/** What is known of a request before there is an answer. */
export function newEntry(
  method: string,
  address: Address,
  headers: readonly HeaderLine[],
  body: RequestBody | Uint8Array | undefined,
): TranscriptEntry {
  return {
    method,
    url: redactUrl(formatAddress(address)),
    requestHeaders: redactHeaders(headers),
    requestBody: showRequestBody(body),
    status: 0,
    reason: "",
    responseHeaders: [],
    responseBody: "",
    error: null,
    durationMs: 0,
  };
}

function showRequestBody(body: RequestBody | Uint8Array | undefined): string {
  if (body === undefined) return "";
  if (body instanceof Uint8Array) return showBody(body);
  return body.lengthBytes === null ? "(sent in chunks)" : `(${body.lengthBytes} bytes)`;
}

/** Adds the answer, whose body is shown as `body` says. */
export function fillEntry(entry: TranscriptEntry, response: WireResponse, body: string): void {
  entry.status = response.status;
  entry.reason = response.reason;
  entry.responseHeaders = redactHeaders(response.headers.lines);
  entry.responseBody = body;
}

/** Blanks the values of header lines that carry secrets, keeping the scheme of a login. */
export function redactHeaders(lines: readonly HeaderLine[]): HeaderLine[] {
  return lines.map(([name, value]): HeaderLine => {
    if (!secretHeader.test(name)) return [name, redactUrl(value)];
    const scheme = /^(Basic|Bearer) /i.exec(value)?.[0] ?? "";
    return [name, `${scheme}${hidden}`];
  });
}

/** Blanks passwords and signed parameters in a URL or in text that holds one. */
export function redactUrl(url: string): string {
  return url
    .replace(/\/\/[^/@\s]*@/, `//${hidden}@`)
    .replaceAll(secretParameter, (_, name: string) => `${name}${hidden}`);
}

/** Shows a body: text when it is printable UTF-8 and not secret, else its size. */
export function showBody(
  bytes: Uint8Array,
  options: { totalBytes?: number; secret?: boolean } = {},
): string {
  const totalBytes = options.totalBytes ?? bytes.length;
  if (totalBytes === 0) return "";
  const size = `(${totalBytes} bytes)`;
  if (options.secret === true) return hidden;
  const text = printable(bytes.subarray(0, shownCharactersMax * 4));
  if (text === null) return size;
  const whole = bytes.length === totalBytes && text.length <= shownCharactersMax;
  return whole ? text : `${text.slice(0, shownCharactersMax)}\n... ${size}`;
}

function printable(bytes: Uint8Array): string | null {
  try {
    // A cut in the middle of a character is no reason to call text binary.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return /[\0-\x08\x0e-\x1f\x7f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}
