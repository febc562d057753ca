/**
 * Uploads: start, append, finish, status, cancel, single request, mount [end-4, 5, 6, 11, 13, 14].
 *
 * A session is named by its path alone, in unreserved characters, so that clients may add any query to it. A
 * status tells what is on disk. Checks come in an order that leaves the session alive whenever the client can go on.
 * What a request may add is in `registry/append_upload.ts`, the end of an upload in `registry/push_blob.ts`.
 */
import { plainBytesMax } from "../http/body_memory.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { emptyReply } from "../http/reply.ts";
import { parseContentRange } from "../lib/byte_range.ts";
import { algorithmOf, digestOf, isAlgorithm, type Digest } from "../oci/digest.ts";
import { apiError, ApiError } from "../oci/errors.ts";
import { isRepositoryName } from "../oci/reference.ts";
import { appendUpload, requireBytes, type AppendRequest } from "../registry/append_upload.ts";
import { takingSpace, withSpace } from "../registry/history/giving_way.ts";
import { mountBlob } from "../registry/mount_blob.ts";
import { finishUpload, pushBytes } from "../registry/push_blob.ts";
import type { Guarded, Incoming } from "../registry/usage/quota_guard.ts";
import type { HeldUpload } from "../storage/upload_store.ts";
import { requireDigest, shorten, targetOf, unsupportedDigest, type App } from "./app.ts";

const noBytes = new Uint8Array(0);

/** POST: opens a session [end-4a, end-4c]. */
export async function startUpload(call: Call, app: App): Promise<Reply> {
  const algorithm = call.query.get("digest-algorithm");
  if (algorithm !== null && !isAlgorithm(algorithm)) {
    throw apiError("DIGEST_INVALID", {
      message: `Expected the digest-algorithm sha256 or sha512, got ${shorten(algorithm)}`,
    });
  }
  await app.registry.quotas?.requireRoom(call.repository, null);
  return openSession(call, app);
}

async function openSession(call: Call, app: App): Promise<Reply> {
  const id = await newSession(call, app);
  const { chunkBytesMin } = app.registry.uploads;
  return emptyReply(202, {
    ...sessionHeaders(call, app, id, 0),
    ...(chunkBytesMin === 0 ? {} : { "oci-chunk-min-length": String(chunkBytesMin) }),
    "content-length": "0",
  });
}

function newSession(call: Call, { registry }: App): Promise<string> {
  const { uploads } = registry;
  const start = (): Promise<string> => uploads.start(call.repository, ownerOf(call), call.counted);
  return withSpace(registry, call.repository, start);
}

/**
 * POST with `digest`: the whole blob in one request [end-4b]. Some clients announce the digest and send the bytes
 * afterwards: without a body, and but for the empty blob, it opens a session.
 */
export async function postBlob(call: Call, app: App): Promise<Reply> {
  const digest = digestParameter(call);
  if (call.lengthBytes === 0 && digest !== digestOf(algorithmOf(digest), noBytes)) {
    await app.registry.quotas?.requireRoom(call.repository, digest);
    return openSession(call, app);
  }
  const incoming = { upload: crypto.randomUUID(), digest, held: () => 0, isLast: true };
  return withRoom(call, app, incoming, (bytesMax) =>
    isAtHand(call, app)
      ? pushAtHand(call, app, digest)
      : postStream(call, app, { digest, bytesMax }),
  );
}

async function postStream(call: Call, app: App, limited: Limited): Promise<Reply> {
  const { uploads } = app.registry;
  const id = await newSession(call, app);
  const work = async (upload: HeldUpload): Promise<Reply> => {
    try {
      return await finish(call, app, upload, limited);
    } catch (error) {
      // There is no session that the client knows of: nothing is left behind.
      await upload.discard();
      throw error;
    }
  };
  return uploads.hold(call.repository, id, work, ownerOf(call));
}

/** Whether a whole blob is so small that its body is taken as a manifest's is; a chunk belongs to a session. */
function isAtHand(call: Call, { blobBytesMax }: App): boolean {
  const { lengthBytes } = call;
  if (lengthBytes === null || lengthBytes > plainBytesMax) return false;
  return call.header("content-range") === null && lengthBytes <= (blobBytesMax ?? Infinity);
}

