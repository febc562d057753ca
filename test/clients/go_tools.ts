// crane, regctl and a program over oras-go, built with the machine's Go when the tests start.
//
// Versions are pinned. The programs live in the run's directory and are removed with it (Go keeps its module cache, so
// a second run builds in seconds). A machine without Go skips; with Go, a build that fails is an error in CI and a skip
// elsewhere, always with the reason.

import { join } from "node:path";
import { run, runDirectory } from "../harness.ts";

/** Where each program is; null when it could not be had. */
export interface GoTools {
  readonly crane: string;
  readonly regctl: string;
  /** test/clients/oras_go. */
  readonly oras: string;
}

const modules = {
  crane: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
  regctl: "github.com/regclient/regclient/cmd/regctl@v0.11.7",
} as const;

let tools: Promise<GoTools | null> | null = null;

/** Builds all three at once, once for a test run; minutes on a cold machine. */
export function goTools(): Promise<GoTools | null> {
  tools ??= buildGoTools();
  return tools;
}

async function buildGoTools(): Promise<GoTools | null> {
  if (Bun.which("go") === null) {
    console.log("skipped: crane, regctl and oras-go need Go to be built, and it is not installed");
    return null;
  }
  const bin = join(await runDirectory(), "go-bin");
  const failures = (
    await Promise.all([
      go(["install", modules.crane], bin),
      go(["install", modules.regctl], bin),
      go(["build", "-o", join(bin, "oras"), "."], bin, join(import.meta.dir, "oras_go")),
    ])
  ).filter((failure) => failure !== null);
  if (failures.length === 0) {
    return { crane: join(bin, "crane"), regctl: join(bin, "regctl"), oras: join(bin, "oras") };
  }
  const reason = `Go could not build the clients:\n${failures.join("\n")}`;
  if (process.env["CI"] === "true") throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return null;
}

/** Null when it worked, else what Go said. The toolchain is the one installed: none is downloaded. */
async function go(args: string[], bin: string, cwd?: string): Promise<string | null> {
  const env = { GOBIN: bin, GOTOOLCHAIN: "local", GOFLAGS: "-buildvcs=false" };
  const output = await run("go", args, {
    env,
    timeoutMs: 300_000,
    ...(cwd === undefined ? {} : { cwd }),
  }).catch((error: Error) => ({ code: -1, stderr: error.message }));
  return output.code === 0 ? null : `go ${args.join(" ")}: ${output.stderr.slice(-1000)}`;
}
