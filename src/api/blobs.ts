/**
 * Reading and deleting blobs [end-2, end-10].
 *
 * A blob is found only where this repository links it. Ranges follow RFC 9110 §14. Bytes are served as an opaque
 * download that no browser runs. Small blobs are answered from memory; the kernel sends large ones from their file.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { bodyReply, emptyReply } from "../http/reply.ts";
import { parseRange, type InclusiveRange } from "../lib/byte_range.ts";
import { matchesEntityTag } from "../lib/http_fields.ts";
import { assert } from "../lib/assert.ts";
import type { Digest } from "../oci/digest.ts";
import type { Holding } from "../metadata/metadata.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import type { OpenHow } from "../storage/blob_store.ts";
import { cachedBytesMax } from "../registry/content_cache.ts";
import { DamagedContent, openContent, readContent, requireSendable } from "../registry/content.ts";
import { removeBlob } from "../registry/delete.ts";
import type { ArrivingBlob, PulledBlob } from "../registry/origin.ts";
import { absentError, pullBlob } from "../registry/resolve.ts";
import { requireDigest, unsupportedDigest, type App } from "./app.ts";
import { multipartBody, type RangePart } from "./multipart_body.ts";
import { originHeaders, placeOf } from "./origin_headers.ts";
import { atItsTime } from "./past.ts";
import { requireHeld } from "./require_held.ts";
import { contentReply, redirectReply } from "./send_content.ts";

/** Parts of a multiple range; more are answered 400, which clients read as "ask for fewer". */
const rangePartsMax = 64;
const octetStream = "application/octet-stream";

/** GET and HEAD of a blob [end-2]. */
export function getBlob(call: Call, app: App): Promise<Reply> {
  return atItsTime(call, app, (repository) => blobIn(call, app, repository));
}

async function blobIn(call: Call, app: App, repository: string): Promise<Reply> {
  const digest = blobDigest(call);
  const pulled = await pullBlob(app.registry, placeOf(call, repository), digest);
  const reply = await pulledBlob(call, app, { repository, digest }, pulled);
  const { provenance } = pulled;
  if (provenance === undefined) return reply;
  return { ...reply, headers: { ...reply.headers, ...originHeaders(call, provenance) } };
}

async function pulledBlob(
  call: Call,
  app: App,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
  pulled: PulledBlob,
): Promise<Reply> {
  const { arriving } = pulled;
  if (arriving === undefined && pulled.found === null) {
    throw absentError(pulled.why, "BLOB_UNKNOWN", { digest });
  }
  const condition = call.header("if-none-match");
  if (condition !== null && matchesEntityTag(condition, digest)) {
    return emptyReply(304, identityHeaders(digest));
  }
  if (arriving !== undefined) return arrivingBlob(call, arriving);
  const blob = pulled.found;
  if (call.method === "HEAD") {
    const looking = requireHeld(call, app, blob, { asked: repository, unknown: "BLOB_UNKNOWN" });
    if (looking !== null) await looking;
    return emptyReply(200, blobHeaders(digest, blob.sizeBytes));
  }
  const again = await sendableOrAgain(app, blob);
  if (again !== null) return pulledBlob(call, app, { repository, digest }, again);
  const range = call.header("range");
  const how = { mayRedirect: mayRedirect(call, app) };
  if (range === null || !rangeStillFits(call, digest)) return wholeBlob(app, blob, how);
  return rangedBlob(app, blob, range, how);
}

/** Null where the blob can be sent; what its upstream gives where the disk has lost it. @throws DamagedContent. */
async function sendableOrAgain({ registry }: App, blob: Holding): Promise<PulledBlob | null> {
  const { origin } = registry;
  try {
    await requireSendable(registry, blob);
    if (origin !== null && blob.sizeBytes <= cachedBytesMax) await readContent(registry, blob);
    return null;
  } catch (error) {
    if (!(error instanceof DamagedContent) || origin === null) throw error;
    const again = await origin.lost(blob);
    if (again === null) throw error;
    return again;
  }
}

/** A blob that still comes: the whole of it, or one range. */
async function arrivingBlob(call: Call, arriving: ArrivingBlob): Promise<Reply> {
  const { digest, sizeBytes } = arriving;
  const headers = blobHeaders(digest, sizeBytes);
  if (call.method === "HEAD") {
    // A push that skips it would name a blob that is not here.
    if (arriving.takesPushes && mayPush(call))
      throw apiError("BLOB_UNKNOWN", { detail: { digest } });
    return emptyReply(200, headers);
  }
  const header = rangeStillFits(call, digest) ? call.header("range") : null;
  // Of several ranges none is served: the client gets all of it.
  const parsed = header === null ? null : parseRange(header, sizeBytes, { partsMax: 1 });
  if (parsed?.kind === "unsatisfiable") throw unsatisfiable(sizeBytes);
  const range = parsed?.kind === "ranges" ? (parsed.ranges[0] ?? null) : null;
  if (range === null) return contentReply(200, await arriving.open(null), headers);
  headers["content-range"] = `bytes ${range.first}-${range.last}/${sizeBytes}`;
  headers["content-length"] = String(range.last - range.first + 1);
  return contentReply(206, await arriving.open(range), headers);
}

