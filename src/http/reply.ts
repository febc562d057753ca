/**
 * Every kind of answer that handlers give, as data.
 *
 * Bodies have an exact length and are never compressed. JSON has the bare content type, because clients compare it
 * exactly; an API error has the body of the specification. Header values are made from validated text only.
 */
import { errorBody, type ApiError } from "../oci/errors.ts";
import type { Reply, ReplyBody } from "./endpoint.ts";

const json = "application/json";

/** When a client should try again, in seconds, unless the error says otherwise. */
const retryAfterS = "1";

/** A status with headers and no body. */
export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers, body: null };
}

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return textReply(status, JSON.stringify(value), json, headers);
}

/** Text that is serialised already. */
export function textReply(
  status: number,
  text: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const bytes = Buffer.from(text);
  return {
    status,
    headers: { ...headers, "content-type": contentType, "content-length": String(bytes.length) },
    body: bytes,
  };
}

export function bodyReply(
  status: number,
  body: ReplyBody,
  headers: Readonly<Record<string, string>>,
): Reply {
  return { status, headers, body };
}

export function errorReply(error: ApiError): Reply {
  const isPassing = error.status === 503 && error.headers["retry-after"] === undefined;
  const headers = isPassing ? { ...error.headers, "retry-after": retryAfterS } : error.headers;
  return textReply(error.status, errorBody(error), json, headers);
}