async function pushAtHand(call: Call, app: App, digest: Digest): Promise<Reply> {
  const { repository, by } = call;
  const bytes = await readAtHand(call, app);
  await pushBytes(app.registry, { repository, digest, bytes, by });
  return createdBlob(call, app, digest);
}

function readAtHand(call: Call, { uploadIdleMs }: App): Promise<Uint8Array> {
  return call.readBody({
    bytesMax: plainBytesMax,
    idleMs: uploadIdleMs,
    tooLarge: () => apiError("UPLOAD_TOO_LARGE"),
  });
}

/** POST with `mount` [end-11]: any reason not to mount opens a session instead. */
export async function mountOrStart(call: Call, app: App): Promise<Reply> {
  const text = call.query.get("mount") ?? "";
  const digest = requireDigest(text, () => unsupportedDigest(text));
  const from = call.query.get("from");
  const mounted =
    (from === null || isRepositoryName(from)) &&
    (await mountBlob(app.registry, {
      repository: call.repository,
      digest,
      from,
      mayRead: (repository) => call.caller.may("read", repository),
      by: call.by,
    }));
  if (mounted) return createdBlob(call, app, digest);
  // What the client sends beside a mount is dropped: it goes on with the session.
  return openSession(call, app);
}

/** PATCH: appends a stream or a chunk [end-5]. */
export async function patchUpload(call: Call, app: App): Promise<Reply> {
  return hold(call, app, async (upload) => {
    const held = (): number => upload.sizeBytes;
    const incoming = { upload: sessionOf(call).id, digest: null, held, isLast: false };
    await withState(call, app, upload, () =>
      withRoom(call, app, incoming, (bytesMax) =>
        appendUpload(upload, appendRequest(call, app, bytesMax)),
      ),
    );
    return emptyReply(202, {
      ...sessionHeaders(call, app, sessionOf(call).id, upload.sizeBytes),
      "content-length": "0",
    });
  });
}

/** PUT: takes the last bytes, if any, and closes the session under its digest [end-6]. */
export async function closeUpload(call: Call, app: App): Promise<Reply> {
  return hold(call, app, (upload) =>
    withState(call, app, upload, () => {
      const digest = digestParameter(call);
      const held = (): number => upload.sizeBytes;
      const incoming = { upload: sessionOf(call).id, digest, held, isLast: true };
      return withRoom(call, app, incoming, (bytesMax) =>
        finish(call, app, upload, { digest, bytesMax }),
      );
    }),
  );
}

/** GET: where the session stands [end-13]. */
export async function uploadStatus(call: Call, app: App): Promise<Reply> {
  const { id } = sessionOf(call);
  const sizeBytes = await app.registry.uploads.size(call.repository, id, ownerOf(call));
  if (sizeBytes === null) throw apiError("UPLOAD_UNKNOWN");
  return emptyReply(204, sessionHeaders(call, app, id, sizeBytes));
}

/** DELETE: drops the session and its bytes [end-14]. */
export async function cancelUpload(call: Call, app: App): Promise<Reply> {
  await hold(call, app, (upload) => upload.discard());
  app.registry.quotas?.forget(sessionOf(call).id);
  return emptyReply(204);
}

/** Works on the session of the path as its only holder; the session of somebody else is not there. */
function hold<T>(call: Call, app: App, work: (upload: HeldUpload) => Promise<T>): Promise<T> {
  return app.registry.uploads.hold(call.repository, sessionOf(call).id, work, ownerOf(call));
}

/** Whom a session belongs to: the user, however they prove it with each request, and nobody who gets the name later. */
function ownerOf({ by, caller }: Call): string {
  const { incarnation } = caller.identity;
  return incarnation === undefined ? (by ?? "") : `${by ?? ""}\n${incarnation}`;
}

/** What an upload will be, and how large it may be beside the limit of the configuration. */
interface Limited {
  readonly digest: Digest;
  readonly bytesMax: number | null;
}

/** Runs what takes bytes, if quotas have room for them, and once the disk has. */
function withRoom<T>(
  { repository, lengthBytes }: Call,
  { registry }: App,
  incoming: Omit<Incoming, "repository" | "lengthBytes">,
  work: Guarded<T>,
): Promise<T> {
  const { quotas } = registry;
  const taking: Guarded<T> = (bytesMax) =>
    takingSpace(registry, { repository, lengthBytes }, () => work(bytesMax));
  return quotas === null
    ? taking(null)
    : quotas.during({ ...incoming, repository, lengthBytes }, taking);
}

