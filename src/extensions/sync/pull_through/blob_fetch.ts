/**
 * One blob on its way from an upstream, as this process sees it: it downloads, or follows who does.
 *
 * The download is an upload under the name of its digest, which all processes of the server see. Whoever holds it is the
 * leader and downloads; everybody else reads the growing bytes. When a leader ends, or is killed, the next one goes on
 * where the bytes end. They count once all of them have the digest: only then the last of them are handed out. The leader's
 * own readers have them while the blob is flushed and becomes one of the repository, readers in other processes afterwards.
 */
import type { Clock } from "../../../lib/clock.ts";
import type { Registry } from "../../../registry/registry.ts";
import { resolveBlob } from "../../../registry/resolve.ts";
import type { OpenContent } from "../../../storage/blob_store.ts";
import {
  fetchIdOf,
  type FollowedUpload,
  type HeldUpload,
  type UploadStore,
} from "../../../storage/upload_store.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { DownloadStopped, downloadInto, type DownloadWatch } from "./download.ts";
import { heldBackBytes, type FetchedBlob } from "./fetched_blob.ts";
import type { FetchTicks } from "./fetch_ticks.ts";
import { hasOwn } from "./link_cached.ts";
import { publishFetched } from "./publish_fetched.ts";

/** Leaders that end one after the other without a byte; then nobody else tries for this request. */
const leadersMax = 3;
/** How often a follower looks at the counter of its download, and at the lock of one that does not move. */
const lookMinMs = 10;
const lookMaxMs = 100;
const lockLookMs = 300;

export interface FetchParts {
  readonly registry: Registry;
  readonly uploads: UploadStore;
  readonly ticks: FetchTicks;
  readonly watch: DownloadWatch;
}

/**
 * Downloads have names of their own among uploads: one for a blob of one repository and its upstream, as large as its
 * manifest says. Whoever names the digest elsewhere follows no download of this one, and ends none; a manifest that lies
 * about a size breaks its own alone.
 */
function fetchId({ repository, digest, sizeBytes }: FetchedBlob, host: string): string {
  const place = Bun.hash.xxHash64(`${host} ${repository}`).toString(36);
  return fetchIdOf(`${digest.replace(":", "-")}.${sizeBytes ?? "any"}.${place}`);
}

export class BlobFetch {
  readonly blob: FetchedBlob;
  /** Resolves when the blob is in the repository. */
  readonly done: Promise<void>;
  /** Resolves once bytes are known to come. */
  readonly begun: Promise<void>;
  readonly #parts: FetchParts;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #begin = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  #followed: FollowedUpload | null = null;
  /** Bytes that followers may read, but for those that are held back. */
  #hereBytes = 0;
  #sizeBytes: number | null;
  #state: "arriving" | "whole" | "failed" = "arriving";
  /** All bytes are here and have the digest: none is held back, though they are not a blob of the repository yet. */
  #verified = false;
  #failure: unknown = null;
  #waiting: (() => void)[] = [];
  #readers = 0;
  #endedLeaders = 0;
  #closing: Promise<void> | null = null;

  constructor(blob: FetchedBlob, parts: FetchParts) {
    this.blob = blob;
    this.#parts = parts;
    this.#clock = parts.registry.clock;
    this.#id = fetchId(blob, this.#host);
    this.#sizeBytes = blob.sizeBytes;
    this.begun = this.#begin.promise;
    this.done = this.#run();
    // Who waits for neither is told by the stream.
    this.begun.catch(() => {});
    this.done.catch(() => {});
  }

  /** Of all of it; null while nobody knows. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  get isArriving(): boolean {
    return this.#state === "arriving";
  }

  /** How far the download is. */
  get hereBytes(): number {
    return this.#hereBytes;
  }

