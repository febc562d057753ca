// `zot bench` as a person runs it: against a real server, and against what is no registry.

import { createServer, type Server } from "node:net";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort, run, startZot, tempDirectory, testedProgram } from "./harness.ts";
import type { BenchResult } from "../src/bench/bench.ts";

const zotProgram = await testedProgram();
/** All that move little: the large ones run for docs/benchmarks.md. */
const quick =
  "^(catalog|push-monolith-1mb|push-chunk-1mb|pull-1mb|pull-75-push-25-1mb|push-blob|get-blob|push-manifest|head-|get-manifest|tags-10$|referrers|mount|login|pull-20-layers)";
const benchMs = 300_000;

function bench(...args: string[]) {
  return run(zotProgram, ["bench", ...args], { timeoutMs: benchMs });
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

describe("zot bench", () => {
  test(
    "measures two registries in turn, and leaves nothing in them",
    async () => {
      await using first = await startZot();
      await using second = await startZot();
      const args = [
        first.host,
        "--compare",
        second.host,
        "-n",
        "4",
        "-c",
        "2",
        "-s",
        quick,
        "--json",
      ];
      const { code, stdout, stderr } = await bench(...args, "--pid", String(first.pid));
      expect(stderr).toBe("");
      const result = JSON.parse(stdout) as BenchResult;
      for (const scenario of result.scenarios) {
        for (const measured of scenario.results) {
          expect(measured).toMatchObject({ failed: 0, problem: null, errors: [] });
          expect(measured.completed).toBeGreaterThan(0);
        }
        expect(scenario.results[0]?.serverCpuSeconds).toBeGreaterThanOrEqual(0);
        expect(scenario.results[1]?.serverCpuSeconds).toBeNull();
      }
      expect(result.ceiling).toBeGreaterThan(0);
      expect(code).toBe(0);
      for (const { url } of [first, second]) {
        expect(await (await fetch(`${url}/v2/_catalog`)).json()).toEqual({ repositories: [] });
      }
    },
    benchMs,
  );

  test(
    "writes a page",
    async () => {
      await using zot = await startZot();
      await using directory = await tempDirectory();
      const file = join(directory.path, "bench.html");
      const { code } = await bench(
        zot.host,
        "-n",
        "4",
        "-s",
        "catalog",
        "--format",
        "html",
        "--output",
        file,
      );
      expect(code).toBe(0);
      expect(await Bun.file(file).text()).toContain("Get the catalog");
    },
    benchMs,
  );

  const mistakes: [name: string, args: string[], says: string][] = [
    ["no address", [], "expected the address of a registry"],
    ["a scenario that is not there", ["127.0.0.1:1", "-s", "nothing"], "--list"],
    ["a broken expression", ["127.0.0.1:1", "-s", "("], "regular expression"],
    ["no operations", ["127.0.0.1:1", "-n", "0"], "expected --requests"],
    ["an unknown format", ["127.0.0.1:1", "--format", "pdf"], "expected --format"],
    ["a process that is none", ["127.0.0.1:1", "--pid", "x"], "number of a process"],
  ];
  for (const [name, args, says] of mistakes) {
    test(`${name}: one line, status 2`, async () => {
      const { code, stderr, stdout } = await bench(...args);
      expect({ code, lines: stderr.trim().split("\n").length, stdout }).toEqual({
        code: 2,
        lines: 1,
        stdout: "",
      });
      expect(stderr).toContain(says);
    });
  }

  test("nobody there, a stranger, silence: one line that says which, status 2", async () => {
    const garbage = createServer((socket) => socket.end("SSH-2.0-nothing\r\n"));
    const silent = createServer(() => {});
    try {
      const cases = [
        `127.0.0.1:${await freePort()}`,
        await listening(garbage),
        await listening(silent),
      ];
      for (const address of cases) {
        const { code, stderr } = await bench(address, "--timeout", "1");
        expect(code).toBe(2);
        expect(stderr.trim().split("\n")).toHaveLength(1);
        expect(stderr).toContain(address);
      }
    } finally {
      garbage.close();
      silent.close();
    }
  });
});
