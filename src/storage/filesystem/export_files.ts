/** Files of exports of the metadata while they are written and read: compressed lines in the root's `_zot/temporary`. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { MiB } from "../../lib/bytes.ts";
import { temporaryDirectory } from "../layout.ts";

/** Rows of small content have bytes in them. */
const lineCharactersMax = 64 * MiB;

export class ExportFile implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** A name for one; it goes when this is disposed of. */
  static async in(rootDirectory: string): Promise<ExportFile> {
    const path = join(rootDirectory, temporaryDirectory, `export.${crypto.randomUUID()}`);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return new ExportFile(path);
  }

  /** Writes text, compressed. */
  async write(text: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
    await pipeline(Readable.from(text), createGzip(), this.#output(), { signal });
  }

  /** Writes bytes as they are. */
  async fill(bytes: ReadableStream<Uint8Array>): Promise<void> {
    await pipeline(Readable.from(bytes), this.#output());
  }

  /** Good until this is disposed of. */
  bytes(): Blob {
    return Bun.file(this.#path);
  }

  /** @throws where it is no such file, or was cut off. */
  async *lines(): AsyncIterable<string> {
    const unpacked = createGunzip();
    // What goes wrong is thrown where the lines are read.
    const reading = pipeline(createReadStream(this.#path), unpacked).catch(() => undefined);
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let left = "";
    for await (const part of unpacked as AsyncIterable<Uint8Array>) {
      const pieces = decoder.decode(part, { stream: true }).split("\n");
      pieces[0] = left + (pieces[0] ?? "");
      left = pieces.pop() ?? "";
      if (left.length > lineCharactersMax) throw new Error("an export has a line without an end");
      yield* pieces;
    }
    await reading;
    if (left !== "") yield left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }

  #output() {
    return createWriteStream(this.#path, { mode: 0o600, flags: "wx" });
  }
}
