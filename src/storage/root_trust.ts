/**
 * Checks whether other users may have written the metadata or the key of the tokens before the server trusts them.
 *
 * A user who can put a file into `_zot` can become an administrator, so the files there must belong to this user (or to
 * root). A root directory that others may write gives only a warning: other tools may write its layouts.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { distrustFile, self, type Self } from "../lib/file_trust.ts";
import { fileMode } from "./filesystem/durable_files.ts";
import { ownDirectory } from "./layout.ts";

/** Entries of `_zot` that are looked at: beside directories there are a dozen files. */
const entriesMax = 1_000;

/**
 * Looks at the root and at the files of `_zot`. Returns warnings.
 * @throws with one line for the operator when a file there may be another user's.
 */
export function checkRootTrust(rootDirectory: string, option = "storage.rootDirectory"): string[] {
  const own = join(rootDirectory, ownDirectory);
  const me = selfIn(own);
  const warnings = [...rootWarnings(rootDirectory, me, option), ...ownProblems(own, me, option)];
  const { mode } = statSync(own);
  for (const name of readdirSync(own).slice(0, entriesMax)) {
    warnings.push(...fileProblems(join(own, name), mode, { me, option }));
  }
  return warnings;
}

/** What others may write is out of their reach behind a directory that they may not enter: SQLite goes by the umask. */
function fileProblems(
  path: string,
  directoryMode: number,
  { me, option }: { readonly me: Self; readonly option: string },
): string[] {
  const found = distrustFile(path, me);
  if (found === null) return [];
  if (found.by === "owner") {
    throw untrusted(option, path, found.says, `chown it to user ${me.uid}`);
  }
  const [entered, isOurs] =
    found.by === "group" ? [directoryMode & 0o010, found.isOurs] : [directoryMode & 0o001, false];
  if (entered !== 0 && !isOurs) throw untrusted(option, path, found.says, "chmod go-w it");
  if (entered === 0 && found.by === "group") return [];
  return [`${option}: ${path}: ${found.says}; chmod go-w it`];
}

function rootWarnings(rootDirectory: string, me: Self, option: string): string[] {
  const found = distrustFile(rootDirectory, me);
  if (found === null || (found.by === "group" && found.isOurs)) return [];
  return [
    `${option}: ${rootDirectory}: ${found.says}, and so may change what this registry serves`,
  ];
}

function ownProblems(own: string, me: Self, option: string): string[] {
  const found = distrustFile(own, me);
  if (found === null) return [];
  if (found.by === "group" && found.isOurs) {
    return [`${option}: ${own}: ${found.says}, and so may log in as anybody; chmod g-w`];
  }
  const remedy = found.by === "owner" ? `chown -R it to user ${me.uid}` : "chmod go-w it";
  throw untrusted(option, own, found.says, remedy);
}

function untrusted(option: string, path: string, says: string, remedy: string): Error {
  return new Error(
    `${option}: expected ${path} to be this user's alone, but ${says}; ` +
      `look at what is there, then ${remedy}`,
  );
}

/** Some file systems (NFS with squashed users) give what we make another owner: that is who we are there. */
function selfIn(own: string): Self {
  const path = join(own, `owner.${crypto.randomUUID()}`);
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  let descriptor: number;
  try {
    descriptor = openSync(path, flags, fileMode);
  } catch {
    // A full disk or a directory that cannot be written is told of elsewhere.
    return self();
  }
  try {
    return { ...self(), uid: fstatSync(descriptor).uid };
  } finally {
    closeSync(descriptor);
    rmSync(path, { force: true });
  }
}
