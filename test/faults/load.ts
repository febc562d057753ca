// Clients that push, move tags and delete, all at once, and write down what they were told.
//
// The work follows from the seed. A request that is cut off or answered 5xx counts as one of unknown outcome, and its
// client goes on. Clients share the repositories, but each has tags and contents of its own, so that their order is
// known.

import { type Journal, manifestType, sha256 } from "./journal.ts";

export interface LoadOptions {
  readonly url: string;
  readonly journal: Journal;
  readonly clients: number;
  readonly seed: number;
  readonly repositories?: number;
  readonly blobBytesMax?: number;
  /** Begins the names of tags, where several loads run on one registry. */
  readonly clientNames?: string;
}

export interface Load {
  /** Resolves when so many more requests were acknowledged. */
  readonly acknowledged: (more: number) => Promise<void>;
  /** Lets every client finish its request, and ends. */
  readonly stop: () => Promise<void>;
  /** Requests of unknown outcome so far. */
  readonly failures: () => number;
}

/** A small generator of numbers, the same for the same seed. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function startLoad(options: LoadOptions): Load {
  const { journal, clients, seed } = options;
  const state = { stopping: false, failures: 0 };
  const running = Array.from({ length: clients }, async (_, index) => {
    const client = new Client(options, index, randomOf(seed * 1000 + index));
    while (!state.stopping) {
      try {
        await client.step();
      } catch {
        // Cut off: nobody knows what becomes of it, or when. A moment later somebody may listen again.
        state.failures += 1;
        client.useOtherTags();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  });
  return {
    failures: () => state.failures,
    acknowledged: async (more) => {
      const wanted = journal.acknowledged + more;
      const until = performance.now() + 60_000;
      while (journal.acknowledged < wanted) {
        if (performance.now() > until) throw new Error(`no ${more} acknowledgements in 60 s`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    stop: async () => {
      state.stopping = true;
      await Promise.all(running);
    },
  };
}

/** The answer was not what the request was for; whether it took effect is unknown. */
class Unanswered extends Error {}

class Client {
  readonly #options: LoadOptions;
  readonly #index: number;
  readonly #random: (below: number) => number;
  #count = 0;
  #life = 0;

  constructor(options: LoadOptions, index: number, random: (below: number) => number) {
    this.#options = options;
    this.#index = index;
    this.#random = random;
  }

  /** A request of unknown outcome may still take effect: its tag is nobody's any more. */
  useOtherTags(): void {
    this.#life += 1;
  }

  /** One piece of work: mostly a whole image, now and then a delete. */
  async step(): Promise<void> {
    const { journal, repositories = 3, clientNames = "c" } = this.#options;
    const repository = `load/r${this.#random(repositories)}`;
    this.#count += 1;
    const tag = `${clientNames}${this.#index}.${this.#life}-${this.#random(6)}`;
    if (this.#random(8) === 0) return this.#untag(repository, tag);
    const layer = await this.#pushBlob(repository);
    const config = await this.#pushBlob(repository, 200);
    const bytes = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
        layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
      }),
    );
    const digest = sha256(bytes);
    journal.moving(repository, tag, digest);
    await this.#send(`/v2/${repository}/manifests/${tag}`, 201, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": manifestType },
    });
    journal.stored(repository, "manifests", digest, bytes);
    journal.moved(repository, tag);
  }

  async #untag(repository: string, tag: string): Promise<void> {
    const { journal } = this.#options;
    journal.moving(repository, tag, null);
    await this.#send(`/v2/${repository}/manifests/${tag}`, [202, 404], { method: "DELETE" });
    journal.moved(repository, tag);
  }

  async #pushBlob(repository: string, length?: number) {
    const { journal, blobBytesMax = 20_000 } = this.#options;
    const bytes = this.#bytes(length ?? 1 + this.#random(blobBytesMax));
    const digest = sha256(bytes);
    const uploads = `/v2/${repository}/blobs/uploads/`;
    if (this.#random(2) === 0) {
      await this.#send(`${uploads}?digest=${digest}`, 201, { method: "POST", body: bytes });
    } else {
      const session = await this.#send(uploads, 202, { method: "POST" });
      const location = session.headers.get("location") ?? "";
      const half = bytes.length >> 1;
      const first = { method: "PATCH", body: bytes.subarray(0, half) };
      const patched = await this.#send(location, 202, first);
      const next = patched.headers.get("location") ?? "";
      const last = bytes.subarray(half);
      await this.#send(`${next}?digest=${digest}`, 201, { method: "PUT", body: last });
    }
    journal.stored(repository, "blobs", digest, bytes);
    return { digest, size: bytes.length };
  }

  /** Bytes that no other push has. */
  #bytes(length: number): Uint8Array<ArrayBuffer> {
    const name = `${this.#options.seed} ${this.#index} ${this.#count} ${this.#random(1 << 30)} `;
    return Buffer.alloc(length, name);
  }

  async #send(
    path: string,
    expected: number | readonly number[],
    init: RequestInit,
  ): Promise<Response> {
    const answer = await fetch(`${this.#options.url}${path}`, init);
    await answer.arrayBuffer();
    if ([expected].flat().includes(answer.status)) return answer;
    this.#options.journal.unknown += 1;
    throw new Unanswered(`${init.method} ${path}: ${answer.status}`);
  }
}
