// What `zot --version` prints: one line for each thing that a bug report should name.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { builtCommit, isCompiled } from "../lib/runtime.ts";
import { DIST_SPEC_VERSION } from "../config/specification.ts";

/** Name and version of each part, one per line; the commit only where it is known. */
export function versionText(): string {
  const commit = isCompiled ? builtCommit : commitOf(join(import.meta.dirname, "../.."));
  const lines = [
    `zot ${packageJson.version}`,
    `distribution-spec ${DIST_SPEC_VERSION}`,
    `bun ${Bun.version}`,
    ...(commit === null ? [] : [`commit ${commit}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** The commit that a checkout stands at, read without git; null when this is no checkout. */
export function commitOf(root: string): string | null {
  const head = contentOf(join(root, ".git/HEAD"));
  const ref = head?.startsWith("ref: ") === true ? head.slice("ref: ".length) : null;
  const commit = ref === null ? head : (contentOf(join(root, ".git", ref)) ?? packed(root, ref));
  return commit !== null && /^[0-9a-f]{40,64}$/.test(commit) ? commit : null;
}

function packed(root: string, ref: string): string | null {
  const lines = contentOf(join(root, ".git/packed-refs"))?.split("\n") ?? [];
  return lines.find((line) => line.endsWith(` ${ref}`))?.split(" ")[0] ?? null;
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
