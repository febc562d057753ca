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
import { apiError } from "../oci/errors.ts";
import { openContent, requireSendable } from "../registry/content.ts";
import { removeBlob } from "../registry/delete.ts";
import { absentError, resolveBlob } from "../registry/resolve.ts";
import { requireDigest, unsupportedDigest, type App } from "./app.ts";
import { multipartBody, type RangePart } from "./multipart_body.ts";
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
  const resolved = await resolveBlob(app.registry, repository, digest);
  if (resolved.found === null) throw absentError(resolved.why, "BLOB_UNKNOWN", { digest });
  const blob = resolved.found;
  const condition = call.header("if-none-match");
  if (condition !== null && matchesEntityTag(condition, digest)) {
    return emptyReply(304, identityHeaders(digest));
  }
  if (call.method === "HEAD") {
    const looking = requireHeld(call, app, blob, "BLOB_UNKNOWN");
    if (looking !== null) await looking;
    return emptyReply(200, blobHeaders(digest, blob.sizeBytes));
  }
  await requireSendable(app.registry, blob);
  const range = call.header("range");
  if (range === null || !rangeStillFits(call, digest)) return wholeBlob(app, blob);
  return rangedBlob(app, blob, range);
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

async function wholeBlob({ registry }: App, blob: Holding): Promise<Reply> {
  const headers = blobHeaders(blob.digest, blob.sizeBytes);
  return contentReply(200, await openContent(registry, blob, null), headers);
}

/** `If-Range`: a range is of use only for the content that the client has the rest of. */
function rangeStillFits(call: Call, digest: Digest): boolean {
  const validator = call.header("if-range");
  if (validator === null) return true;
  // A strong comparison (RFC 9110 §13.1.5): a weak tag or a date never fits.
  return validator === `"${digest}"`;
}

async function rangedBlob(app: App, blob: Holding, header: string): Promise<Reply> {
  const { digest, sizeBytes } = blob;
  const parsed = parseRange(header, sizeBytes, { partsMax: rangePartsMax });
  if (parsed.kind === "ignore") return wholeBlob(app, blob);
  if (parsed.kind === "too-many") throw apiError("TOO_MANY_RANGES");
  if (parsed.kind === "unsatisfiable") {
    throw apiError("RANGE_UNSATISFIABLE", {
      message: `The blob has ${sizeBytes} bytes; the range lies outside of them`,
      headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" },
    });
  }
  const [only, ...others] = parsed.ranges;
  assert(only !== undefined, "a satisfiable range has a part");
  if (others.length > 0) return severalRanges(app, blob, parsed.ranges);
  const headers = blobHeaders(digest, only.last - only.first + 1);
  headers["content-range"] = `bytes ${only.first}-${only.last}/${sizeBytes}`;
  return contentReply(206, await openContent(app.registry, blob, only), headers);
}

/** One part per range, in the order of the request (RFC 9110 §14.6). */
async function severalRanges(
  app: App,
  blob: Holding,
  ranges: readonly InclusiveRange[],
): Promise<Reply> {
  const { digest, sizeBytes } = blob;
  const parts: RangePart[] = [];
  for (const range of ranges) {
    const content = await openContent(app.registry, blob, range);
    // The client asks there again, with all of its ranges.
    if (content.kind === "redirect") return redirectReply(content.location, blobHeaders(digest, 0));
    const header = `bytes ${range.first}-${range.last}/${sizeBytes}`;
    parts.push({ header, content, lengthBytes: range.last - range.first + 1 });
  }
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
