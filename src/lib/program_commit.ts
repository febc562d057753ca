// The commit that this program was made from, for `zot --version` and `zot_info`.
//
// An executable has it built in, the npm package in a file (`scripts/pack_viewer.ts`), a checkout in its `.git`, which
// is read without git.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { builtCommit, isCompiled, sourceDirectory } from "./runtime.ts";

const root = join(sourceDirectory, "..");
/** Where the npm package has it, below the package's root. */
export const commitFile = "commit";

/** Null where nothing tells it. */
export function programCommit(): string | null {
  if (isCompiled) return builtCommit;
  return asCommit(contentOf(join(root, commitFile))) ?? commitOf(root);
}

/** The commit that a checkout stands at; null when this is no checkout. */
export function commitOf(directory: string): string | null {
  const git = gitDirectory(directory);
  const head = contentOf(join(git, "HEAD"));
  const ref = head?.startsWith("ref: ") === true ? head.slice("ref: ".length) : null;
  if (ref === null) return asCommit(head);
  // A second work tree has a HEAD of its own and its branches in the first one's directory.
  const common = resolve(git, contentOf(join(git, "commondir")) ?? "");
  return asCommit(contentOf(join(common, ref)) ?? packed(common, ref));
}

function gitDirectory(directory: string): string {
  const path = join(directory, ".git");
  const elsewhere = contentOf(path)?.slice("gitdir: ".length);
  return elsewhere === undefined ? path : resolve(directory, elsewhere);
}

function packed(git: string, ref: string): string | null {
  const lines = contentOf(join(git, "packed-refs"))?.split("\n") ?? [];
  return lines.find((line) => line.endsWith(` ${ref}`))?.split(" ")[0] ?? null;
}

function asCommit(text: string | null): string | null {
  return text !== null && /^[0-9a-f]{40,64}$/.test(text) ? text : null;
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
