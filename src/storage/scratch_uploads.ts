/**
 * The contract of a place on this machine where uploads grow whose bytes become content elsewhere, as those of a store of
 * objects do.
 */
import type { Room } from "./blob_store.ts";
import type { HeldUpload, UploadStore } from "./upload_store.ts";

/** Bytes to be sent, which nobody changes meanwhile. */
export interface WholeBody {
  readonly sizeBytes: number;
  /** From a position on, up to another one. */
  slice(first: number, end: number): Uint8Array | Blob;
}

export interface ScratchUpload extends Omit<HeldUpload, "finish"> {
  /** All bytes held; good while nothing is done with the upload. */
  whole(): Promise<WholeBody>;
  /** They are content elsewhere: the upload takes no more (`HeldUpload.finished`), whoever holds it. */
  seal(): Promise<void>;
}

export interface ScratchUploads extends Omit<UploadStore, "hold" | "room"> {
  hold(id: string, repository: string | null): Promise<ScratchUpload | "busy" | null>;
}

export interface Scratch {
  readonly uploads: ScratchUploads;
  /** Makes the directories that are needed; once for a root, before anything else. */
  prepare(): Promise<void>;
  /** As of `BlobStore`. */
  removeLeftovers(ageMs: number): Promise<number>;
  room(): Promise<Room>;
  probe(): Promise<void>;
  close(): Promise<void>;
}