  /** A reader comes; call what is returned when it has gone. */
  enter(): () => void {
    this.#readers += 1;
    let gone = false;
    return () => {
      if (gone) return;
      gone = true;
      this.#readers -= 1;
      if (this.#readers === 0) this.#abandoned();
    };
  }

  /** Bytes from a position that may be handed out; none at the end. Waits for the first of them. @throws what failed. */
  async read(position: number, bytesMax: number): Promise<Uint8Array> {
    for (;;) {
      const end = this.#readableBytes();
      if (position < end && this.#followed !== null) {
        return this.#followed.read(position, Math.min(bytesMax, end - position));
      }
      if (this.#state === "whole") return this.#readBlob(position, bytesMax);
      if (this.#state === "failed") throw this.#failure;
      await this.#change();
    }
  }

  /** For what another process made a blob before this one had any of it. */
  async #readBlob(position: number, bytesMax: number): Promise<Uint8Array> {
    const { repository, digest } = this.blob;
    const { registry } = this.#parts;
    const { found } = await resolveBlob(registry, repository, digest);
    if (found === null) throw this.#broken("sent a blob that was removed again here");
    const { sizeBytes } = found;
    if (position >= sizeBytes) return new Uint8Array();
    const range = { first: position, last: Math.min(position + bytesMax, sizeBytes) - 1 };
    return joined(await registry.blobs.open(repository, digest, range));
  }

  /** Lets go of the bytes once nobody reads them. */
  async #release(): Promise<void> {
    if (this.#state === "arriving" || this.#readers > 0 || this.#closing !== null) return;
    this.#closing = this.#followed?.close() ?? Promise.resolve();
    await this.#closing;
  }

  #readableBytes(): number {
    if (this.#verified || this.#state === "whole") return this.#hereBytes;
    if (this.#sizeBytes === null) return Math.max(0, this.#hereBytes - heldBackBytes);
    return Math.max(0, Math.min(this.#hereBytes, this.#sizeBytes - heldBackBytes));
  }

  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #abandoned(): void {
    const [source] = this.blob.sources;
    if (this.#state === "arriving" && source?.mirror.onClientGone === "stop") this.#abort.abort();
    void this.#release();
  }

  async #run(): Promise<void> {
    try {
      await this.#untilWhole();
      this.#state = "whole";
      this.#begin.resolve();
    } catch (error) {
      this.#state = "failed";
      this.#failure = error;
      this.#tell(error);
      this.#begin.reject(error);
      throw error;
    } finally {
      this.#wake();
      this.#parts.ticks.move(this.#id);
      void this.#release();
    }
  }

  /** Of a download that broke off when bytes of it had gone out: its clients get no other answer. */
  #tell(error: unknown): void {
    if (this.#hereBytes === 0 || error instanceof DownloadStopped) return;
    const { repository, digest } = this.blob;
    this.#parts.registry.report("warn", "a blob of an upstream could not be fetched", {
      repository,
      digest,
      problem: error instanceof Error ? error.message : String(error),
    });
  }

  async #untilWhole(): Promise<void> {
    const { uploads } = this.#parts;
    for (;;) {
      const held = await uploads.hold(this.#id, this.blob.repository);
      if (held === "busy") {
        if (await this.#follow()) return;
        continue;
      }
      if (held === null) {
        // What this process has handed out of is gone, and was not verified or became a blob.
        if (this.#followed !== null && (await this.#conclude())) return;
        await this.#create();
        continue;
      }
      try {
        // Another process may have made it a blob between the look at the metadata and now.
        if (await this.#isHere()) await held.discard();
        else await this.#lead(held);
        return;
      } finally {
        await held.close();
      }
    }
  }

  /** Another process may be as fast. */
  async #create(): Promise<void> {
    await this.#parts.uploads.create(this.#id, this.blob.repository).catch((error: unknown) => {
      if (!isThereAlready(error)) throw error;
    });
  }

  async #lead(held: HeldUpload): Promise<void> {
    await this.#open();
    const { registry, ticks, watch } = this.#parts;
    this.#grown(held.sizeBytes);
    await downloadInto(held, this.blob, {
      registry,
      watch,
      signal: this.#abort.signal,
      onBegun: (sizeBytes) => {
        this.#sizeBytes ??= sizeBytes;
        this.#begin.resolve();
      },
      onGrown: (bytes) => {
        ticks.move(this.#id);
        this.#grown(bytes);
      },
    });
    this.#sizeBytes = held.sizeBytes;
    this.#hereBytes = held.sizeBytes;
    // Flushing a large blob takes long, and tells nobody who reads it anything.
    this.#verified = true;
    this.#wake();
    await publishFetched(registry, held, this.blob);
    await held.discard();
  }

  /** Follows who leads until that ends; true when the blob is whole. */
  async #follow(): Promise<boolean> {
    await this.#open();
    const { ticks } = this.#parts;
    let pauseMs = lookMinMs;
    let tick = ticks.read(this.#id);
    let quietMs = 0;
    for (;;) {
      const followed = this.#followed;
      if (followed === null) return false;
      if (!followed.isThere()) return this.#conclude();
      this.#grown(followed.sizeBytes());
      if (this.#hereBytes > 0) this.#begin.resolve();
      await this.#clock.sleep(pauseMs);
      const now = ticks.read(this.#id);
      quietMs = now === tick ? quietMs + pauseMs : 0;
      pauseMs = now === tick ? Math.min(pauseMs * 2, lookMaxMs) : lookMinMs;
      tick = now;
      // Whoever led may be dead, which only its lock tells.
      if (quietMs >= lockLookMs) return false;
    }
  }

  /**
   * The download is gone: it became a blob, or it was wrong. False where whoever led had no byte of it: that one's
   * trouble need not be ours.
   */
  async #conclude(): Promise<boolean> {
    const sizeBytes = this.#followed?.sizeBytes() ?? 0;
    if (await this.#isHere()) {
      this.#sizeBytes = sizeBytes;
      this.#hereBytes = sizeBytes;
      return true;
    }
    this.#endedLeaders += 1;
    if (sizeBytes > 0 || this.#hereBytes > 0 || this.#endedLeaders > leadersMax) {
      throw this.#broken("sent content that does not have its digest");
    }
    await this.#followed?.close();
    this.#followed = null;
    return false;
  }

  /** Whether the repository has the blob. */
  #isHere(): Promise<boolean> {
    return hasOwn(this.#parts.registry, this.blob);
  }

  async #open(): Promise<void> {
    this.#followed ??= await this.#parts.uploads.follow(this.#id, this.blob.repository);
  }

  #grown(bytes: number): void {
    if (bytes <= this.#hereBytes) return;
    this.#hereBytes = bytes;
    this.#wake();
  }

  #broken(words: string): UpstreamTrouble {
    return new UpstreamTrouble("broken", this.#host, { words });
  }

  get #host(): string {
    return this.blob.sources[0]?.mirror.upstream.host ?? "upstream";
  }
}

/** The bytes of a small part of content. */
async function joined(content: OpenContent): Promise<Uint8Array> {
  if (content.kind === "bytes") return content.bytes;
  if (content.kind === "redirect") throw new Error("mirror: content that lies elsewhere");
  const parts: Uint8Array[] = [];
  const stream = content.kind === "blob" ? content.blob.stream() : content.stream;
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function isThereAlready(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
