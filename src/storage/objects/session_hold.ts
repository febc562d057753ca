/** The hold on an upload session, which is renewed for as long as it lasts. */
import type { Clock } from "../../lib/clock.ts";
import type { NamingRecords } from "../blob_store.ts";
import type { NamedObject, ObjectName } from "../object_records.ts";
import { UploadTaken } from "../upload_store.ts";
import type { SessionChange, UploadSessions } from "../upload_sessions.ts";

const renewedMs = 10_000;
/** After a try that failed the database is asked again. */
const triedMs = 1_000;

export class SessionHold {
  readonly #sessions: UploadSessions;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #holder: string;
  readonly #ended = new AbortController();
  #isLost = false;

  constructor(
    { sessions, clock }: { readonly sessions: UploadSessions; readonly clock: Clock },
    id: string,
    holder: string,
  ) {
    this.#sessions = sessions;
    this.#clock = clock;
    this.#id = id;
    this.#holder = holder;
    void this.#keep();
  }

  /** @throws UploadTaken where it is known that another one has it. */
  require(): void {
    if (this.#isLost) throw new UploadTaken();
  }

  /** @throws UploadTaken; nothing was changed then. */
  async change(change: SessionChange): Promise<void> {
    if (await this.#sessions.change(this.#id, this.#holder, change)) return;
    this.#isLost = true;
    throw new UploadTaken();
  }

  /** As `UploadSessions.ending`. */
  ending(object: NamedObject, name: ObjectName): NamingRecords {
    return this.#sessions.ending(this.#id, this.#holder, object, name);
  }

  /** Whether such a commit was made. */
  async hasEnded(): Promise<boolean> {
    return (await this.#sessions.find(this.#id)) === null;
  }

  /** @throws UploadTaken. */
  async beginParts(key: string): Promise<void> {
    if (await this.#sessions.beginParts(this.#id, this.#holder, key)) return;
    this.#isLost = true;
    throw new UploadTaken();
  }

  /** @throws UploadTaken. */
  async discard(): Promise<void> {
    this.require();
    this.end();
    await this.#sessions.discard(this.#id, this.#holder);
  }

  async release(): Promise<void> {
    this.end();
    if (!this.#isLost) await this.#sessions.release(this.#id, this.#holder);
  }

  /** It is not renewed any more. */
  end(): void {
    this.#ended.abort();
  }

  /** Never rejects. */
  async #keep(): Promise<void> {
    const { signal } = this.#ended;
    for (let pauseMs = renewedMs; ;) {
      await this.#clock.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const isOurs = await this.#sessions.renew(this.#id, this.#holder).catch(() => null);
      pauseMs = isOurs === null ? triedMs : renewedMs;
      if (isOurs !== false || signal.aborted) continue;
      this.#isLost = true;
      return;
    }
  }
}
