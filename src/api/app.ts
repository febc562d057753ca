/**
 * What handlers may use: the registry's rules, the limits that the configuration sets, and the state of
 * the server. Types only, and the helpers that several handlers share to read their parameters.
 */
import type { ActivityAnswers } from "./activity_answers.ts";
import type { Auth } from "../auth/open_auth.ts";
import type { Call } from "../http/call.ts";
import type { PublicUrl } from "../http/public_url.ts";
import { digestProblem, parseDigest, type Digest } from "../oci/digest.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { Registry } from "../registry/registry.ts";
import type { PullStatistics } from "../registry/retention/pull_statistics.ts";

export interface App {
  readonly registry: Registry;
  /** Who callers are; null when everybody may do everything. */
  readonly auth: Auth | null;
  /** Largest blob in bytes; null for no limit. */
  readonly blobBytesMax: number | null;
  readonly manifestBytesMax: number;
  /** How long an upload's body may bring nothing. */
  readonly uploadIdleMs: number;
  /** Where clients find what answers point at. */
  readonly publicUrl: PublicUrl;
  readonly health: Health;
  /** The OpenAPI document of what this server serves, as JSON text. */
  readonly openApi: () => string;
  /** Pages for people beside our own. */
  readonly pages: readonly Page[];
  /** What clients that look for extensions are told beside our own. */
  readonly discovered: readonly DiscoveredExtension[];
  /** Parts of user agents whose clients are never sent elsewhere for bytes, in lower case. */
  readonly redirectExcept: readonly string[];
  /** What answers about what happened lately have in common. */
  readonly activity: ActivityAnswers;
  /** Counts pulls of manifests. */
  readonly pulls: PullStatistics;
}

/** An extension of the distribution specification, as its discovery lists it [extensions, "_oci"]. */
export interface DiscoveredExtension {
  readonly name: string;
  readonly url: string;
  readonly description: string;
  readonly endpoints: readonly string[];
}

/** A page for people, which the start page lists. */
export interface Page {
  readonly name: string;
  /** From the root: `/search`. */
  readonly path: string;
  /** A person who opens `/` is led there. */
  readonly isStart?: true;
}

/** What the health endpoints tell. */
export interface Health {
  /** Layouts were compared with the facts once: what was there before the start is served. */
  started: boolean;
  /** Requests in flight are being finished and no new ones are wanted. */
  stopping: boolean;
  /** Why requests should go elsewhere for now, such as a root directory that cannot be written; null for no reason. */
  problem: string | null;
}

/** What `Location` and `Link` say for a path of ours. */
export function targetOf(call: Call, { publicUrl }: App, path: string): string {
  return publicUrl.targetOf(path, call.request.headers);
}

/**
 * The digest of a path or parameter.
 * @throws DIGEST_INVALID when it is malformed; `unsupported` makes the API error for an algorithm that we do not
 * compute (absent on a pull, invalid on a push).
 */
export function requireDigest(text: string, unsupported: () => ApiError): Digest {
  const digest = parseDigest(text);
  if (digest !== null) return digest;
  if (digestProblem(text) === "unsupported") throw unsupported();
  throw malformedDigest(text);
}

export function malformedDigest(text: string): ApiError {
  return apiError("DIGEST_INVALID", {
    message: `Expected a digest such as sha256:<64 lower-case hex digits>, got ${shorten(text)}`,
  });
}

export function unsupportedDigest(text: string): ApiError {
  return apiError("DIGEST_INVALID", {
    message: `Expected a sha256 or sha512 digest, got ${shorten(text)}`,
  });
}

/** Tag or digest of a path. @throws DIGEST_INVALID or MANIFEST_INVALID; MANIFEST_UNKNOWN where it reads. */
export function requireReference(call: Call, purpose: "read" | "write"): Reference {
  const text = call.params["reference"] ?? "";
  const reference = parseReference(text);
  if (reference.kind !== "invalid") return reference;
  if (reference.problem === "malformed-digest") throw malformedDigest(text);
  if (purpose === "read") throw apiError("MANIFEST_UNKNOWN");
  if (reference.problem === "unsupported-digest") throw unsupportedDigest(text);
  throw invalidTag(text);
}

export function invalidTag(text: string): ApiError {
  return apiError("MANIFEST_INVALID", {
    message: `Expected a tag of up to 128 letters, digits, '.', '_' and '-', got ${shorten(text)}`,
  });
}

/** Quotes a client's text for a message: printable, and short. */
export function shorten(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown);
}
