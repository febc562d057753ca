/** Bytes of an upload session as a file of this machine: one that it has already, or one that is read from the store. */
import { must } from "../../lib/assert.ts";
import type { ScratchUpload } from "../scratch_uploads.ts";
import type { SessionPart, UploadSession, UploadSessions } from "../upload_sessions.ts";
import { ObjectStoreRefused, ObjectStoreUnavailable } from "./object_store.ts";
import type { ObjectPlace } from "./write_object.ts";

export interface SharedPlace extends ObjectPlace {
  readonly sessions: UploadSessions;
}

/** A file of a session on this machine, under a name that is never given twice. */
export interface SessionFile {
  readonly file: string;
  readonly upload: ScratchUpload;
}

export interface SessionFiles {
  /** Null where this machine has no such file. */
  open(file: string): Promise<SessionFile | null>;
  make(): Promise<SessionFile>;
}

/** A file of this machine, and the position of its first byte in the upload. */
export interface LocalFile extends SessionFile {
  readonly base: number;
}

/** One with all bytes of an upload; null where it is not here, or has fewer. */
export async function openLocalFile(
  files: SessionFiles,
  file: string,
  sizeBytes: number,
): Promise<LocalFile | null> {
  const found = await files.open(file);
  if (found === null) return null;
  // Behind what was noted are bytes of a request that ended without a word.
  if (found.upload.sizeBytes >= sizeBytes) {
    if (!found.upload.finished) await found.upload.truncate(sizeBytes);
    return { ...found, base: 0 };
  }
  await found.upload.discard();
  await found.upload.close();
  return null;
}

/** A new file, with what comes behind the parts. */
export async function fetchLocalFile(
  place: SharedPlace,
  files: SessionFiles,
  session: Pick<UploadSession, "sizeBytes" | "parts" | "tail">,
): Promise<LocalFile> {
  const base = bytesOf(session.parts?.stored ?? []);
  const made = await files.make();
  try {
    if (session.sizeBytes > base) {
      const { key } = must(session.tail, "what is stored behind the parts is the tail");
      await fetchObject(place, key, { upload: made.upload, lengthBytes: session.sizeBytes - base });
    }
    return { ...made, base };
  } catch (error) {
    await made.upload.discard();
    await made.upload.close();
    throw error;
  }
}

async function fetchObject(
  { store }: SharedPlace,
  key: string,
  { upload, lengthBytes }: { readonly upload: ScratchUpload; readonly lengthBytes: number },
): Promise<void> {
  const stream = await store.get(key, { first: 0, last: lengthBytes - 1 });
  if (stream === null) throw new ObjectStoreRefused(`${key} of an upload is gone`);
  const body = new Request("http://localhost/", { method: "PUT", body: stream });
  const { appendedBytes } = await upload.append({ body, lengthBytes }, { uploadBytesMax: null });
  if (appendedBytes === lengthBytes) return;
  throw new ObjectStoreUnavailable(`${key} ended after ${appendedBytes} of ${lengthBytes} bytes`);
}

export function bytesOf(parts: readonly SessionPart[]): number {
  return parts.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}
