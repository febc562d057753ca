/**
 * The end of an upload: verified bytes become a blob of the repository [end-6, end-4b].
 *
 * The digest is computed from the stored bytes. They are flushed and have their name before the metadata names them,
 * and the metadata is committed before this returns. A request that fails leaves the session as it was, so that the
 * client can repeat it. Sessions are in `uploads.ts`, the place of the bytes is in `place_blob.ts`.
 */
import { QuotaExceeded } from "../metadata/metadata.ts";
import { algorithmOf, digestOf, type Digest } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import type { HeldUpload } from "../storage/upload_store.ts";
import type { UnnamedBytes } from "../storage/blob_store.ts";
import { appendUpload, goBack, type AppendRequest } from "./append_upload.ts";
import { nameBytes, type PlacedBytes } from "./name_bytes.ts";
import { mendCopies, placeBlob, type CompleteBytes, type Damaged } from "./place_blob.ts";
import { withSpace } from "./history/giving_way.ts";
import type { Registry } from "./registry.ts";

export interface FinishRequest {
  readonly repository: string;
  readonly digest: Digest;
  /** The last bytes, which travel with the finishing request. */
  readonly last: AppendRequest;
  /** What the sender knows to be held: its last bytes belong behind that. */
  readonly acknowledgedBytes: number;
  readonly by: string | null;
}

export interface BytesRequest {
  readonly repository: string;
  readonly digest: Digest;
  /** All of the blob. */
  readonly bytes: Uint8Array;
  readonly by: string | null;
}

/**
 * Pushes a blob that is at hand whole: there is no session, no lock and no stage, and nothing to go back to.
 * @throws DIGEST_INVALID, UNAVAILABLE, StorageFull.
 */
export async function pushBytes(registry: Registry, request: BytesRequest): Promise<void> {
  const { digest, bytes } = request;
  const actual = digestOf(algorithmOf(digest), bytes);
  if (actual !== digest) throw wrongDigest(digest, actual, bytes.length);
  const complete: CompleteBytes = {
    sizeBytes: bytes.length,
    parts: () => [bytes],
    finish: (repository) => {
      const put = (): Promise<UnnamedBytes | null> =>
        registry.blobs.put(repository, digest, bytes, { mayBeUnnamed: true });
      return withSpace(registry, repository, put);
    },
  };
  await publish(registry, complete, request);
}

/**
 * Finishes a held session. When that fails the session goes back to where it stood, so that the client can repeat the
 * request.
 * @throws what `appendUpload` throws, DIGEST_INVALID, SIZE_INVALID, UNAVAILABLE.
 */
export async function finishUpload(
  registry: Registry,
  upload: HeldUpload,
  request: FinishRequest,
): Promise<void> {
  const before = upload.sizeBytes;
  try {
    await takeLast(upload, request);
    const complete: CompleteBytes = {
      sizeBytes: upload.sizeBytes,
      parts: () => upload.parts(),
      finish: (repository, digest) => upload.finish(repository, digest, { mayBeUnnamed: true }),
    };
    await publish(registry, complete, request);
  } catch (error) {
    // What a quota has no room for cannot be repeated: nothing is kept of it.
    if (error instanceof QuotaExceeded) await upload.discard();
    else await goBack(upload, before);
    throw error;
  }
  await upload.discard();
}

async function takeLast(upload: HeldUpload, request: FinishRequest): Promise<void> {
  const { digest, last, acknowledgedBytes } = request;
  const before = upload.sizeBytes;
  const { appendedBytes, brokenOff } = await appendUpload(upload, last);
  const { sizeBytes } = upload;
  if (brokenOff) {
    throw apiError("SIZE_INVALID", { message: "The body ended before its announced length" });
  }
  const actual = await upload.digest(algorithmOf(digest));
  if (actual === digest) return;
  const isRepeated = appendedBytes > 0 && acknowledgedBytes + appendedBytes === before;
  if (isRepeated && (await wasWhole(upload, before, digest))) return;
  throw wrongDigest(digest, actual, sizeBytes);
}

function wrongDigest(digest: Digest, actual: Digest, sizeBytes: number): Error {
  return apiError("DIGEST_INVALID", {
    message: `The digest of the ${sizeBytes} bytes is ${actual}, the request says ${digest}`,
    detail: { digest },
  });
}

/** Whether all of it had arrived before, by a request that is made again since it was not acknowledged. */
async function wasWhole(upload: HeldUpload, before: number, digest: Digest): Promise<boolean> {
  await goBack(upload, before);
  return (await upload.digest(algorithmOf(digest))) === digest;
}

async function publish(
  registry: Registry,
  complete: CompleteBytes,
  { repository, digest, by }: Pick<FinishRequest, "repository" | "digest" | "by">,
): Promise<void> {
  const { sizeBytes } = complete;
  let damaged: readonly Damaged[] = [];
  const place = async (): Promise<PlacedBytes> => {
    const placed = await placeBlob(registry, complete, { repository, digest });
    damaged = placed.damaged;
    const { from, unnamed } = placed;
    // A check may find what was shared damaged meanwhile: then it is placed again, by the bytes at hand.
    const preconditions =
      from === null ? [] : [{ kind: "unmarked-in", digest, repository: from } as const];
    const changes = [{ kind: "link-blob", digest, sizeBytes } as const];
    return { commit: { repository, preconditions, changes, by }, unnamed };
  };
  if (!(await nameBytes(registry, { digest, place }))) {
    throw apiError("UNAVAILABLE", {
      message: "The blob was swept while it was pushed; push it again",
    });
  }
  await mendCopies(registry, { repository, digest, sizeBytes }, damaged);
}
