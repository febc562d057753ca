/**
 * The bytes of one blob on their way from a source to a target: read again where the source broke off, and proven.
 *
 * The last bytes come only after digest and size were found right, so that a target which has them all has the right
 * ones. Wrong bytes end the reading with an error.
 */
import { MiB } from "../lib/bytes.ts";
import { ClientError } from "../client/client_error.ts";
import { algorithmOf, newHasher, type Digest, type Hasher } from "../oci/digest.ts";
import {
  TransferError,
  WrongBytes,
  type NamedBlob,
  type OpenBlob,
  type ProvenContent,
  type ReadOptions,
} from "./image_place.ts";
import { isPassing, pause, type Retries } from "./retries.ts";

export interface BlobSource {
  readonly label: string;
  blob(digest: Digest, options: ReadOptions): Promise<OpenBlob | null>;
}

/** A hash state is kept each time so many bytes were read, to go on from after a target broke off. */
const snapshotBytes = 16 * MiB;
const snapshotsMax = 64;

interface Snapshot {
  readonly atByte: number;
  readonly hasher: Hasher;
}

export class BlobContent implements ProvenContent {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly #source: BlobSource;
  readonly #retries: Retries;
  readonly #onBytes: (bytes: number) => void;
  #snapshots: Snapshot[];
  #failure: unknown = null;

  constructor(
    blob: NamedBlob,
    from: { source: BlobSource; retries: Retries; onBytes?: (bytes: number) => void },
  ) {
    this.digest = blob.digest;
    this.sizeBytes = blob.sizeBytes;
    this.#source = from.source;
    this.#retries = from.retries;
    this.#onBytes = from.onBytes ?? (() => {});
    this.#snapshots = [{ atByte: 0, hasher: newHasher(algorithmOf(blob.digest)) }];
  }

  get failure(): unknown {
    return this.#failure;
  }

  async *from(fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const start = this.#snapshots.findLast(({ atByte }) => atByte <= fromByte);
    if (start === undefined) throw new Error("Every blob can be read from its first byte");
    let skip = fromByte - start.atByte;
    for await (const piece of this.#read(start.atByte, start.hasher.copy())) {
      const part = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - part.length;
      if (part.length > 0) yield part;
    }
  }

  async *after(held: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const hasher = newHasher(algorithmOf(this.digest));
    let atByte = 0;
    for await (const piece of held) {
      hasher.update(piece);
      atByte += piece.length;
    }
    if (atByte > this.sizeBytes) throw this.#wrong(`is longer than ${this.sizeBytes} bytes`);
    yield* this.#read(atByte, hasher);
  }

  async *#read(fromByte: number, hasher: Hasher): AsyncGenerator<Uint8Array, void, void> {
    this.#failure = null;
    try {
      yield* this.#proven(fromByte, hasher);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async *#proven(fromByte: number, hasher: Hasher): AsyncGenerator<Uint8Array, void, void> {
    let atByte = fromByte;
    let failures = 0;
    let last: Uint8Array | null = null;
    while (last === null) {
      try {
        for await (const piece of this.#open(atByte)) {
          if (last !== null) throw this.#wrong(`is longer than ${this.sizeBytes} bytes`);
          atByte += piece.length;
          failures = 0;
          if (atByte > this.sizeBytes) throw this.#wrong(`is longer than ${this.sizeBytes} bytes`);
          hasher.update(piece);
          this.#onBytes(piece.length);
          if (atByte === this.sizeBytes) last = piece;
          else {
            this.#keep(atByte, hasher);
            yield piece;
          }
        }
        if (last === null && atByte === this.sizeBytes) last = new Uint8Array(0);
        if (last === null) throw this.#short(atByte);
      } catch (error) {
        if (last !== null && isPassing(error)) break; // The end of the answer alone is missing.
        failures += 1;
        if (failures >= this.#retries.attemptsMax || !isPassing(error)) throw ofSource(error);
        await pause(this.#retries, failures, error);
      }
    }
    if (hasher.digest() !== this.digest) throw this.#wrong("does not have its digest");
    if (last !== null && last.length > 0) yield last;
  }

  /** The source's bytes from there on, whatever it sends before them. */
  async *#open(fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const { signal } = this.#retries;
    signal.throwIfAborted();
    const open = await this.#source.blob(this.digest, { fromByte, signal });
    if (open === null) {
      throw new TransferError(`${this.#source.label}: blob ${this.digest} is not there`);
    }
    let skip = fromByte - open.fromByte;
    for await (const piece of open.body) {
      signal.throwIfAborted();
      const part = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - part.length;
      if (part.length > 0) yield part;
    }
  }

  #keep(atByte: number, hasher: Hasher): void {
    const newest = this.#snapshots.at(-1)?.atByte ?? 0;
    if (atByte - newest < snapshotBytes || this.#snapshots.length >= snapshotsMax) return;
    this.#snapshots.push({ atByte, hasher: hasher.copy() });
  }

  #wrong(what: string): WrongBytes {
    return new WrongBytes(`${this.#source.label}: blob ${this.digest} ${what}`);
  }

  #short(atByte: number): TransferError {
    const what = `ended after ${atByte} of ${this.sizeBytes} bytes`;
    return new TransferError(`${this.#source.label}: blob ${this.digest} ${what}`, {
      isPassing: true,
    });
  }
}

/** A client's error would pass for one of the target, which reads this as the body of its request. */
function ofSource(error: unknown): unknown {
  return error instanceof ClientError ? new TransferError(error.message, { cause: error }) : error;
}
