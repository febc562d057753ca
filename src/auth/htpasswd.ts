/**
 * Users and password hashes in a file, as Apache's `htpasswd` writes it: one `name:hash` a line.
 *
 * The file is read again when it changes; if the new content is not valid as a whole, the old content stays in use. An
 * unknown name costs as much time as a wrong password, because some user's hash is computed in its place, always the
 * same one. The number of hashes computed at once is limited, and so is the queue for them: callers beyond it are
 * rejected.
 */
import { createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import type { Gate } from "../lib/gate.ts";
import { showJson } from "../lib/strict_json.ts";
import { WatchedFile } from "../lib/watched_file.ts";
import { isUserName } from "./identity.ts";
import { parsePasswordHash, verifyPassword, type PasswordHash } from "./password_hash.ts";

export type HtpasswdUsers = ReadonlyMap<string, PasswordHash>;

/**
 * Reads the lines of a file. Empty lines and comments, which begin with `#`, are passed over.
 * @throws with the number of the first line that is wrong.
 */
export function parseHtpasswd(bytes: Uint8Array, path: string): HtpasswdUsers {
  const users = new Map<string, PasswordHash>();
  const text = decode(bytes, path);
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.replace(/\r$/, "");
    if (/^\s*(#|$)/.test(trimmed)) continue;
    const wrong = (problem: string): Error =>
      new Error(`${path}: line ${index + 1}: expected ${problem}`);
    const colon = trimmed.indexOf(":");
    const name = trimmed.slice(0, colon);
    if (colon === -1) throw wrong("name:hash, got no colon");
    if (!isUserName(name)) throw wrong("a name before the colon");
    if (name.trim() !== name) throw wrong(`a name without blanks around it, got ${showJson(name)}`);
    if (users.has(name)) throw wrong(`each name once, got ${name} again`);
    const [hash = "", rest = ""] = trimmed.slice(colon + 1).split(/(?=\s)(.*)/s);
    if (hash === "" && rest !== "") throw wrong("the hash right behind the colon, got a blank");
    if (rest.trim() !== "")
      throw wrong("nothing behind the hash; comments have lines of their own");
    if (rest !== "") throw wrong("nothing behind the hash, got a blank");
    const parsed = parsePasswordHash(hash);
    if ("problem" in parsed) throw wrong(parsed.problem);
    users.set(name, parsed.hash);
  }
  return users;
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${path}: expected UTF-8 text`, { cause });
  }
}

export interface HtpasswdOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly onChange: (problem: string | null) => void;
}

export class Htpasswd {
  readonly #file: WatchedFile<HtpasswdUsers>;
  readonly #gate: Gate;
  readonly #decoyKey = randomBytes(32);
  #decoysOf: HtpasswdUsers | null = null;
  #decoys: readonly PasswordHash[] = [];

  /** @throws with one line for the operator when the file is not there or a line is wrong. */
  constructor(options: HtpasswdOptions) {
    const { path, clock, onChange, gate } = options;
    this.#file = new WatchedFile({
      path,
      clock,
      onChange,
      parse: (bytes) => parseHtpasswd(bytes, path),
    });
    this.#gate = gate;
  }

  /** Grows whenever the file changes: what was verified before is not known any more. */
  get version(): number {
    return this.#file.version;
  }

  names(): Iterable<string> {
    return this.#file.content.keys();
  }

  has(name: string): boolean {
    return this.#file.content.has(name);
  }

  /** Whether this is the user's password. @throws GateFull. */
  async verify(name: string, password: string): Promise<boolean> {
    const users = this.#file.content;
    const hash = users.get(name);
    const tried = hash ?? this.#decoy(users, name);
    if (tried === null) return false;
    const isRight = await this.#gate.run(() => verifyPassword(password, tried));
    return isRight && hash !== undefined;
  }

  /** The hash that is tried for a name that is not there: a user's, so that it costs what users cost. */
  #decoy(users: HtpasswdUsers, name: string): PasswordHash | null {
    if (this.#decoysOf !== users) {
      this.#decoysOf = users;
      this.#decoys = [...users.values()];
    }
    if (this.#decoys.length === 0) return null;
    const pick = createHmac("sha256", this.#decoyKey).update(name).digest().readUInt32BE();
    return this.#decoys[pick % this.#decoys.length] ?? null;
  }
}