async function finish(
  call: Call,
  app: App,
  upload: HeldUpload,
  { digest, bytesMax }: Limited,
): Promise<Reply> {
  const { repository } = call;
  await finishUpload(app.registry, upload, {
    repository,
    digest,
    last: await lastRequest(call, app, bytesMax),
    acknowledgedBytes: sessionOf(call).acknowledgedBytes,
    by: call.by,
  });
  return createdBlob(call, app, digest);
}

/**
 * Bytes for the wrong place are answered with where the session stands: clients go on from there. A chunk says its
 * place; a body without one belongs behind what was acknowledged.
 */
async function withState<T>(
  call: Call,
  app: App,
  upload: HeldUpload,
  work: () => Promise<T>,
): Promise<T> {
  try {
    if (call.header("content-range") === null) {
      requireBytes(upload, sessionOf(call).acknowledgedBytes);
    }
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "UPLOAD_RANGE") throw error;
    throw apiError("UPLOAD_RANGE", {
      message: error.message,
      headers: sessionHeaders(call, app, sessionOf(call).id, upload.sizeBytes),
    });
  }
}

function appendRequest(call: Call, app: App, bytesMax: number | null): AppendRequest {
  return {
    source: { body: call.request, lengthBytes: call.lengthBytes },
    chunk: chunkOf(call),
    uploadBytesMax: least(app.blobBytesMax, bytesMax),
    watch: (arrivedBytes) => call.watchBody(app.uploadIdleMs, arrivedBytes),
    onTaken: (bytes) => {
      call.takenBytes = bytes;
    },
  };
}

function least(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

/** The last bytes: a small body is taken whole, as a manifest's is, since nothing of one that breaks off is kept. */
async function lastRequest(call: Call, app: App, bytesMax: number | null): Promise<AppendRequest> {
  const request = appendRequest(call, app, bytesMax);
  const { lengthBytes } = call;
  if (lengthBytes === null || lengthBytes > plainBytesMax) return request;
  const bytes = lengthBytes === 0 ? noBytes : await readAtHand(call, app);
  const { watch: _, ...rest } = request;
  return { ...rest, source: { body: bytes, lengthBytes } };
}

function chunkOf(call: Call) {
  const header = call.header("content-range");
  if (header === null) return null;
  const chunk = parseContentRange(header);
  if (chunk !== null) return chunk;
  throw apiError("UPLOAD_INVALID", {
    message: `Expected Content-Range: <first>-<last>, got ${shorten(header)}`,
  });
}

interface Session {
  readonly id: string;
  /** How many bytes an answer has acknowledged, by the Location that the client kept. */
  readonly acknowledgedBytes: number;
}

/** `<id>` or `<id>.<acknowledged bytes>`. */
const sessionPattern = /^([^.]*)(?:\.(\d{1,15}))?$/;

function sessionOf(call: Call): Session {
  const [, id = "", acknowledged = "0"] = sessionPattern.exec(call.params["upload"] ?? "") ?? [];
  return { id, acknowledgedBytes: Number(acknowledged) };
}

function digestParameter(call: Call): Digest {
  const text = call.query.get("digest");
  if (text === null) {
    throw apiError("DIGEST_INVALID", { message: "Expected ?digest=<digest of the whole blob>" });
  }
  return requireDigest(text, () => unsupportedDigest(text));
}

/**
 * Headers that tell a session's place and length: `0-0` also stands for nothing held [end-13]. The place names what was
 * acknowledged: only the client knows that after a crash of the machine, which may take bytes that were not flushed.
 */
function sessionHeaders(
  call: Call,
  app: App,
  id: string,
  sizeBytes: number,
): Record<string, string> {
  const session = sizeBytes === 0 ? id : `${id}.${sizeBytes}`;
  return {
    location: targetOf(call, app, `/v2/${call.repository}/blobs/uploads/${session}`),
    range: `0-${Math.max(sizeBytes - 1, 0)}`,
    "docker-upload-uuid": id,
  };
}

function createdBlob(call: Call, app: App, digest: Digest): Reply {
  return emptyReply(201, {
    location: targetOf(call, app, `/v2/${call.repository}/blobs/${digest}`),
    "docker-content-digest": digest,
    "content-length": "0",
  });
}
