// The supervisor between workers that die and a primary that is slow: whose commit a reply is.

import { expect, test } from "bun:test";
import { checkConfig } from "../config/load.ts";
import { logTo } from "../lib/log.ts";
import type { AnyCommit, CommitOutcome } from "../metadata/metadata.ts";
import type { Primary } from "../server.ts";
import { Supervisor } from "./supervisor.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";
import type { WorkerListener, WorkerProcess } from "./worker_process.ts";

/** What the supervisor sees of a process, with what it was told. */
class StandIn {
  readonly told: ToWorker[] = [];
  readonly listening = Promise.withResolvers<WorkerListener>();
  readonly ended = Promise.withResolvers<void>();
  #onTold: (() => void) | null = null;

  get exited(): Promise<void> {
    return this.ended.promise;
  }

  listen(listener: WorkerListener): void {
    this.listening.resolve(listener);
  }

  send(message: ToWorker): void {
    this.told.push(message);
    this.#onTold?.();
  }

  kill(): void {
    this.ended.resolve();
  }

  /** Ids of the commits that it was told the outcome of, once there are so many. */
  async outcomes(
    count: number,
  ): Promise<(readonly [id: number, committed: boolean | undefined])[]> {
    const found = () =>
      this.told.flatMap((message) =>
        message.type === "replies"
          ? message.replies.map(({ id, outcome }) => [id, outcome?.committed] as const)
          : [],
      );
    while (found().length < count) {
      await new Promise<void>((resolve) => {
        this.#onTold = resolve;
      });
    }
    return found();
  }
}

/** A primary whose commits are settled by the test, and a supervisor of one worker. */
function supervise(children: readonly StandIn[]) {
  const commits: PromiseWithResolvers<CommitOutcome>[] = [];
  const primary: Primary = {
    committer: {
      commit: () => {
        const settled = Promise.withResolvers<CommitOutcome>();
        commits.push(settled);
        return settled.promise;
      },
    },
    reconciled: Promise.resolve(),
    lost: new Promise(() => {}),
    watchHealth: () => {},
    places: () => ({}),
    workerEnded: () => {},
    reconfigure: () => {},
    stop: async () => {},
  };
  const loaded = checkConfig({ http: { address: "127.0.0.1", port: "5000", workers: 1 } });
  if ("problems" in loaded) throw new Error(loaded.problems.join());
  const log = logTo({ write: () => {} }, { level: "silent", base: {} });
  const early = children as unknown as readonly WorkerProcess[];
  return { commits, supervisor: new Supervisor(loaded.config, { primary, tls: null, log, early }) };
}

const work: AnyCommit = {
  repository: "a",
  preconditions: [],
  changes: [{ kind: "create-repository" }],
  by: null,
};
const request = (id: number): FromWorker => ({ type: "commit", id, commit: work });

test("the outcome of a dead worker's commit is not taken for one of the worker in its place", async () => {
  const [first, second] = [new StandIn(), new StandIn()];
  const { commits, supervisor } = supervise([first, second]);
  const started = supervisor.start();
  const before = await first.listening.promise;
  before.message({ type: "listening", port: 5000 });
  expect(await started).not.toBeNull();
  before.message(request(1));
  before.exit("SIGKILL");
  first.kill();
  const after = await second.listening.promise;
  after.message({ type: "listening", port: 5000 });
  // Each worker counts its commits from 1.
  after.message(request(1));
  expect(commits).toHaveLength(2);
  commits[0]?.resolve({ committed: true });
  commits[1]?.resolve({ committed: false, failed: [] });
  expect(await second.outcomes(1)).toEqual([[1, false]]);
  expect(first.told.some(({ type }) => type === "replies")).toBe(true);
  second.kill();
  await supervisor.stop();
});

test("commits that are settled together are told together", async () => {
  const child = new StandIn();
  const { commits, supervisor } = supervise([child]);
  const started = supervisor.start();
  const worker = await child.listening.promise;
  worker.message({ type: "listening", port: 5000 });
  await started;
  for (const id of [1, 2, 3]) worker.message(request(id));
  for (const commit of commits) commit.resolve({ committed: true });
  expect(await child.outcomes(3)).toEqual([
    [1, true],
    [2, true],
    [3, true],
  ]);
  expect(child.told.filter(({ type }) => type === "replies")).toHaveLength(1);
  child.kill();
  await supervisor.stop();
});
