/**
 * Upload sessions: bytes that grow over several requests until a digest names them.
 *
 * Promises: a session belongs to one repository, under an id that cannot be guessed; two requests on one
 * session never interleave (the second is told that it is busy, and the session survives); what a
 * status says is what is on disk; a chunk that does not fit is refused without a byte kept; a session
 * survives restarts and moves between processes, because nothing of it is kept in memory.
 * Leaves to others: HTTP, permissions, and recording the blob as a fact (`registry`).
 */
import { createHash } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import type { Algorithm, Digest } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import type { AppendOptions, ByteSource, Driver, Stage, StageInfo } from "./driver.ts";
import { StagePublished, StageTooLarge } from "./driver.ts";
import { OpenUploads } from "./open_uploads.ts";

/** A session that was opened and never used goes after this. */
const emptyIdleMs = 60 * 60_000;

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Where the next byte goes and where a chunk says that it belongs. */
export interface Chunk {
  readonly first: number;
  readonly last: number;
}

export interface AppendRequest {
  readonly source: ByteSource;
  /** The position that `Content-Range` claims; null for a plain stream. */
  readonly chunk: Chunk | null;
  readonly options: AppendOptions;
  /** Hears how many bytes of the source came, also when they do not fit and are dropped again. */
  readonly onTaken?: (bytes: number) => void;
}

export class Uploads {
  readonly #driver: Driver;
  readonly #open: OpenUploads;

  constructor(driver: Driver, clock: Clock) {
    this.#driver = driver;
    this.#open = new OpenUploads(driver, clock);
  }

  /**
   * Opens a session and returns its id. `owner` is whom it belongs to; empty for anonymous callers. `caller` is who
   * may have so many of them. @throws TOO_MANY_REQUESTS, UNAVAILABLE.
   */
  async start(repository: string, owner = "", caller = owner): Promise<string> {
    const id = await this.#open.newId(caller);
    await this.#driver.createStage(stageId(repository, id, owner));
    return id;
  }

  /** Bytes held; null when the owner has no such session in the repository. */
  async size(repository: string, id: string, owner = ""): Promise<number | null> {
    if (!idPattern.test(id)) return null;
    return (await this.#driver.statStage(stageId(repository, id, owner)))?.sizeBytes ?? null;
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
    const stage = await this.#driver.openStage(stageId(repository, id, owner));
    if (stage === null) throw apiError("UPLOAD_UNKNOWN");
    if (stage === "busy") {
      throw apiError("UPLOAD_BUSY", {
        message: "Another request is writing to this upload; ask its status and go on from there",
      });
    }
    try {
      return await work(new HeldUpload(stage));
    } finally {
      await stage.close();
    }
  }

  /**
   * Removes sessions that nobody touched for `idleMs`, or sooner where they hold nothing, and that nobody holds;
   * returns how many.
   */
  async expire(now: number, idleMs: number): Promise<number> {
    let removed = 0;
    const isIdle = ({ changedAt, sizeBytes }: StageInfo): boolean =>
      now - changedAt >= (sizeBytes === 0 ? Math.min(idleMs, emptyIdleMs) : idleMs);
    for await (const info of this.#driver.stages()) {
      if (!isIdle(info)) continue;
      const { id } = info;
      const stage = await this.#driver.openStage(id);
      if (stage === null || stage === "busy") continue;
      try {
        // Somebody may have written to it since it was listed: only what its holder sees counts.
        const found = await this.#driver.statStage(id);
        if (found === null || !isIdle(found)) continue;
        await stage.discard();
        removed += 1;
      } finally {
        await stage.close();
      }
    }
    return removed;
  }
}

/** A session while one request holds it. */
export class HeldUpload {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get sizeBytes(): number {
    return this.#stage.sizeBytes;
  }

  /**
   * Refuses to go on where bytes that were acknowledged are gone, as after a crash of the machine: what a sender adds
   * would land in the wrong place. @throws UPLOAD_RANGE.
   */
  requireBytes(acknowledgedBytes: number): void {
    const { sizeBytes } = this.#stage;
    if (sizeBytes >= acknowledgedBytes) return;
    throw apiError("UPLOAD_RANGE", {
      message:
        `The upload has ${sizeBytes} of the ${acknowledgedBytes} bytes that were acknowledged: ` +
        `the machine crashed in between; go on from byte ${sizeBytes}`,
    });
  }

  /**
   * Adds a request's bytes and returns the new size.
   * A chunk must begin where the session ends and be as long as it says; else nothing of it is kept. A plain
   * stream that breaks off keeps what came [end-5].
   * @throws UPLOAD_RANGE, SIZE_INVALID, UPLOAD_TOO_LARGE, UPLOAD_INVALID, StorageFull.
   */
  async append(request: AppendRequest): Promise<{ sizeBytes: number; brokenOff: boolean }> {
    const before = this.#stage.sizeBytes;
    this.#checkChunk(request);
    const { appendedBytes, brokenOff } = await this.#take(request);
    request.onTaken?.(appendedBytes);
    const { chunk } = request;
    if (chunk !== null && appendedBytes !== chunk.last - chunk.first + 1) {
      await this.goBack(before);
      throw apiError("SIZE_INVALID", {
        message: `Content-Range names ${chunk.last - chunk.first + 1} bytes, the body had ${appendedBytes}`,
      });
    }
    return { sizeBytes: this.#stage.sizeBytes, brokenOff };
  }

  /**
   * Undoes the appends of a request that failed, so that it can be repeated as it was. Bytes that are content by now
   * stay: of them a repeated request takes note, and adds nothing.
   */
  async goBack(sizeBytes: number): Promise<void> {
    if (!this.#stage.published) await this.#stage.truncate(sizeBytes);
  }

  digest(algorithm: Algorithm): Promise<Digest> {
    return this.#stage.digest(algorithm);
  }

  /** Whether a blob that is there is byte for byte this one. */
  compare(key: string): Promise<"equal" | "different" | "absent"> {
    return this.#stage.compare(key);
  }

  publish(key: string): Promise<void> {
    return this.#stage.publish(key);
  }

  discard(): Promise<void> {
    return this.#stage.discard();
  }

  #checkChunk({ chunk, source }: AppendRequest): void {
    if (chunk === null) return;
    const { sizeBytes, published } = this.#stage;
    const length = chunk.last - chunk.first + 1;
    // What is complete can only be sent once more.
    const next = published ? sizeBytes - length : sizeBytes;
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

  async #take({ source, options }: AppendRequest) {
    try {
      return await this.#stage.append(source, options);
    } catch (error) {
      if (error instanceof StageTooLarge) {
        throw apiError("UPLOAD_TOO_LARGE", { message: error.message, cause: error });
      }
      if (!(error instanceof StagePublished)) throw error;
      // An earlier request came as far as naming the bytes, and was not acknowledged.
      throw apiError("UPLOAD_INVALID", {
        message:
          "This upload is complete: close it under its digest, without a body or with the last one again, or cancel it",
        cause: error,
      });
    }
  }
}

/**
 * The stage of a session: its id, its repository and its owner in one name, so that a session asked for under another
 * repository, or by somebody else, is simply not there.
 */
function stageId(repository: string, id: string, owner: string): string {
  // No repository name holds a blank, so that the two cannot be taken for another pair.
  const place = owner === "" ? repository : `${repository} ${owner}`;
  return `${id}.${createHash("sha256").update(place).digest("hex").slice(0, 16)}`;
}
