/**
 * The file of logins in zot's format (`credentialsFile`): an object of registries, each with `username` and `password`.
 * It is read again when it changes.
 */
import type { Credentials } from "../../../../client/client_auth.ts";
import type { Clock } from "../../../../lib/clock.ts";
import { isJsonObject } from "../../../../lib/strict_json.ts";
import { WatchedFile } from "../../../../lib/watched_file.ts";
import { jsonOf } from "../answers.ts";

export type LoginFile = WatchedFile<ReadonlyMap<string, Credentials>>;

/** @throws with one line when the file cannot be read, or is none of logins. */
export function openLoginFile(
  path: string,
  { clock, report }: { readonly clock: Clock; readonly report: (problem: string | null) => void },
): LoginFile {
  return new WatchedFile({
    path,
    clock,
    onChange: report,
    parse: (bytes) => parse(bytes, path),
  });
}

function parse(bytes: Uint8Array, path: string): ReadonlyMap<string, Credentials> {
  const content = jsonOf(bytes);
  if (!isJsonObject(content)) {
    throw new Error(`${path}: expected a JSON object of registries, got something else`);
  }
  return new Map(
    Object.entries(content).map(([key, value]) => {
      const members = new Map(
        Object.entries(isJsonObject(value) ? value : {}).map(([name, each]) => [
          name.toLowerCase(),
          each,
        ]),
      );
      const [user, password] = [members.get("username"), members.get("password")];
      if (typeof user !== "string" || typeof password !== "string") {
        throw new Error(`${path}: expected username and password of ${JSON.stringify(key)}`);
      }
      return [key, loginOf(user, password)];
    }),
  );
}

/** What is called `<token>` is a token in the place of a password, as in Docker's helpers. */
export function loginOf(user: string, password: string): Credentials {
  return user === "<token>"
    ? { kind: "refreshToken", token: password }
    : { kind: "password", user, password };
}
