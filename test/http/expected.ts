// The exact headers of answers, made from the content that they carry. Used by the tables in `rows/`.

import type { Content, ManifestContent } from "./content.ts";
import type { Headers, Step } from "./row.ts";

const uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const sandbox = "default-src 'none'; sandbox";
const forEver = "private, max-age=31536000, immutable";

function identity(digest: string): Headers {
  return { "docker-content-digest": digest, etag: `"${digest}"`, "cache-control": forEver };
}

/** 200 of a blob, and with `part` its 206. */
export function blobHeaders(
  blob: Content,
  part?: { readonly first: number; readonly last: number },
): Headers {
  const total = blob.bytes.length;
  return {
    ...identity(blob.digest),
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    "content-disposition": "attachment",
    "content-security-policy": sandbox,
    "content-length": String(part === undefined ? total : part.last - part.first + 1),
    ...(part === undefined ? {} : { "content-range": `bytes ${part.first}-${part.last}/${total}` }),
  };
}

/** 304 of a blob or of a manifest by digest. */
export function unchanged(digest: string): Headers {
  return identity(digest);
}

/** 200 of a manifest; `by` is how it was asked for, `digest` what the answer names. */
export function manifestHeaders(
  manifest: ManifestContent,
  by: "tag" | "digest",
  digest = manifest.digest,
): Headers {
  return {
    ...identity(digest),
    ...(by === "tag" ? { "cache-control": "no-cache" } : {}),
    "content-type": manifest.mediaType,
    "content-length": String(manifest.bytes.length),
    "content-security-policy": sandbox,
  };
}

/** 201 of a blob. */
export function blobCreated(digest: string, repository = "{r}"): Headers {
  return {
    location: `/v2/${repository}/blobs/${digest}`,
    "docker-content-digest": digest,
    "content-length": "0",
  };
}

/** 201 of a manifest. */
export function manifestCreated(digest: string, more: Headers = {}): Headers {
  return {
    location: `/v2/{r}/manifests/${digest}`,
    "docker-content-digest": digest,
    "content-length": "0",
    ...more,
  };
}

/** An upload that holds `sizeBytes`; of repository `{r}` if no other is named. */
export function session(sizeBytes: number): Headers {
  // It names what was acknowledged: after a crash of the machine only the client knows.
  const acknowledged = sizeBytes === 0 ? "" : `\\.${sizeBytes}`;
  return {
    location: new RegExp(`^/v2/[a-z0-9/._-]+/blobs/uploads/${uuid}${acknowledged}$`),
    range: `0-${Math.max(sizeBytes - 1, 0)}`,
    "docker-upload-uuid": new RegExp(`^${uuid}$`),
  };
}

/** 202 of an upload. */
export function accepted(sizeBytes: number): Headers {
  return { ...session(sizeBytes), "content-length": "0" };
}

export const deleted: Headers = { "content-length": "0" };

export function json(value: unknown, headers: Headers = {}): Pick<Step, "has" | "gives"> {
  return { has: { "content-type": "application/json", ...headers }, gives: value };
}

/** Opens an upload; its path is `{at}` in the steps that follow. */
export const start: Step = {
  send: "POST /v2/{r}/blobs/uploads/",
  endpoint: "upload.start",
  answer: 202,
  has: accepted(0),
};

/** GET of the upload `{at}`: it holds so many bytes. */
export function holds(sizeBytes: number): Step {
  return { send: "GET {at}", endpoint: "upload.status", answer: 204, has: session(sizeBytes) };
}

/** Ends the upload `{at}` with nothing more to send. */
export function finish(blob: Content, digest = blob.digest): Step {
  return {
    send: `PUT {at}?digest=${digest}`,
    endpoint: "upload.finish",
    answer: 201,
    has: blobCreated(digest),
  };
}

/** The blob can be read. */
export function readable(blob: Content, repository = "{r}"): Step {
  return {
    send: `GET /v2/${repository}/blobs/${blob.digest}`,
    endpoint: "blob.get",
    answer: 200,
    has: blobHeaders(blob),
    gives: blob.bytes,
  };
}

/** The blob is not there. */
export function absent(blob: Content, repository = "{r}"): Step {
  return {
    send: `GET /v2/${repository}/blobs/${blob.digest}`,
    endpoint: "blob.get",
    answer: "BLOB_UNKNOWN",
  };
}
