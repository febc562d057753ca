/**
 * Downloads a blob into an upload that this process holds: goes on where its bytes end, from one upstream after the
 * other, and verifies all of it.
 *
 * What comes is written while more comes, and the upstream waits when writing does. An upstream that sends the whole
 * again is read up to where the bytes end. Bytes that are wrong are discarded.
 */
import { MiB } from "../../../lib/bytes.ts";
import { algorithmOf } from "../../../oci/digest.ts";
import type { Registry } from "../../../registry/registry.ts";
import type { HeldUpload } from "../../../storage/upload_store.ts";
import type { UpstreamBlob } from "../upstream/upstream.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import type { FetchedBlob } from "./fetched_blob.ts";
import type { MirroredName } from "./mirror.ts";
import { worst } from "./upstream_answers.ts";

/** Bytes that wait while others are being written. */
const waitingBytesMax = MiB;
/** Bytes after which the digest is brought up to date. */
const digestedBytes = 8 * MiB;
/** Downloads that may break one after the other without a new byte, at one upstream. */
const triesMax = 3;
const retryMs = 200;

export interface DownloadWatch {
  /** Bytes came from an upstream. */
  received(host: string, bytes: number): void;
  /** An upstream sent what does not have its digest. */
  mismatch(host: string, digest: string): void;
  /** Whether it did so lately. */
  isBad(host: string, digest: string): boolean;
}

export interface DownloadParts {
  readonly registry: Registry;
  readonly watch: DownloadWatch;
  readonly signal: AbortSignal;
  /** The upstream has it: its bytes come. */
  readonly onBegun: (sizeBytes: number | null) => void;
  /** So many bytes can be read. */
  readonly onGrown: (bytes: number) => void;
}

/** Resolves when all bytes are in the upload and have the digest. @throws UpstreamTrouble, StorageFull. */
export async function downloadInto(
  held: HeldUpload,
  blob: FetchedBlob,
  parts: DownloadParts,
): Promise<void> {
  const troubles: UpstreamTrouble[] = [];
  const good = blob.sources.filter(
    ({ mirror }) => !parts.watch.isBad(mirror.upstream.host, blob.digest),
  );
  // The name of a download is that of its content: another process may have discarded the last one that had it.
  held.digestAnew();
  if (held.sizeBytes > 0) held.digestAhead(algorithmOf(blob.digest));
  for (const source of good.length > 0 ? good : blob.sources) {
    try {
      if (await downloadFrom(held, source, blob, parts))
        return await verify(held, source, blob, parts);
      const words = `has no blob ${blob.digest} of ${source.name}`;
      troubles.push(
        new UpstreamTrouble("broken", source.mirror.upstream.host, { words, status: 404 }),
      );
    } catch (error) {
      if (!(error instanceof UpstreamTrouble) || error.kind === "wrong-digest") {
        await discardWrong(held, error);
        throw error;
      }
      troubles.push(error);
    }
  }
  // Nobody is told of a download that has nothing.
  if (held.sizeBytes === 0) await held.discard();
  throw worst(troubles) ?? new Error("mirror: a blob has an upstream");
}

async function discardWrong(held: HeldUpload, error: unknown): Promise<void> {
  // A full disk gets its space back; a client that left comes again.
  if (!(error instanceof DownloadStopped)) await held.discard();
}

/** Nobody reads it any more. */
export class DownloadStopped extends Error {
  override readonly name = "DownloadStopped";
}

/** False: the upstream does not have it. */
async function downloadFrom(
  held: HeldUpload,
  source: MirroredName,
  blob: FetchedBlob,
  parts: DownloadParts,
): Promise<boolean> {
  const { upstream } = source.mirror;
  let tries = 0;
  let etag: string | null = null;
  while (held.sizeBytes !== blob.sizeBytes) {
    const fromByte = held.sizeBytes;
    try {
      if (parts.signal.aborted) throw new DownloadStopped();
      const got: UpstreamBlob | null = await upstream.getBlob(source.name, blob.digest, {
        fromByte,
        ...(etag === null || fromByte === 0 ? {} : { ifRange: etag }),
        signal: parts.signal,
      });
      if (got === null) return false;
      ({ etag } = got);
      await take(held, got, { source, blob, parts });
      return true;
    } catch (error) {
      if (parts.signal.aborted) throw new DownloadStopped();
      if (!(error instanceof UpstreamTrouble) || !mayResume(error, held.sizeBytes)) throw error;
      tries = held.sizeBytes > fromByte ? 1 : tries + 1;
      if (tries >= triesMax) throw error;
      await parts.registry.clock.sleep(retryMs * tries, parts.signal);
    }
  }
  return true;
}

