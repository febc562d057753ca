// A process of its own that claims a root and keeps it until it is killed: `claim_process.ts <root> <mode>`.
//
// Modes: `alone`, `shared`, and `with-child`, which claims alone and then starts a child that lives on. Prints
// `claimed`, with the child's process id if it has one, or the one line that it was refused with.

import { claimRoot } from "../../src/storage/root_lock.ts";

const [root = "", mode = ""] = process.argv.slice(2);
try {
  claimRoot(root, mode === "shared" ? "shared" : "alone");
  const child =
    mode === "with-child"
      ? Bun.spawn(["sleep", "60"], { stdin: "ignore", stdout: "ignore", stderr: "ignore" })
      : null;
  console.log(`claimed ${child?.pid ?? ""}`.trim());
  for await (const _ of Bun.stdin.stream()) continue;
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
