/**
 * Upload sessions: bytes that grow over several requests until a digest names them.
 *
 * A session belongs to one repository and one user, under an id that cannot be guessed. Two requests on one session
 * never interleave: the second gets an error that the session is busy, and the session survives. It also survives
 * restarts and moves between processes, because nothing of it is kept in memory. `append_upload.ts` and `push_blob.ts`
 * work on its bytes, which are in `../storage/upload_store.ts`.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { apiError } from "../oci/errors.ts";
import {
  UploadTaken,
  type HeldUpload,
  type UploadInfo,
  type UploadStore,
} from "../storage/upload_store.ts";
import { OpenUploads } from "./open_uploads.ts";

/** A session that was opened and never used goes after this. */
const emptyIdleMs = 60 * 60_000;

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export class Uploads {
  readonly #store: UploadStore;
  readonly #open: OpenUploads;

  constructor(store: UploadStore, clock: Clock) {
    this.#store = store;
    this.#open = new OpenUploads(store, clock);
  }

  /**
   * Opens a session and returns its id. `owner` is whom it belongs to; empty for anonymous callers. `caller` is who
   * may have so many of them. @throws TOO_MANY_REQUESTS, UNAVAILABLE.
   */
  async start(repository: string, owner = "", caller = owner): Promise<string> {
    const id = await this.#open.newId(caller);
    await this.#store.create(storedId(repository, id, owner), repository);
    return id;
  }

  /** Chunks that are shorter cost more than they need, but for the last one; 0 where they do not. */
  get chunkBytesMin(): number {
    return this.#store.chunkBytesMin ?? 0;
  }

  /** Bytes held; null when the owner has no such session in the repository. */
  async size(repository: string, id: string, owner = ""): Promise<number | null> {
    if (!idPattern.test(id)) return null;
    return (await this.#store.stat(storedId(repository, id, owner), repository))?.sizeBytes ?? null;
  }

  /** How many are open. */
  async count(): Promise<number> {
    return (await this.#store.ids()).length;
  }

  /** Bytes that open uploads hold. */
  async bytes(): Promise<number> {
    let bytes = 0;
    for (const id of await this.#store.ids()) {
      bytes += (await this.#store.stat(id, null))?.sizeBytes ?? 0;
    }
    return bytes;
  }

  /** Whether any is open in the repository, whoever it belongs to. */
  async isOpenIn(repository: string): Promise<boolean> {
    const mark = `.${markOf(repository)}`;
    return (await this.#store.ids()).some((id) => id.includes(mark));
  }

  /**
   * Runs `work` as the only holder of the session.
   * @throws UPLOAD_UNKNOWN, UPLOAD_BUSY.
   */
  async hold<T>(
    repository: string,
    id: string,
    work: (upload: HeldUpload) => Promise<T>,
    owner = "",
  ): Promise<T> {
    if (!idPattern.test(id)) throw apiError("UPLOAD_UNKNOWN");
    const upload = await this.#store.hold(storedId(repository, id, owner), repository);
    if (upload === null) throw apiError("UPLOAD_UNKNOWN");
    if (upload === "busy") throw busy();
    try {
      return await closedAfter(upload, work);
    } catch (error) {
      throw error instanceof UploadTaken ? busy(error) : error;
    }
  }

  /** Removes what this machine has of sessions that went on elsewhere, or ended; returns how many. */
  async removeStale(): Promise<number> {
    return (await this.#store.removeStale?.()) ?? 0;
  }

  /**
   * Removes sessions that no request touched for `idleMs`, or sooner where they are empty, and none holds;
   * returns how many. A dry run only counts them.
   */
  async expire(
    now: number,
    idleMs: number,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): Promise<number> {
    let removed = 0;
    const isIdle = (info: UploadInfo | null): boolean =>
      info !== null &&
      now - info.changedAt >= (info.sizeBytes === 0 ? Math.min(idleMs, emptyIdleMs) : idleMs);
    for (const id of await this.#store.ids()) {
      if (!isIdle(await this.#store.stat(id, null))) continue;
      if (dryRun) {
        removed += 1;
        continue;
      }
      const upload = await this.#store.hold(id, null);
      if (upload === null || upload === "busy") continue;
      try {
        // Another request may have written to it since it was listed: only what its holder sees counts.
        if (!isIdle(await this.#store.stat(id, null))) continue;
        await upload.discard();
        removed += 1;
      } finally {
        await upload.close();
      }
    }
    return removed;
  }
}

/** Closing is part of the work: what it added may be stored only then. */
async function closedAfter<T>(
  upload: HeldUpload,
  work: (upload: HeldUpload) => Promise<T>,
): Promise<T> {
  try {
    return await work(upload);
  } finally {
    await upload.close();
  }
}

function busy(cause?: UploadTaken): Error {
  return apiError("UPLOAD_BUSY", {
    message: "Another request is writing to this upload; ask its status and go on from there",
    cause,
  });
}

/**
 * The id in the store: the session's, its repository and its owner in one name, so that a session asked for under
 * another repository, or by another user, is simply not there.
 */
function storedId(repository: string, id: string, owner: string): string {
  // No repository name holds a blank, so that the two cannot be taken for another pair.
  const mark = owner === "" ? "" : markOf(`${repository} ${owner}`);
  return `${id}.${markOf(repository)}${mark}`;
}

function markOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
