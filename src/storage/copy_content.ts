/**
 * Copies content from one store into another. The target names it only once the digest of what it has stored is the right
 * one, flushed: a copy of damaged bytes is never made.
 */
import { MiB } from "../lib/bytes.ts";
import { algorithmOf, digestOf, type Digest } from "../oci/digest.ts";
import { ContentGone, type BlobStore, type OpenContent } from "./blob_store.ts";
import type { Stores } from "./stores.ts";
import type { AppendLimits, HeldUpload } from "./upload_store.ts";

/** Content up to this size is copied in memory. */
const wholeBytesMax = MiB;
/** Begins the ids of their uploads. */
export const copiesPrefix = "copy.";
/** Bytes that are read at once of anything larger. */
const sliceBytes = 4 * MiB;

interface Source {
  readonly stores: Pick<Stores, "blobs">;
  readonly from: string;
  /** Hears of bytes that were read. */
  readonly onBytes?: (bytes: number) => void;
}

interface Target {
  readonly stores: Pick<Stores, "blobs" | "uploads">;
  readonly to: string;
}

/** False where the source has nothing, or other bytes than the digest says. @throws StorageFull. */
export async function copyContent(
  digest: Digest,
  source: Source,
  target: Target,
): Promise<boolean> {
  const sizeBytes = await source.stores.blobs.size(source.from, digest);
  if (sizeBytes === null) return false;
  if (sizeBytes > wholeBytesMax) return copyLarge(digest, source, target, sizeBytes);
  const bytes = await source.stores.blobs.read(source.from, digest, wholeBytesMax);
  source.onBytes?.(sizeBytes);
  if (bytes === null || digestOf(algorithmOf(digest), bytes) !== digest) return false;
  await target.stores.blobs.put(target.to, digest, bytes);
  return true;
}

/** By an upload of the target's own, which is discarded in any case; what a crash leaves goes as any idle upload does. */
async function copyLarge(
  digest: Digest,
  { stores: { blobs }, from, onBytes }: Source,
  { stores: { uploads }, to }: Target,
  sizeBytes: number,
): Promise<boolean> {
  const id = `${copiesPrefix}${crypto.randomUUID()}`;
  await uploads.create(id, to);
  const upload = await uploads.hold(id, to);
  if (upload === null || upload === "busy") return false;
  try {
    if (!(await isTaken(upload, blobs, { from, digest, sizeBytes, onBytes }))) return false;
    if ((await upload.digest(algorithmOf(digest))) !== digest) return false;
    await upload.finish(to, digest);
    return true;
  } finally {
    await upload.discard();
    await upload.close();
  }
}

const unlimited: AppendLimits = { uploadBytesMax: null };

interface Content {
  readonly from: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly onBytes: Source["onBytes"];
}

/** False where it was removed meanwhile. */
async function isTaken(upload: HeldUpload, blobs: BlobStore, content: Content): Promise<boolean> {
  try {
    await appendAll(upload, blobs, content);
    return true;
  } catch (error) {
    const isGone = error instanceof ContentGone;
    if (isGone || (error as { code?: unknown } | null)?.code === "ENOENT") return false;
    throw error;
  }
}

async function appendAll(upload: HeldUpload, blobs: BlobStore, content: Content): Promise<void> {
  const { from, digest, sizeBytes, onBytes } = content;
  for (let first = 0; first < sizeBytes; first += sliceBytes) {
    const last = Math.min(first + sliceBytes, sizeBytes) - 1;
    const body = await bytesOf(await blobs.open(from, digest, { first, last }));
    await upload.append({ body, lengthBytes: body.length }, unlimited);
    onBytes?.(body.length);
  }
}

async function bytesOf(content: OpenContent): Promise<Uint8Array> {
  switch (content.kind) {
    case "bytes":
      return content.bytes;
    case "blob":
      return content.blob.bytes();
    case "stream":
      return new Uint8Array(Buffer.concat(await Array.fromAsync(content.stream)));
    case "redirect":
      break;
  }
  throw new Error("storage: content that is copied between stores is read, never redirected");
}
