// What the tests of stores work with: stores under test, bytes that show every mistake, and uploads at hand.

import type { manualClock } from "../../src/lib/clock.ts";
import type { LocalStores, Stores } from "../../src/storage/stores.ts";
import type {
  AppendLimits,
  ByteSource,
  HeldUpload,
  UploadStore,
} from "../../src/storage/upload_store.ts";

/** Stores under test, on a place of their own. */
export interface OpenStores extends AsyncDisposable {
  readonly stores: LocalStores;
  /** False for a store that takes nothing but verified bytes, which nobody can change. */
  readonly comparesBytes: boolean;
  readonly clock: ReturnType<typeof manualClock>;
  /** Opens the same place once more, as another worker would; closed with this one. */
  readonly another: () => Stores;
  /** Null where no other process can see the place. */
  readonly elsewhere: OtherProcess | null;
}

export interface OtherProcess {
  /** Holds an upload in another process until `release`, or until that process is killed. */
  readonly hold: (id: string) => Promise<{
    readonly kill: () => Promise<void>;
    readonly release: () => Promise<void>;
  }>;
  /** The digest that another process finds for an upload. */
  readonly digest: (id: string, algorithm: string) => Promise<string>;
}

export type OpenEmptyStores = () => Promise<OpenStores>;

/** The repository of every upload at hand. */
export const uploadsTo = "team/app";

export const unlimited: AppendLimits = { uploadBytesMax: null };

/** Bytes that differ at every place that a mistake may shift them to; equal seeds give equal bytes. */
export function sample(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2_654_435_761;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { body: bytes, lengthBytes: bytes.length };
}

/** Holds an upload that must be free. */
export async function held(
  uploads: UploadStore,
  id: string,
): Promise<HeldUpload & AsyncDisposable> {
  const upload = await uploads.hold(id, uploadsTo);
  if (upload === null || upload === "busy")
    throw new Error(`upload ${id} is ${upload ?? "absent"}`);
  return Object.assign(upload, { [Symbol.asyncDispose]: () => upload.close() });
}

/** A new upload that holds these bytes. */
export async function uploaded(uploads: UploadStore, id: string, bytes: Uint8Array): Promise<void> {
  await uploads.create(id, uploadsTo);
  await using upload = await held(uploads, id);
  await upload.append(bytesSource(bytes), unlimited);
}

/** All bytes of content; null when there is none. */
export function readBlob(
  { blobs }: Stores,
  repository: string,
  digest: Parameters<Stores["blobs"]["read"]>[1],
): Promise<Uint8Array | null> {
  return blobs.read(repository, digest, 100_000_000);
}