/** What another request may mend at once: a body that broke, or fell silent. */
function mayResume({ kind, status }: UpstreamTrouble, hereBytes: number): boolean {
  if (kind === "broken") return status === null || status < 400;
  return hereBytes > 0 && (kind === "silent" || kind === "unreachable");
}

interface Taking {
  readonly source: MirroredName;
  readonly blob: FetchedBlob;
  readonly parts: DownloadParts;
}

/** Takes the body of one answer. */
async function take(held: HeldUpload, got: UpstreamBlob, taking: Taking): Promise<void> {
  const { source, blob, parts } = taking;
  const { host } = source.mirror.upstream;
  const expected = blob.sizeBytes;
  if (expected !== null && got.sizeBytes !== null && got.sizeBytes !== expected) {
    got.close();
    throw wrong(
      taking,
      `says that ${blob.digest} has ${got.sizeBytes} bytes; its manifest says ${expected}`,
    );
  }
  parts.onBegun(got.sizeBytes);
  let skippedBytes = held.sizeBytes - got.fromByte;
  if (skippedBytes < 0) {
    got.close();
    throw wrong(taking, `sent ${blob.digest} from a later byte than it was asked for`);
  }
  const writer = new Writer(held, parts.onGrown, algorithmOf(blob.digest));
  let total = held.sizeBytes;
  try {
    for await (const part of got.body) {
      parts.watch.received(host, part.length);
      const bytes = skippedBytes === 0 ? part : part.subarray(Math.min(skippedBytes, part.length));
      skippedBytes -= part.length - bytes.length;
      if (bytes.length === 0) continue;
      total += bytes.length;
      if (expected !== null && total > expected) {
        throw wrong(taking, `sent more than the ${expected} bytes of ${blob.digest}`);
      }
      await writer.write(bytes);
    }
  } finally {
    await writer.end();
    got.close();
  }
  if (expected !== null && held.sizeBytes < expected) {
    const words = `ended ${blob.digest} after ${held.sizeBytes} of ${expected} bytes`;
    throw new UpstreamTrouble("broken", host, { words });
  }
}

/** Writes what came while it waits for more. */
class Writer {
  readonly #held: HeldUpload;
  readonly #onGrown: (bytes: number) => void;
  readonly #algorithm: ReturnType<typeof algorithmOf>;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  #digestedBytes: number;

  constructor(
    held: HeldUpload,
    onGrown: (bytes: number) => void,
    algorithm: ReturnType<typeof algorithmOf>,
  ) {
    this.#held = held;
    this.#onGrown = onGrown;
    this.#algorithm = algorithm;
    this.#digestedBytes = held.sizeBytes;
  }

  /** Resolves when more may come. @throws what an earlier write failed with. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    // A copy: whoever reads the connection may use its buffer again.
    this.#waiting.push(bytes.slice());
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#writeAll();
    if (this.#waitingBytes >= waitingBytesMax) await this.#writing;
  }

  /** Resolves when all of it is written. @throws what a write failed with. */
  async end(): Promise<void> {
    await this.#writing;
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const [first = new Uint8Array(), ...others] = this.#waiting;
        const bytes =
          others.length === 0 ? first : Buffer.concat(this.#waiting, this.#waitingBytes);
        this.#waiting = [];
        this.#waitingBytes = 0;
        await this.#held.append(
          { body: bytes, lengthBytes: bytes.length },
          { uploadBytesMax: null },
        );
        this.#onGrown(this.#held.sizeBytes);
        if (this.#held.sizeBytes - this.#digestedBytes < digestedBytes) continue;
        this.#digestedBytes = this.#held.sizeBytes;
        this.#held.digestAhead(this.#algorithm);
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = null;
    }
  }
}

async function verify(
  held: HeldUpload,
  source: MirroredName,
  blob: FetchedBlob,
  parts: DownloadParts,
): Promise<void> {
  const { digest } = blob;
  const actual = await held.digest(algorithmOf(digest));
  if (actual === digest) return;
  throw wrong({ source, blob, parts }, `sent ${actual} for ${digest}`);
}

function wrong({ source, blob, parts }: Taking, words: string): UpstreamTrouble {
  const { host } = source.mirror.upstream;
  parts.watch.mismatch(host, blob.digest);
  return new UpstreamTrouble("wrong-digest", host, { words });
}
