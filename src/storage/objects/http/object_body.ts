/**
 * The bytes of an object as they come over HTTP, as a stream: one that is cut or falls silent is asked for once more,
 * from where it broke off. A reader that pauses is not silence.
 */
import { assert } from "../../../lib/assert.ts";
import type { Clock } from "../../../lib/clock.ts";
import { ObjectStoreUnavailable } from "../object_store.ts";
import type { OpenAnswer } from "./store_requests.ts";
import { silenceMs } from "./store_requests.ts";

/** Requests in turn that bring no new byte. */
const resumesMax = 3;

export interface BodyParts {
  readonly clock: Clock;
  /** How many bytes come in all. */
  readonly sizeBytes: number;
  /** For messages. */
  readonly name: string;
  /** Asks for what comes after so many bytes of them; null where that cannot be had. */
  readonly resume: (position: number) => Promise<OpenAnswer | null>;
}

export function objectBody(first: OpenAnswer, parts: BodyParts): ReadableStream<Uint8Array> {
  const body = new ObjectBodyReader(first, parts);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const piece = await body.next();
          if (piece === null) controller.close();
          else controller.enqueue(piece);
        } catch (error) {
          body.end();
          throw error;
        }
      },
      cancel: () => body.end(),
    },
    { highWaterMark: 0 },
  );
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

class ObjectBodyReader {
  readonly #parts: BodyParts;
  readonly #over = new AbortController();
  #answer: OpenAnswer;
  #reader: Reader | null;
  #position = 0;
  /** Requests since the last new byte. */
  #resumes = 0;
  /** Since when a piece is waited for. */
  #waitingMs: number | null = null;

  constructor(first: OpenAnswer, parts: BodyParts) {
    this.#parts = parts;
    this.#answer = first;
    this.#reader = readerOf(first);
    void this.#watch();
  }

  /** The next piece; null at the end. @throws ObjectStoreUnavailable */
  async next(): Promise<Uint8Array | null> {
    const { sizeBytes } = this.#parts;
    for (;;) {
      if (this.#position === sizeBytes) {
        this.end();
        return null;
      }
      const piece = await this.#read();
      if (piece !== null) {
        this.#position += piece.length;
        this.#resumes = 0;
        assert(this.#position <= sizeBytes, "More bytes came than were announced");
        return piece;
      }
      await this.#resume();
    }
  }

  /** Gives the place back, whatever is still to come. */
  end(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#drop();
  }

  /** Null where it broke off. */
  async #read(): Promise<Uint8Array | null> {
    this.#waitingMs = this.#parts.clock.monotonicMs();
    try {
      const { value } = (await this.#reader?.read()) ?? {};
      return value ?? null;
    } catch {
      return null;
    } finally {
      this.#waitingMs = null;
    }
  }

  async #resume(): Promise<void> {
    this.#drop();
    this.#resumes += 1;
    const isWorthIt = this.#resumes <= resumesMax && !this.#over.signal.aborted;
    const answer = isWorthIt ? await this.#parts.resume(this.#position) : null;
    if (answer === null) throw this.#brokenOff();
    this.#answer = answer;
    this.#reader = readerOf(answer);
  }

  #brokenOff(): ObjectStoreUnavailable {
    const { name, sizeBytes } = this.#parts;
    return new ObjectStoreUnavailable(
      `${name}: the body broke off after ${this.#position} of ${sizeBytes} bytes`,
    );
  }

  #drop(): void {
    this.#answer.abort();
    this.#answer.over();
  }

  /** One timer for the whole stream, since pieces are many. */
  async #watch(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#over.signal.aborted) {
      await clock.sleep(silenceMs / 3, this.#over.signal);
      const since = this.#waitingMs;
      if (since !== null && clock.monotonicMs() - since >= silenceMs) this.#answer.abort();
    }
  }
}

function readerOf({ response }: OpenAnswer): Reader | null {
  return (response.body?.getReader() ?? null) as Reader | null;
}
