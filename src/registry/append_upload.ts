/**
 * What a request may add to an upload: a chunk that begins where the session ends and has the length it claims, or a
 * plain stream. A rejected request leaves no bytes behind [end-5].
 */
import { apiError } from "../oci/errors.ts";
import {
  UploadFinished,
  UploadTooLarge,
  type AppendLimits,
  type AppendResult,
  type ByteSource,
  type HeldUpload,
} from "../storage/upload_store.ts";

/** Where a chunk says that it belongs, inclusive. */
export interface Chunk {
  readonly first: number;
  readonly last: number;
}

export interface AppendRequest extends AppendLimits {
  readonly source: ByteSource;
  /** The position that `Content-Range` claims; null for a plain stream. */
  readonly chunk: Chunk | null;
  /** Looks after the sender while its bytes are awaited, by how many have come; what it returns ends that. */
  readonly watch?: (arrivedBytes: () => Promise<number>) => () => void;
  /** Called with the number of bytes that came from the source, even if they do not fit and are dropped again. */
  readonly onTaken?: (bytes: number) => void;
}

/**
 * Adds a request's bytes. A chunk must begin where the session ends and be as long as it says; else nothing of it is
 * kept. A plain stream that breaks off keeps what came [end-5].
 * @throws UPLOAD_RANGE, SIZE_INVALID, UPLOAD_TOO_LARGE, UPLOAD_INVALID, StorageFull.
 */
export async function appendUpload(
  upload: HeldUpload,
  request: AppendRequest,
): Promise<AppendResult> {
  const before = upload.sizeBytes;
  const { chunk } = request;
  if (chunk !== null) checkChunk(upload, chunk, request.source);
  const result = await take(upload, request);
  request.onTaken?.(result.appendedBytes);
  if (chunk !== null && result.appendedBytes !== lengthOf(chunk)) {
    await goBack(upload, before);
    throw apiError("SIZE_INVALID", {
      message: `Content-Range names ${lengthOf(chunk)} bytes, the body had ${result.appendedBytes}`,
    });
  }
  return result;
}

/**
 * Refuses to go on where bytes that were acknowledged are gone, as after a crash of the machine: what a sender adds
 * would land in the wrong place. @throws UPLOAD_RANGE.
 */
export function requireBytes({ sizeBytes }: HeldUpload, acknowledgedBytes: number): void {
  if (sizeBytes >= acknowledgedBytes) return;
  throw apiError("UPLOAD_RANGE", {
    message:
      `The upload has ${sizeBytes} of the ${acknowledgedBytes} bytes that were acknowledged: ` +
      `the machine crashed in between; go on from byte ${sizeBytes}`,
  });
}

/**
 * Undoes the appends of a request that failed, so that it can be repeated as it was. Bytes that are content by now
 * stay: of them a repeated request takes note, and adds nothing.
 */
export async function goBack(upload: HeldUpload, sizeBytes: number): Promise<void> {
  if (!upload.finished) await upload.truncate(sizeBytes);
}

function lengthOf({ first, last }: Chunk): number {
  return last - first + 1;
}

function checkChunk({ sizeBytes, finished }: HeldUpload, chunk: Chunk, source: ByteSource): void {
  const length = lengthOf(chunk);
  // What is complete can only be sent once more.
  const next = finished ? sizeBytes - length : sizeBytes;
  if (chunk.first !== next) {
    throw apiError("UPLOAD_RANGE", {
      message: `Expected a chunk that starts at byte ${sizeBytes}, got one at ${chunk.first}`,
    });
  }
  if (source.lengthBytes !== null && source.lengthBytes !== length) {
    throw apiError("SIZE_INVALID", {
      message: `Content-Range names ${length} bytes, Content-Length says ${source.lengthBytes}`,
    });
  }
}

async function take(upload: HeldUpload, request: AppendRequest): Promise<AppendResult> {
  const end = request.watch?.(() => upload.arrivedBytes());
  try {
    return await upload.append(request.source, request);
  } catch (error) {
    if (error instanceof UploadTooLarge) {
      throw apiError("UPLOAD_TOO_LARGE", { message: error.message, cause: error });
    }
    if (!(error instanceof UploadFinished)) throw error;
    // An earlier request came as far as naming the bytes, and was not acknowledged.
    throw apiError("UPLOAD_INVALID", {
      message:
        "This upload is complete: close it under its digest, without a body or with the last one again, or cancel it",
      cause: error,
    });
  } finally {
    end?.();
  }
}
