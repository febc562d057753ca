// The guide "Upgrades without downtime": a new server takes its place on the port and the root of the old one, under
// load, and no request is lost.

import { expect, test } from "bun:test";
import { eventually, freePort, runOk, startZot, tempDirectory, type Zot } from "../harness.ts";
import { checkRoot } from "./check_root.ts";
import { Journal } from "./journal.ts";
import { startLoad } from "./load.ts";
import { checkAtRest } from "./processes_killed.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const handovers = 3;
const callers = 6;

/** Callers that open a connection for each request, as a new client does. */
function startCalls(url: string) {
  const failed: string[] = [];
  const state = { answers: 0, stopping: false };
  const running = Array.from({ length: callers }, async () => {
    while (!state.stopping) {
      const answer = await fetch(`${url}/v2/`, { keepalive: false }).catch(String);
      if (typeof answer === "string") failed.push(answer);
      else if (!answer.ok) failed.push(String(answer.status));
      state.answers += 1;
    }
  });
  return {
    failed,
    answers: () => state.answers,
    stop: async () => {
      state.stopping = true;
      await Promise.all(running);
    },
  };
}

test("a server hands its port over to the next one, again and again, and no request is lost", async () => {
  console.log(`handover: ZOT_SEED=${seed}`);
  await using directory = await tempDirectory("zot-handover");
  const rootDirectory = `${directory.path}/root`;
  const config = { storage: { shared: true }, http: { port: await freePort(), workers: 2 } };
  const start = (): Promise<Zot> => startZot({ rootDirectory, config });
  const journal = new Journal();
  let serving = await start();
  await using all = new AsyncDisposableStack();
  all.use(serving);
  const { url } = serving;
  await eventually("it is ready", async () => (await fetch(`${url}/readyz`)).ok);
  const load = startLoad({ url, journal, clients: 4, seed });
  const calls = startCalls(url);
  for (let round = 0; round < handovers; round += 1) {
    await load.acknowledged(40);
    // As the guide finds it.
    const found = await runOk("pgrep", ["--oldest", "--full", `serve ${serving.configFile}`]);
    expect(Number(found.stdout)).toBe(serving.pid);
    // "listening" is told once every worker takes connections.
    const next = all.use(await start());
    await load.acknowledged(20);
    expect(await serving.stop()).toBe(0);
    await load.acknowledged(40);
    serving = next;
  }
  await calls.stop();
  await load.stop();
  expect(calls.failed).toEqual([]);
  expect(calls.answers()).toBeGreaterThan(100);
  expect(load.failures()).toBe(0);
  expect(await journal.check(url)).toEqual([]);
  expect(await serving.stop()).toBe(0);
  expect(checkRoot(rootDirectory).violations).toEqual([]);
  expect(checkAtRest(rootDirectory, journal)).toEqual([]);
}, 120_000);
