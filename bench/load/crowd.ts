// Load: uploads at full speed while slow readers sit on open downloads. It is about memory, not speed.

import type { Socket } from "bun";
import { requestHead } from "./expect.ts";
import type { CrowdJob } from "./jobs.ts";
import { prepareUploads } from "./upload.ts";

/** Ends when the uploads have ended; a reader that was refused or cut off before that is an error. */
export function prepareCrowd(job: CrowdJob): () => Promise<{ operations: number; bytes: number }> {
  const upload = prepareUploads(job.upload);
  return async () => {
    const readers = await Promise.all(
      Array.from({ length: job.readers }, () => SlowReader.open(job)),
    );
    await Promise.all(readers.map((reader) => reader.started));
    const result = await upload();
    for (const reader of readers) reader.stop();
    return result;
  };
}

class SlowReader {
  readonly started: Promise<void>;
  readonly #start = Promise.withResolvers<void>();
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #failure: Error | null = null;

  private constructor() {
    this.started = this.#start.promise;
  }

  static async open(job: CrowdJob): Promise<SlowReader> {
    const reader = new SlowReader();
    reader.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: job.port,
      socket: {
        data: (socket, chunk) => reader.#received(socket, chunk, job.pauseMs),
        close: () => reader.#fail("The server cut off a slow reader"),
        error: (_, error) => reader.#fail(error.message),
      },
    });
    reader.#socket.write(requestHead("GET", job.readerPath));
    return reader;
  }

  /** Leaves; throws when the server had left before. */
  stop(): void {
    if (this.#failure !== null) throw this.#failure;
    // The close that follows is our own.
    this.#failure = new Error("stopped");
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #received(socket: Socket, chunk: Buffer, pauseMs: number): void {
    if (chunk.toString("latin1", 0, 9) === "HTTP/1.1 ") {
      if (chunk.toString("latin1", 9, 12) === "200") this.#start.resolve();
      else this.#fail(`A reader was refused: ${chunk.toString("latin1", 0, 200)}`);
    }
    socket.pause();
    this.#timer = setTimeout(() => socket.resume(), pauseMs);
  }

  #fail(message: string): void {
    this.#failure ??= new Error(message);
    this.#start.reject(this.#failure);
  }
}