function mayPush({ caller, repository }: Call): boolean {
  return caller.may("create", repository) || caller.may("update", repository);
}

function unsatisfiable(sizeBytes: number): ApiError {
  return apiError("RANGE_UNSATISFIABLE", {
    message: `The blob has ${sizeBytes} bytes; the range lies outside of them`,
    headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
  });
}

function blobDigest(call: Call): Digest {
  return requireDigest(call.params["digest"] ?? "", () => apiError("BLOB_UNKNOWN"));
}

/** Headers that identify the content, on 200, 206 and 304 alike. */
function identityHeaders(digest: Digest): Record<string, string> {
  return {
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "cache-control": "private, max-age=31536000, immutable",
  };
}

/** `lengthBytes` is null for a body that is streamed in chunks. */
function blobHeaders(digest: Digest, lengthBytes: number | null): Record<string, string> {
  return {
    ...identityHeaders(digest),
    ...(lengthBytes === null ? {} : { "content-length": String(lengthBytes) }),
    "content-type": octetStream,
    "accept-ranges": "bytes",
    // A pushed page must never run on the registry's origin.
    "content-disposition": "attachment",
    "content-security-policy": "default-src 'none'; sandbox",
  };
}

/** Some clients repeat their login wherever they are sent, or do not reach the store: they get the bytes from here. */
function mayRedirect(call: Call, { redirectExcept }: App): boolean {
  if (call.hasQuery("redirect") && call.query.get("redirect") === "0") return false;
  if (redirectExcept.length === 0) return true;
  const agent = call.header("user-agent")?.toLowerCase() ?? "";
  return !redirectExcept.some((part) => agent.includes(part));
}

async function wholeBlob({ registry }: App, blob: Holding, how: OpenHow): Promise<Reply> {
  const headers = blobHeaders(blob.digest, blob.sizeBytes);
  return contentReply(200, await openContent(registry, blob, null, how), headers);
}

/** `If-Range`: a range is of use only for the content that the client has the rest of. */
function rangeStillFits(call: Call, digest: Digest): boolean {
  const validator = call.header("if-range");
  if (validator === null) return true;
  // A strong comparison (RFC 9110 §13.1.5): a weak tag or a date never fits.
  return validator === `"${digest}"`;
}

async function rangedBlob(app: App, blob: Holding, header: string, how: OpenHow): Promise<Reply> {
  const { digest, sizeBytes } = blob;
  const parsed = parseRange(header, sizeBytes, { partsMax: rangePartsMax });
  if (parsed.kind === "ignore") return wholeBlob(app, blob, how);
  if (parsed.kind === "too-many") throw apiError("TOO_MANY_RANGES");
  if (parsed.kind === "unsatisfiable") throw unsatisfiable(sizeBytes);
  const [only, ...others] = parsed.ranges;
  assert(only !== undefined, "a satisfiable range has a part");
  if (others.length > 0) return severalRanges(app, blob, parsed.ranges, how);
  const headers = blobHeaders(digest, only.last - only.first + 1);
  headers["content-range"] = `bytes ${only.first}-${only.last}/${sizeBytes}`;
  return contentReply(206, await openContent(app.registry, blob, only, how), headers);
}

/** One part per range, in the order of the request (RFC 9110 §14.6). */
async function severalRanges(
  app: App,
  blob: Holding,
  ranges: readonly InclusiveRange[],
  how: OpenHow,
): Promise<Reply> {
  const { digest, sizeBytes } = blob;
  const [firstRange = null] = ranges;
  const first = await openContent(app.registry, blob, firstRange, how);
  // The client asks there again, with all of its ranges.
  if (first.kind === "redirect") return redirectReply(first.location, blobHeaders(digest, 0));
  const parts = ranges.map((range): RangePart => ({
    header: `bytes ${range.first}-${range.last}/${sizeBytes}`,
    open: async () => (range === firstRange ? first : await openContent(app.registry, blob, range)),
    lengthBytes: range.last - range.first + 1,
  }));
  const { body, boundary, lengthBytes } = await multipartBody(parts, octetStream);
  const headers = blobHeaders(digest, lengthBytes);
  headers["content-type"] = `multipart/byteranges; boundary=${boundary}`;
  return bodyReply(206, body, headers);
}

/** DELETE of a blob [end-10]. */
export async function deleteBlob(call: Call, app: App): Promise<Reply> {
  const text = call.params["digest"] ?? "";
  const digest = requireDigest(text, () => unsupportedDigest(text));
  await removeBlob(app.registry, { repository: call.repository, target: digest, by: call.by });
  return emptyReply(202, { "content-length": "0" });
}
