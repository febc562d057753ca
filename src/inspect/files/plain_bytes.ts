/**
 * The bytes of a layer as they are without its compression: gzip, zstd, or none. What it is follows from its first bytes,
 * since media types are only said. Everything that is read counts, so that a small layer cannot cost much.
 */
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { KiB, MiB } from "../../lib/bytes.ts";
import { LayerProblem } from "./layer_problem.ts";

/** Bytes of one layer without compression that may be so many times those of the layer, beyond `ratioFromBytes`. */
export const ratioMax = 300;
export const ratioFromBytes = 64 * MiB;
const chunkBytes = 256 * KiB;
const magicBytes = 6;

const compressions: readonly {
  readonly magic: readonly number[];
  readonly name: string;
  readonly open?: () => NodeJS.ReadWriteStream & { destroy(error?: Error): void };
}[] = [
  {
    magic: [0x1f, 0x8b],
    name: "gzip",
    open: () => createGunzip({ chunkSize: chunkBytes }),
  },
  {
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    name: "zstd",
    open: () => createZstdDecompress({ chunkSize: chunkBytes }),
  },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: "xz" },
  { magic: [0x42, 0x5a, 0x68], name: "bzip2" },
];

/** What may still be read, for several layers together. */
export interface ReadBudget {
  /** Bytes without compression. */
  bytesLeft: number;
}

/** What is known of a layer once its first bytes came. */
export interface PlainForm {
  /** The end of its data proves nothing: the runtime says nothing of zstd that is cut off. */
  isOpenEnded: boolean;
}

/** @throws LayerProblem for another compression, broken data, and where it is too much. */
export async function* plainBytes(
  blob: AsyncIterable<Uint8Array>,
  budget: ReadBudget,
  form: PlainForm,
): AsyncGenerator<Uint8Array, void, void> {
  const counted = { bytes: 0 };
  const { first, rest } = await beginning(count(blob, counted));
  const compression = compressions.find(({ magic }) =>
    magic.every((byte, at) => first[at] === byte),
  );
  if (compression !== undefined && compression.open === undefined) {
    throw new LayerProblem(`it is compressed with ${compression.name}, which is not read`);
  }
  form.isOpenEnded = compression?.name === "zstd";
  const whole = joined(first, rest);
  const plain =
    compression?.open === undefined
      ? whole
      : decompressed(whole, compression.open, compression.name);
  let plainBytesRead = 0;
  for await (const piece of plain) {
    plainBytesRead += piece.length;
    budget.bytesLeft -= piece.length;
    if (budget.bytesLeft < 0) throw new LayerProblem("it holds more bytes than are read");
    if (plainBytesRead > ratioFromBytes && plainBytesRead > ratioMax * counted.bytes) {
      throw new LayerProblem(
        `it holds more than ${ratioMax} times the bytes that it has, as no image does`,
      );
    }
    yield piece;
  }
}

async function* count(
  blob: AsyncIterable<Uint8Array>,
  counted: { bytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of blob) {
    counted.bytes += piece.length;
    yield piece;
  }
}

/** The first bytes, which may come one by one. */
async function beginning(
  blob: AsyncGenerator<Uint8Array, void, void>,
): Promise<{ first: Uint8Array; rest: AsyncGenerator<Uint8Array, void, void> }> {
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < magicBytes) {
    const { value, done } = await blob.next();
    if (done === true) break;
    first = first.length === 0 ? value : Buffer.concat([first, value]);
  }
  return { first, rest: blob };
}

async function* joined(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* decompressed(
  blob: AsyncIterable<Uint8Array>,
  open: () => NodeJS.ReadWriteStream & { destroy(error?: Error): void },
  name: string,
): AsyncGenerator<Uint8Array, void, void> {
  const source = Readable.from(blob, { objectMode: false, highWaterMark: chunkBytes });
  const stream = open();
  let failure: unknown = null;
  source.on("error", (error) => {
    failure = error;
    stream.destroy(error);
  });
  source.pipe(stream);
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (error) {
    if (failure !== null) throw failure;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!/^Z|^ERR_ZSTD|^ZSTD/.test(code)) throw error;
    throw new LayerProblem(`its ${name} data is broken or cut off`, { cause: error });
  } finally {
    source.destroy();
    stream.destroy();
  }
}
