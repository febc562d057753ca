// `zot user`: adds, removes and lists the users of an htpasswd file, and sets their passwords.
//
// Hashes are bcrypt's as Apache's htpasswd writes them, so that either tool goes on with the other's file.

import { isUserName } from "../auth/identity.ts";
import { nearest } from "../lib/nearest.ts";
import { whyUnreadable } from "../lib/why_unreadable.ts";
import { mistakeStatus, type Output } from "./command.ts";
import { PasswordCancelled, readPassword } from "./read_password.ts";
import { editUsersFile, readUsersFile, withLine, type UsersFile } from "./users_file.ts";

export const userActions = ["add", "remove", "list", "password"] as const;
export type UserAction = (typeof userActions)[number];

export interface UserRequest {
  readonly action: string;
  readonly path: string;
  /** Null where none was given. */
  readonly name: string | null;
}

/** A tenth of a second or so on the machines of today, for each guess as well. */
const bcryptCost = 10;
/** bcrypt looks at no more; what stands behind would protect nothing. */
const passwordBytesMax = 72;
/** What a shell tells of a program that Ctrl+C ended. */
const cancelledStatus = 130;

/** Returns the exit status. */
export async function userCommand(request: UserRequest, output: Output): Promise<number> {
  const action = userActions.find((each) => each === request.action);
  const mistake =
    action === undefined ? unknownAction(request.action) : nameMistake(action, request);
  if (mistake !== null || action === undefined) {
    output.error(`zot: ${mistake}\n`);
    return mistakeStatus;
  }
  try {
    return await run(action, request.path, request.name ?? "", output);
  } catch (error) {
    if (error instanceof PasswordCancelled) return cancelledStatus;
    output.error(`zot: ${problemOf(error, request.path)}\n`);
    return 1;
  }
}

function unknownAction(given: string): string {
  const near = nearest(given, userActions);
  const advice = near === null ? "see 'zot help user'" : `did you mean ${near}?`;
  return `expected ${userActions.join(", ")}, got '${given}'; ${advice}`;
}

function nameMistake(action: UserAction, { name }: UserRequest): string | null {
  if (action === "list") return name === null ? null : "expected no name behind the file of a list";
  if (name === null) return `expected a name: zot user ${action} <file> <name>`;
  if (!isUserName(name))
    return "expected a name without control characters, of up to 256 characters";
  const fits = name.trim() === name && !name.includes(":") && !name.startsWith("#");
  return fits ? null : "expected a name without a colon, '#' at its start, and blanks around it";
}

async function run(
  action: UserAction,
  path: string,
  name: string,
  output: Output,
): Promise<number> {
  const file = await readUsersFile(path, action === "add");
  if (action === "list") {
    output.out(file.names.map((each) => `${each}\n`).join(""));
    return 0;
  }
  // Before anybody is asked for a password, and again when the file is written.
  checkName(action, file, path, name);
  const line = action === "remove" ? null : await lineFor(name, output);
  await editUsersFile(path, (now) => {
    checkName(action, now, path, name);
    return withLine(now.lines, name, line);
  });
  const said = { add: "is added to", remove: "is removed from", password: "has a new password in" };
  output.out(`${name} ${said[action]} ${path}\n`);
  return 0;
}

function checkName(action: UserAction, { names }: UsersFile, path: string, name: string): void {
  const isThere = names.includes(name);
  if (action === "add" && isThere) {
    throw new Error(`${path}: ${name} is there already; zot user password sets another password`);
  }
  if (action === "add" || isThere) return;
  const near = nearest(name, names);
  throw new Error(`${path}: ${name} is not there${near === null ? "" : `; did you mean ${near}?`}`);
}

async function lineFor(name: string, output: Output): Promise<string> {
  const password = await readPassword(name, output);
  if (password.trim() === "") throw new Error("expected a password, got none");
  if (/\p{Cc}/u.test(password)) {
    throw new Error("expected a password without control characters, which clients cannot send");
  }
  const length = Buffer.byteLength(password);
  if (length > passwordBytesMax) {
    throw new Error(
      `expected a password of up to ${passwordBytesMax} bytes, which is all that bcrypt looks at; got ${length}`,
    );
  }
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: bcryptCost });
  // The same hash by the name that Apache knows it by.
  return `${name}:${hash.replace(/^\$2b\$/, "$2y$")}`;
}

function problemOf(error: unknown, path: string): string {
  if (error instanceof Error && !("code" in error)) return error.message;
  return `${path}: expected a file that can be read and replaced, got ${whyUnreadable(error)}`;
}
