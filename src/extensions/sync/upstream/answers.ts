/**
 * What the answers of an upstream mean: failures and statuses as trouble in words, `Retry-After`, ranges, media types.
 */
import { ClientError, type ClientErrorKind } from "../../../client/client_error.ts";
import type { HeaderLines } from "../../../client/http_message.ts";
import { essenceOf } from "../../../lib/http_fields.ts";
import { isJsonObject } from "../../../lib/strict_json.ts";
import { isManifestType, mediaTypes } from "../../../oci/media_types.ts";
import { type TroubleKind, UpstreamTrouble } from "./trouble.ts";

/** A `Retry-After` counts for no longer. */
export const retryAfterMaxS = 15 * 60;
/** What a 429 without one means. */
const retryAfterDefaultS = 60;

/** Kinds of failures that are no `broken`. */
const troubleOfKind: Partial<Record<ClientErrorKind, TroubleKind>> = {
  unknownHost: "unreachable",
  refused: "unreachable",
  unreachable: "unreachable",
  connectTimeout: "unreachable",
  certificate: "unreachable",
  clientCertificate: "unreachable",
  tlsExpected: "unreachable",
  plainExpected: "unreachable",
  proxy: "unreachable",
  answerTimeout: "silent",
  loginRefused: "denied",
  itself: "loop",
};

/** Who was asked, how, and when. */
export interface Asked {
  readonly host: string;
  readonly hasLogin: boolean;
  readonly nowMs: number;
}

/** No answer came, or none that can be used. */
export function troubleOfFailure(error: unknown, asked: Asked): UpstreamTrouble {
  const { host, hasLogin } = asked;
  if (error instanceof UpstreamTrouble) return error;
  if (!(error instanceof ClientError)) throw error;
  if (error.kind === "tokenService" && error.status === 429) {
    return tooMany(asked, "its token service limits our requests: 429", error.retryAfter);
  }
  // Where it leads is a signed URL at times.
  const words =
    error.kind === "redirectLoop" ? "redirects in a circle" : `cannot be used: ${error.message}`;
  const { status } = error;
  return new UpstreamTrouble(troubleOfKind[error.kind] ?? "broken", host, {
    words: error.kind === "loginRefused" ? `refuses our login: ${error.message}` : words,
    hasLogin,
    status,
    cause: error,
  });
}

interface Answered {
  readonly status: number;
  readonly headers: HeaderLines;
}

/** The trouble of a status that is neither success nor "absent". */
export function troubleOfStatus(answer: Answered, asked: Asked): UpstreamTrouble {
  const { host, hasLogin, nowMs } = asked;
  const { status, headers } = answer;
  if (status === 429) return tooMany(asked, "answered 429", headers.get("Retry-After"));
  if (status === 508) return new UpstreamTrouble("loop", host, { status });
  const isDenied = status === 401 || status === 403;
  const login = hasLogin ? "refuses our login" : "wants a login";
  const unfollowed = "redirects to where it cannot be followed";
  const words = isDenied ? `${login}: ${status}` : status < 400 ? unfollowed : `answered ${status}`;
  const retryAfterS = status === 503 ? retryAfterOf(headers.get("Retry-After"), null, nowMs) : null;
  const kind = isDenied ? "denied" : "broken";
  return new UpstreamTrouble(kind, host, { words, status, hasLogin, retryAfterS });
}

function tooMany(
  { host, nowMs }: Asked,
  words: string,
  retryAfter: string | null,
): UpstreamTrouble {
  const retryAfterS = retryAfterOf(retryAfter, retryAfterDefaultS, nowMs);
  return new UpstreamTrouble("limited", host, { words, status: 429, retryAfterS });
}

/** Seconds or a date (RFC 9110 §10.2.3), from 1 to `retryAfterMaxS`; `otherwise` for anything else. */
export function retryAfterOf<T>(value: string | null, otherwise: T, nowMs: number): number | T {
  const text = value?.trim() ?? "";
  const atMs = Date.parse(text);
  const seconds = /^\d+$/.test(text)
    ? Number(text)
    : Number.isNaN(atMs)
      ? null
      : Math.ceil((atMs - nowMs) / 1000);
  return seconds === null ? otherwise : Math.min(retryAfterMaxS, Math.max(1, seconds));
}

/** `bytes 5-9/20` as where it begins and how long the whole is (null: unknown); null for what is none. */
export function contentRangeOf(
  value: string | null,
): { readonly from: number; readonly totalBytes: number | null } | null {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value ?? "");
  if (match === null) return null;
  const [, from, , total] = match;
  return { from: Number(from), totalBytes: total === "*" ? null : Number(total) };
}

/** A length that can be one; null for any other text. */
export function lengthOf(value: string | null): number | null {
  return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null;
}

/** Nothing can be verified with it, and no client of today wants it. */
export function isSchema1Type(mediaType: string | null): boolean {
  return essenceOf(mediaType ?? "").startsWith("application/vnd.docker.distribution.manifest.v1+");
}

/** The media type of a manifest: what the upstream says when it is one, else what the bytes say. Null for schema 1. */
export function manifestTypeOf(said: string | null, bytes: Uint8Array): string | null {
  if (isSchema1Type(said)) return null;
  const essence = essenceOf(said ?? "");
  if (isManifestType(essence)) return essence;
  const body = jsonOf(bytes);
  if (isJsonObject(body)) {
    if (body["schemaVersion"] === 1) return null;
    if (typeof body["mediaType"] === "string") return body["mediaType"];
    if (Array.isArray(body["manifests"])) return mediaTypes.ociIndex;
    if (Array.isArray(body["layers"])) return mediaTypes.ociImage;
  }
  return essence === "" ? mediaTypes.octetStream : essence;
}

/** Null for what is no JSON. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
