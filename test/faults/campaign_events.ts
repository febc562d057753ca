// What befalls a campaign: replicas that die, stop and have wrong clocks, a database that crashes and is silent, a store
// of objects that refuses, cuts, lies and is slow, and days that pass. Each event is a row of a table.

import { existsSync } from "node:fs";
import type { Asked, Fault, FakeOperation } from "../objects/fake_s3.ts";
import { descendants, signalTo, startZot, type Zot } from "../harness.ts";
import type { CampaignDatabase, CampaignStore } from "./campaign_places.ts";

type Random = (below: number) => number;

const fakeTime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/** One server of the campaign, which has an address of its own through all its lives. */
export class Replica {
  readonly #config: object;
  readonly #port: number;
  readonly #rootDirectory: string | null;
  #zot: Zot | null = null;
  /** Of everything that its lives wrote to standard error. */
  readonly errors: string[] = [];
  readonly #warnings: string[] = [];

  constructor(config: object, port: number, rootDirectory: string | null) {
    this.#config = config;
    this.#port = port;
    this.#rootDirectory = rootDirectory;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** With an empty root directory, unless it is the only one. */
  async start(ahead: string | null = null): Promise<void> {
    const env = ahead === null ? {} : { LD_PRELOAD: fakeTime, FAKETIME: ahead, ...monotonic };
    const rootDirectory = this.#rootDirectory;
    for (let tries = 1; ; tries += 1) {
      try {
        this.#zot = await startZot({
          config: { ...this.#config, http: { port: String(this.#port), workers: 1 } },
          ...(rootDirectory === null ? {} : { rootDirectory }),
          env,
        });
        return;
      } catch (error) {
        // A database or store that is down refuses the start; whoever runs servers starts them again.
        this.errors.push(`start ${tries}: ${String(error)}`);
        if (tries >= 60) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  /** Kill -9: its root directory is gone, too. */
  async kill(): Promise<void> {
    await this.#end((zot) => zot.kill());
  }

  async stop(): Promise<void> {
    await this.#end((zot) => zot.stop());
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    if (this.#zot === null) return;
    for (const pid of [this.#zot.pid, ...this.#zot.workerPids()]) signalTo(pid, name);
  }

  /** What its log warns of, newest last. */
  warnings(): readonly string[] {
    if (this.#zot !== null) this.#keepWarnings(this.#zot);
    return this.#warnings;
  }

  #keepWarnings(zot: Zot): void {
    const warned = zot.logs().filter(({ level }) => level !== "info" && level !== "debug");
    this.#warnings.push(...warned.map((line) => JSON.stringify(line)));
  }

  async #end(how: (zot: Zot) => Promise<unknown>): Promise<void> {
    const zot = this.#zot;
    this.#zot = null;
    if (zot === null) return;
    await how(zot);
    this.errors.push(...zot.stderr());
    this.#keepWarnings(zot);
    await zot[Symbol.asyncDispose]();
  }
}

const monotonic = { FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1" };

export interface Befallen {
  readonly replicas: readonly Replica[];
  readonly database: CampaignDatabase;
  readonly store: CampaignStore;
  readonly random: Random;
  /** Some time, or until the campaign is over. */
  readonly pause: (ms: number) => Promise<void>;
}

export interface CampaignEvent {
  readonly name: string;
  /** Two events of one kind do not happen at once. */
  readonly on: "replica" | "database" | "store";
  /** How often, against the others of its kind. */
  readonly weight: number;
  /** Why it cannot happen here; null where it can. */
  readonly unable?: (world: Befallen) => string | null;
  /** All is well again when it resolves. */
  run(world: Befallen): Promise<void>;
}

const needsReplicas = ({ database }: Befallen): string | null =>
  database.rootDirectory === null ? null : "one server alone";
const needsPostgres = ({ database }: Befallen): string | null =>
  database.postgres === null ? "no PostgreSQL" : null;
const needsFakeTime = (): string | null =>
  existsSync(fakeTime) ? null : "not installed: faketime";

const day = 25 * 60 * 60_000;

export const campaignEvents: readonly CampaignEvent[] = [
  {
    name: "a replica is killed",
    on: "replica",
    weight: 6,
    run: async (world) => {
      const replica = one(world);
      await replica.kill();
      await world.pause(world.random(1_500));
      await replica.start();
    },
  },
  {
    name: "a replica stops for some seconds",
    on: "replica",
    weight: 4,
    run: async (world) => {
      const replica = one(world);
      replica.signal("SIGSTOP");
      await world.pause(500 + world.random(6_000));
      replica.signal("SIGCONT");
    },
  },
  {
    name: "a replica stops for longer than a lease",
    on: "replica",
    weight: 1,
    unable: needsReplicas,
    run: async (world) => {
      const replica = one(world);
      replica.signal("SIGSTOP");
      await world.pause(36_000);
      replica.signal("SIGCONT");
    },
  },
  {
    name: "a replica is ended and started again",
    on: "replica",
    weight: 2,
    run: async (world) => {
      const replica = one(world);
      await replica.stop();
      await replica.start();
    },
  },
  {
    name: "the clock of a replica is ten minutes off",
    on: "replica",
    weight: 2,
    unable: (world) => needsReplicas(world) ?? needsFakeTime(),
    run: async (world) => {
      const replica = one(world);
      await replica.kill();
      await replica.start(world.random(2) === 0 ? "+10m" : "-10m");
    },
  },
  {
    name: "the database crashes",
    on: "database",
    weight: 3,
    unable: needsPostgres,
    run: async (world) => {
      const { postgres } = world.database;
      await postgres?.kill();
      await world.pause(world.random(2_000));
      await postgres?.start();
    },
  },
  {
    name: "the database is silent",
    on: "database",
    weight: 3,
    unable: needsPostgres,
    run: async (world) => {
      const pid = world.database.postgres?.pid ?? 0;
      const all = [pid, ...descendants(pid)];
      for (const each of all) signalTo(each, "SIGSTOP");
      await world.pause(500 + world.random(14_000));
      for (const each of all) signalTo(each, "SIGCONT");
    },
  },
  {
    name: "the database ends its connections",
    on: "database",
    weight: 5,
    unable: needsPostgres,
    run: async ({ database }) => {
      await database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zot'",
      );
    },
  },
  {
    name: "a day passes for what nothing names",
    on: "database",
    weight: 4,
    run: async ({ database }) => {
      await database.run(`UPDATE objects_keys SET since = since - ${day} WHERE state = 'garbage'`);
    },
  },
  {
    name: "a day passes for what is being written",
    on: "database",
    weight: 1,
    run: async ({ database }) => {
      await database.run(
        `UPDATE objects_keys SET since = since - ${day} WHERE state IN ('writing', 'reserved')`,
      );
    },
  },
  storeEvent(
    "the store answers 503",
    3,
    (random) => () => (random(4) > 0 ? { status: 503, code: "SlowDown" } : null),
  ),
  storeEvent(
    "the store resets connections",
    2,
    (random) => () => (random(3) === 0 ? { reset: true } : null),
  ),
  storeEvent(
    "the store cuts bodies",
    3,
    (random) =>
      ({ operation }) =>
        operation === "get" && random(2) === 0 ? { cut: random(200) } : null,
  ),
  storeEvent("the store answers 200 with an error inside", 2, (random) => ({ operation }) => {
    if (operation !== "complete") return null;
    const done = random(2) === 0 ? ({ done: true } as const) : {};
    return { ...done, status: 200, code: "InternalError" };
  }),
  storeEvent(
    "the store does it, and says 500",
    3,
    (random) =>
      ({ operation }) =>
        isWrite(operation) && random(2) === 0
          ? { done: true, status: 500, code: "InternalError" }
          : null,
  ),
  storeEvent(
    "the store is silent now and then",
    1,
    (random) =>
      ({ operation }) =>
        operation !== "list" && random(10) === 0 ? { silent: true } : null,
  ),
  {
    name: "the store is slow",
    on: "store",
    weight: 3,
    run: async ({ store: { fake }, random, pause }) => {
      fake.pauseMs = () => random(400);
      await pause(1_000 + random(6_000));
      fake.pauseMs = () => 0;
    },
  },
];

function one({ replicas, random }: Befallen): Replica {
  return replicas[random(replicas.length)] as Replica;
}

function isWrite(operation: FakeOperation): boolean {
  return ["put", "part", "complete", "remove", "create"].includes(operation);
}

function storeEvent(
  name: string,
  weight: number,
  faultOf: (random: Random) => (asked: Asked) => Fault | null,
): CampaignEvent {
  return {
    name,
    on: "store",
    weight,
    run: async ({ store: { fake }, random, pause }) => {
      fake.fault = faultOf(random);
      await pause(500 + random(5_000));
      fake.fault = () => null;
    },
  };
}
