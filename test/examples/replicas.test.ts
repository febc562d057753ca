// examples/replicas/start.sh as a newcomer runs it: one script brings up a database, a store, two replicas and nginx; an
// image that was pushed through one is pulled through the other, and all goes on when one is killed.

import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  eventually,
  freePort,
  packageDirectory,
  requireTool,
  startService,
  tempDirectory,
  testedProgram,
} from "../harness.ts";
import { hasVersitygw } from "../objects/versitygw.ts";
import { requirePostgres } from "../postgres.ts";
import { Caller } from "./caller.ts";

const script = join(packageDirectory, "examples/replicas/start.sh");
const canRun = requirePostgres() && hasVersitygw() && requireTool("nginx") && requireTool("curl");

/** The first of five ports in a row that are free. */
async function freeRow(): Promise<number> {
  for (;;) {
    const first = await freePort();
    const others = [1, 2, 3, 4].map((each) => first + each);
    if (first < 65_000 && others.every(isFree)) return first;
  }
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!canRun)(
  "start.sh: push through one, pull through the other, kill one, go on",
  async () => {
    await using directory = await tempDirectory("zot-replicas");
    const front = await freeRow();
    const env = { FRONT_PORT: String(front), ZOT: await testedProgram() };
    const started = () => startService([script, directory.path], { env });
    const ready = /The registry: (\S+), by two replicas: (\S+) and (\S+)/;
    let digest: string | null;
    {
      await using service = started();
      const line = await service.waitForLine("both serve", (text) => ready.test(text), 60_000);
      const [, url = "", first = "", second = ""] = ready.exec(line) ?? [];
      expect(await new Caller(first).push("app", "1")).toBe(201);
      const seen = await new Caller(second).ask("GET", "/v2/app/manifests/1");
      expect(seen.status).toBe(200);
      digest = seen.headers.get("docker-content-digest");

      const kill = await service.waitForLine("how to end one", (text) => /^ +kill \d+$/.test(text));
      process.kill(Number(kill.trim().replace("kill ", "")), "SIGKILL");
      await eventually("the first is gone", async () => {
        return (await fetch(`${first}/livez`).catch(() => null)) === null;
      });
      for (let at = 2; at < 6; at += 1) {
        expect(await new Caller(url).push("app", String(at))).toBe(201);
        expect(await new Caller(url).get(`/v2/app/manifests/${at}`)).toBe(200);
      }
      await service.stop();
      expect(await fetch(url).catch(() => null)).toBeNull();
    }
    // What was acknowledged is there when the script runs again.
    await using again = started();
    const line = await again.waitForLine("both serve again", (text) => ready.test(text), 60_000);
    const [, url = ""] = ready.exec(line) ?? [];
    const seen = await new Caller(url).ask("GET", "/v2/app/manifests/1");
    expect(seen.headers.get("docker-content-digest")).toBe(digest);
    expect(await new Caller(url).get("/v2/app/manifests/5")).toBe(200);
  },
  240_000,
);
