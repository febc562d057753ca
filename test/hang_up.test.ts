// SIGHUP: the configuration file is read at once; and a terminal that is closed, which sends the same signal.

import { describe, expect, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  descendants,
  eventually,
  isAlive,
  type LogLine,
  packageDirectory,
  requireTool,
  startService,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import { change, changedText, refusedText, said, unchangedText, waitingText } from "./reloading.ts";

const testMs = 120_000;

describe("SIGHUP", () => {
  const hangUp = async (zot: Zot, msg: string): Promise<LogLine> => {
    const before = said(zot, msg).length;
    process.kill(zot.pid, "SIGHUP");
    return await eventually(`the log says: ${msg}`, () => said(zot, msg)[before]);
  };

  test(
    "reads the file now, says what came of it, and stops nothing",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2 } } });
      const workers = zot.workerPids();
      expect(await hangUp(zot, unchangedText)).toMatchObject({ config: zot.configFile });
      await change(zot, { http: { workers: 2, port: "5000" } }, waitingText);
      expect((await hangUp(zot, waitingText))["waiting"]).toEqual(["http.port: 0 -> 5000"]);
      await change(zot, { http: { prot: 1 } }, refusedText);
      expect(String((await hangUp(zot, refusedText))["problems"])).toContain("http.prot");
      await rm(zot.configFile);
      expect(String((await hangUp(zot, refusedText))["problems"])).toContain("no such file");
      await zot.configure({ http: { workers: 2 }, log: { level: "debug" } });
      process.kill(zot.pid, "SIGHUP");
      const line = await eventually("the change is taken", () => said(zot, changedText)[0]);
      expect(line["changed"]).toEqual(["log.level: info -> debug"]);
      expect(zot.workerPids()).toEqual(workers);
      expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
    },
    testMs,
  );

  test(
    "to all processes, again and again, is no harm",
    async () => {
      await using zot = await startZot({ config: { http: { workers: 2 } } });
      const workers = zot.workerPids();
      for (let times = 0; times < 20; times += 1) {
        for (const pid of [zot.pid, ...workers]) process.kill(pid, "SIGHUP");
        expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
      }
      await eventually("it was read again", () => said(zot, unchangedText).length > 0);
      expect(zot.workerPids()).toEqual(workers);
    },
    testMs,
  );

  /** Starts the server in a terminal of its own; `close` takes that away. */
  async function startInTerminal(directory: string, prefix: string) {
    const config = join(directory, "config.json");
    const log = join(directory, "log");
    const text = {
      storage: { rootDirectory: join(directory, "root") },
      http: { address: "127.0.0.1", port: "0", workers: 1 },
      log: { output: log },
    };
    await writeFile(config, JSON.stringify(text));
    const command = `${prefix} ${join(packageDirectory, "bin/zot")} serve ${config}`;
    const terminal = startService(["script", "-qfc", command, "/dev/null"]);
    const says = (msg: string): Promise<LogLine> =>
      eventually(`the log says: ${msg}`, async () => {
        const lines = (await readFile(log, "utf8").catch(() => "")).split("\n");
        const found = lines.find((line) => line.includes(`"msg":"${msg}"`));
        return found === undefined ? null : (JSON.parse(found) as LogLine);
      });
    await says("listening");
    const server = await eventually("the supervisor runs", () =>
      descendants(terminal.pid).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith(`serve\0${config}\0`),
      ),
    );
    const close = async (): Promise<void> => {
      process.kill(terminal.pid, "SIGKILL");
      await terminal.exited;
    };
    return { server, says, close };
  }

  describe.skipIf(!requireTool("script"))("of a terminal", () => {
    test(
      "that is still there is a reload; of one that was closed, a stop",
      async () => {
        await using directory = await tempDirectory();
        const { server, says, close } = await startInTerminal(directory.path, "exec");
        process.kill(server, "SIGHUP");
        await says(unchangedText);
        await close();
        expect((await says("stopping"))["signal"]).toBe("SIGHUP");
        await says("stopped");
        await eventually("it is gone", () => !isAlive(server));
      },
      testMs,
    );

    test(
      "does not stop a server that was told to live on without it",
      async () => {
        await using directory = await tempDirectory();
        const { server, says, close } = await startInTerminal(directory.path, "exec nohup");
        await close();
        process.kill(server, "SIGHUP");
        await says(unchangedText);
        expect(isAlive(server)).toBe(true);
        process.kill(server, "SIGTERM");
        expect((await says("stopping"))["signal"]).toBe("SIGTERM");
        await eventually("it is gone", () => !isAlive(server));
      },
      testMs,
    );
  });
});
