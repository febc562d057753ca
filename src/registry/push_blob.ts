/**
 * The end of an upload: verified bytes become a blob of the repository [end-6, end-4b].
 *
 * Promises: the digest is computed from what lies on disk; bytes are flushed and have their name before
 * the fact is committed; the fact is committed before this returns. A wrong digest keeps the session as it
 * was before this request. Equal bytes of another repository are shared, not stored twice.
 * Leaves to others: sessions (`../storage/uploads.ts`), the answer (`api`).
 */
import { algorithmOf, type Digest } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { blobKey } from "../storage/layout.ts";
import type { AppendRequest, HeldUpload } from "../storage/uploads.ts";
import type { Registry } from "./registry.ts";

/** A sweep may remove bytes between their publishing and their commit; then they are published again. */
const publishTriesMax = 3;
/** Other repositories that are asked for an equal blob. */
const donorsMax = 3;

export interface FinishRequest {
  readonly repository: string;
  readonly digest: Digest;
  /** The last bytes, which travel with the finishing request. */
  readonly last: AppendRequest;
  readonly by: string | null;
}

/**
 * Finishes a held session. On a wrong digest or a broken body the session goes back to where it stood.
 * @throws what `HeldUpload.append` throws, DIGEST_INVALID, SIZE_INVALID.
 */
export async function finishUpload(
  registry: Registry,
  upload: HeldUpload,
  request: FinishRequest,
): Promise<void> {
  const before = upload.sizeBytes;
  const { brokenOff } = await upload.append(request.last);
  if (brokenOff) {
    await upload.truncate(before);
    throw apiError("SIZE_INVALID", { message: "The body ended before its announced length" });
  }
  const actual = await upload.digest(algorithmOf(request.digest));
  if (actual !== request.digest) {
    await upload.truncate(before);
    throw apiError("DIGEST_INVALID", {
      message: `The digest of the ${upload.sizeBytes} bytes is ${actual}, the request says ${request.digest}`,
      detail: { digest: request.digest },
    });
  }
  await publishUpload(registry, upload, request);
  await upload.discard();
}

async function publishUpload(
  registry: Registry,
  upload: HeldUpload,
  { repository, digest, by }: FinishRequest,
): Promise<void> {
  const { storage, metadata } = registry;
  const { sizeBytes } = upload;
  for (let attempt = 1; attempt <= publishTriesMax; attempt += 1) {
    await storage.ensureRepository(repository);
    const shared = await shareBlob(registry, repository, digest, sizeBytes);
    if (!shared) await upload.publish(blobKey(repository, digest));
    const outcome = await metadata.commit({
      preconditions: [{ kind: "bytes-present", repository, digest }],
      changes: [{ kind: "link-blob", repository, digest, sizeBytes }],
      by,
    });
    if (outcome.committed) return;
  }
  throw apiError("UNAVAILABLE", {
    message: "The blob was swept while it was pushed; push it again",
  });
}

/** Links an equal blob of another repository; false when there is none. */
async function shareBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  sizeBytes: number,
): Promise<boolean> {
  if (!registry.dedupe) return false;
  const { storage, metadata } = registry;
  const donors = await metadata.repositoriesWithBlob(digest, repository, donorsMax);
  for (const donor of donors) {
    const stat = await storage.statBlob(donor, digest);
    if (stat?.sizeBytes !== sizeBytes) continue;
    if (await storage.linkBlob(donor, repository, digest)) return true;
  }
  return false;
}
