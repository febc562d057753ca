// What `zot --version` prints: one line for each thing that a bug report should name.

import packageJson from "../../package.json" with { type: "json" };
import { programCommit } from "../lib/program_commit.ts";
import { DIST_SPEC_VERSION } from "../config/specification.ts";

/** Name and version of each part, one per line; the commit only where it is known. */
export function versionText(): string {
  const commit = programCommit();
  const lines = [
    `zot ${packageJson.version}`,
    `distribution-spec ${DIST_SPEC_VERSION}`,
    `bun ${Bun.version}`,
    ...(commit === null ? [] : [`commit ${commit}`]),
  ];
  return `${lines.join("\n")}\n`;
}
