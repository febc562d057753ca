// `zot gc`: with -r of a directory that no server serves; `plan` and `apply` of a running server.

import { mistakeStatus, type Given, type Output } from "./command.ts";
import { gc } from "./gc.ts";
import { applyCommand, planCommand } from "./gc_plan.ts";

const offline = ["storageRootDir", "deleteUntagged", "dryRun", "olderThan"];
const online = ["server", "output", "format", "user", "token", "ca", "cert", "key", "insecure"];

/** Runs the command. Returns the exit status. */
export async function gcCommand(given: Given, output: Output): Promise<number> {
  const action = given.arguments["action"] ?? null;
  const mistake = mistakeIn(given, action);
  if (mistake !== null) {
    output.error(`zot: ${mistake}\n`);
    return mistakeStatus;
  }
  if (action === "plan") return await planCommand(given, output);
  return action === "apply" ? await applyCommand(given, output) : await gc(given, output);
}

function mistakeIn({ options, arguments: words }: Given, action: string | null): string | null {
  if (action !== null && action !== "plan" && action !== "apply") {
    return `expected plan or apply, got '${action}'`;
  }
  if (action !== "apply" && (words["file"] ?? null) !== null) {
    return "expected a file with apply alone; -o names the file of a plan";
  }
  if (action === "apply" && options["output"] !== undefined) {
    return "expected -o with plan alone, got it with apply";
  }
  const others = action === null ? online : offline;
  const foreign = others.find((name) => options[name] !== undefined);
  if (foreign === undefined) return null;
  const flag = `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return action === null
    ? `expected ${flag} with plan or apply, got it without`
    : `expected ${action} of a running server, got ${flag}, which is for a directory`;
}
