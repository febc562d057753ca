/**
 * Users of the htpasswd file over time: tells the present user of a name from an earlier one.
 *
 * The file holds only the present names. So the metadata records a number for each name that has logged in, its
 * incarnation, and forgets it when the name leaves the file; a name that comes back gets another number. A new password
 * is the same user. API keys, tokens and uploads carry the incarnation, and end with it. See
 * docs/decisions/0021-incarnations-of-users.md.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { WatchedFile } from "../lib/watched_file.ts";
import { apiKeys } from "../metadata/api_keys.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";
import { parseHtpasswd, type HtpasswdUsers } from "./htpasswd.ts";

export class FileUsers {
  readonly #metadata: Metadata;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** The incarnation of a name in the file. Null when it cannot be stored: on a full disk users can still pull. */
  async incarnationOf(name: string): Promise<string | null> {
    const known = await this.#metadata.records(apiKeys).fileUser(name);
    if (known !== null) return known;
    const change = { kind: "put-file-user", name, incarnation: randomUUID() } as const;
    try {
      await this.#metadata.commit(recordCommit(apiKeys, change));
    } catch {
      return null;
    }
    return await this.#metadata.records(apiKeys).fileUser(name);
  }

  /** Whether the name still belongs to who had it then. */
  async isStill(name: string, incarnation: string): Promise<boolean> {
    return (await this.#metadata.records(apiKeys).fileUser(name)) === incarnation;
  }
}

export interface FollowOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly report: (level: "info" | "warn", message: string, fields?: object) => void;
}

/** Follows the file of a configuration; null where there is none. @throws with one line for the operator. */
export function followFileUsers(
  path: string | null,
  options: Omit<FollowOptions, "path">,
): FileUserFollower | null {
  return path === null ? null : new FileUserFollower({ ...options, path });
}

/** How often the file is looked at. */
const lookMs = 250;
/** A worker may read a change later, and log in a user who has left: after this the names are compared again. */
const secondLookMs = 2_000;
/** Names that one line of the log shows. */
const namesShownMax = 10;

/** Forgets names that left the file. The primary does it, and does not know what a worker has read of the file. */
export class FileUserFollower {
  readonly #options: FollowOptions;
  readonly #file: WatchedFile<HtpasswdUsers>;
  readonly #closed = new AbortController();
  readonly #looking: Promise<void>;
  #names: ReadonlySet<string> | null = null;
  #version = 0;
  #againAtMs: number | null = null;
  #running: Promise<void> = Promise.resolve();

  /** @throws with one line for the operator when the file cannot be read. */
  constructor(options: FollowOptions) {
    const { path, clock } = options;
    this.#options = options;
    const parse = (bytes: Uint8Array): HtpasswdUsers => parseHtpasswd(bytes, path);
    // Workers tell of the file's problems.
    this.#file = new WatchedFile({ path, clock, parse, onChange: () => {} });
    this.#look();
    this.#looking = this.#follow();
  }

  /** Resolves when what was seen so far is committed. */
  settled(): Promise<void> {
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#looking;
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookMs, signal);
      if (!signal.aborted) this.#look();
    }
  }

  #look(): void {
    const { version } = this.#file;
    const nowMs = this.#options.clock.monotonicMs();
    const isDue = this.#againAtMs !== null && nowMs >= this.#againAtMs;
    if (version === this.#version && !isDue) return;
    this.#againAtMs = version === this.#version ? null : nowMs + secondLookMs;
    this.#version = version;
    const names = new Set(this.#file.content.keys());
    this.#tell(names);
    this.#running = this.#running.then(() => this.#keep(names));
  }

  #tell(names: ReadonlySet<string>): void {
    const left = [...(this.#names ?? [])].filter((name) => !names.has(name));
    this.#names = names;
    if (left.length === 0) return;
    const shown = left.slice(0, namesShownMax);
    const message =
      "http.auth.htpasswd: users left the file; their API keys, tokens and uploads end";
    this.#options.report("info", message, { users: left.length, names: shown });
  }

  async #keep(names: ReadonlySet<string>): Promise<void> {
    try {
      const keep = { kind: "keep-file-users", names: [...names] } as const;
      await this.#options.committer.commit(recordCommit(apiKeys, keep));
    } catch (error) {
      // Tried again later: a user who left must not come back with the old incarnation.
      this.#againAtMs = this.#options.clock.monotonicMs() + secondLookMs;
      const problem = error instanceof Error ? error.message : String(error);
      this.#options.report("warn", "http.auth.htpasswd: who left could not be recorded", {
        problem,
      });
    }
  }
}
