// A campaign over replicas: clients push, move, mount, delete and undo by way of a balancer while replicas are killed,
// the database crashes and the store of objects misbehaves. Then everything is compared: what clients were told with
// every replica, rows with objects. At the end all is deleted, and nothing may be left.
//
// Each `every` acknowledged operations all faults end, clients wait, and the comparison is made in calm weather.

import { freePort } from "../harness.ts";
import { checkRows } from "../objects/check_rows.ts";
import { startRoundRobin } from "../round_robin.ts";
import { CampaignClient, Unanswered } from "./campaign_client.ts";
import { campaignEvents, Replica, type Befallen, type CampaignEvent } from "./campaign_events.ts";
import { CampaignJournal } from "./campaign_journal.ts";
import {
  fakeStore,
  postgresDatabase,
  sqliteDatabase,
  type CampaignDatabase,
  type CampaignStore,
} from "./campaign_places.ts";
import { randomOf } from "./load.ts";

export interface CampaignOptions {
  /** Acknowledged ones. */
  readonly operations: number;
  readonly seed: number;
  /** With SQLite one server is the only one, and keeps its root directory. */
  readonly database?: "postgres" | "sqlite";
  readonly replicas?: number;
  readonly clients?: number;
  /** Operations between two comparisons. */
  readonly every?: number;
  /** Between two events of one kind so many operations are acknowledged at most. */
  readonly calm?: number;
  /** What nothing names is collected after it, and was held for an undo for half of it. */
  readonly gcDelayMs?: number;
  /** Without any, all weather is calm. */
  readonly events?: readonly CampaignEvent[];
  readonly say?: (line: string) => void;
  /** Breaks something before the last comparison: the mistake that must be seen. */
  readonly planted?: (world: {
    readonly database: CampaignDatabase;
    readonly store: CampaignStore;
  }) => Promise<void>;
}

export interface CampaignResult {
  readonly problems: readonly string[];
  readonly acknowledged: number;
  /** Requests of unknown outcome. */
  readonly unknown: number;
  /** How often each thing happened. */
  readonly counts: Readonly<Record<string, number>>;
  /** What replicas said of themselves, for who looks for the cause of a problem. */
  readonly warnings: readonly string[];
}

const gcDelayMsDefault = 20_000;
/** Calm weather does not last forever without an acknowledgement. */
const stuckMs = 120_000;
const problemsMax = 20;

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const {
    database: kind = "postgres",
    seed,
    gcDelayMs = gcDelayMsDefault,
    say = () => {},
  } = options;
  await using store = await fakeStore();
  await using database = await (kind === "sqlite" ? sqliteDatabase() : postgresDatabase());
  const config = {
    storage: {
      ...database.options,
      ...store.options,
      gcDelay: `${gcDelayMs}ms`,
      gcInterval: "2s",
      removalDelay: "1h",
      undo: { window: `${gcDelayMs / 2}ms`, pin: "1s" },
    },
  };
  const replicas: Replica[] = [];
  for (let count = kind === "sqlite" ? 1 : (options.replicas ?? 3); count > 0; count -= 1) {
    replicas.push(new Replica(config, await freePort(), database.rootDirectory));
  }
  try {
    await Promise.all(replicas.map((replica) => replica.start()));
    const campaign = new Campaign(options, { store, database, replicas, random: randomOf(seed) });
    return await campaign.run();
  } finally {
    for (const replica of replicas) {
      replica.signal("SIGCONT");
      await replica.kill().catch((error: unknown) => say(String(error)));
    }
  }
}

interface Places {
  readonly store: CampaignStore;
  readonly database: CampaignDatabase;
  readonly replicas: readonly Replica[];
  readonly random: (below: number) => number;
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #places: Places;
  readonly #journal = new CampaignJournal();
  readonly #counts: Record<string, number> = {};
  readonly #say: (line: string) => void;
  readonly #fences = new Map<string, number>();

  constructor(options: CampaignOptions, places: Places) {
    this.#options = options;
    this.#places = places;
    this.#say = options.say ?? (() => {});
  }

  async run(): Promise<CampaignResult> {
    const { operations, seed, clients: count = 8, every = 5_000, planted } = this.#options;
    const { gcDelayMs = gcDelayMsDefault } = this.#options;
    const { replicas, random } = this.#places;
    const urls = replicas.map(({ url }) => url);
    await using balancer = await startRoundRobin(urls);
    const clients = Array.from(
      { length: count },
      (_, index) =>
        new CampaignClient({
          url: balancer.url,
          replicas: urls,
          journal: this.#journal,
          index,
          random: randomOf(seed * 1_000 + index),
          gcDelayMs,
          undoWindowMs: gcDelayMs / 2,
          count: (name) => this.#count(name),
        }),
    );
    const { problems } = this.#journal;
    while (this.#journal.acknowledged < operations && problems.length === 0) {
      const until = Math.min(operations, this.#journal.acknowledged + every);
      await this.#stormTo(until, clients);
      if (this.#journal.acknowledged >= operations) await planted?.(this.#places);
      await this.#journal.check(urls, { goneMax: 1_000, random });
      problems.push(...(await this.#compare()));
      const { acknowledged, unknown } = this.#journal;
      this.#say(`${acknowledged} acknowledged, ${unknown} unknown, ${problems.length} problems`);
    }
    if (problems.length === 0) {
      this.#say("all is deleted");
      problems.push(...(await this.#clear(balancer.url)));
    }
    const { acknowledged, unknown } = this.#journal;
    return {
      problems: problems.slice(0, problemsMax),
      acknowledged,
      unknown,
      counts: this.#counts,
      warnings: replicas.flatMap((each) => [...each.errors, ...each.warnings()]),
    };
  }

  #count(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }

  /** Clients work and faults happen until so much was acknowledged; then there is calm. */
  async #stormTo(wanted: number, clients: readonly CampaignClient[]): Promise<void> {
    const { events = campaignEvents, calm = 400 } = this.#options;
    const journal = this.#journal;
    const over = Promise.withResolvers<void>();
    const state = { isOver: false };
    const pause = async (ms: number): Promise<void> => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const passed = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      });
      await Promise.race([passed, over.promise]);
      clearTimeout(timer);
    };
    const world: Befallen = { ...this.#places, pause };
    const storms = (["replica", "database", "store"] as const).map(async (on) => {
      const own = events.filter((event) => event.on === on && this.#isAble(event, world));
      while (!state.isOver && own.length > 0) {
        const from = journal.acknowledged + world.random(calm);
        while (!state.isOver && journal.acknowledged < from) await pause(20);
        if (state.isOver) return;
        const event = weighted(own, world.random);
        this.#count(event.name);
        this.#say(`${journal.acknowledged}: ${event.name}`);
        await event.run(world);
        this.#say(`${journal.acknowledged}: over: ${event.name}`);
      }
    });
    const working = clients.map(async (client) => {
      while (!state.isOver) await this.#step(client);
    });
    let [last, sinceMs] = [journal.acknowledged, performance.now()];
    while (journal.acknowledged < wanted && journal.problems.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (journal.acknowledged > last) [last, sinceMs] = [journal.acknowledged, performance.now()];
      else if (performance.now() - sinceMs > stuckMs) {
        journal.problems.push(`nothing was acknowledged in ${stuckMs} ms`);
      }
    }
    state.isOver = true;
    over.resolve();
    await Promise.all(storms);
    await Promise.all(working);
  }

  async #step(client: CampaignClient): Promise<void> {
    try {
      await client.step();
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.#say(error.message);
      client.useOtherNames();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #isAble(event: CampaignEvent, world: Befallen): boolean {
    const why = event.unable?.(world) ?? null;
    if (why !== null && this.#counts[`skipped: ${event.name}`] === undefined) {
      this.#counts[`skipped: ${event.name}`] = 1;
      this.#say(`skipped: ${event.name}: ${why}`);
    }
    return why === null;
  }

  /** Rows against objects, in calm weather. */
  async #compare(): Promise<string[]> {
    const { database, store } = this.#places;
    await using rows = database.rows();
    // Parts between whose beginning and row a replica died are the store's to end.
    const partsMax = this.#journal.unknown;
    return [...(await checkRows(rows, store.held, { partsMax })), ...(await this.#checkFences())];
  }

  /** Fences of leases only grow. */
  async #checkFences(): Promise<string[]> {
    await using rows = this.#places.database.rows();
    const leases = await rows
      .all<{ name: string; fence: number | string }>("SELECT name, fence FROM leases")
      .catch(() => []);
    return leases.flatMap(({ name, fence }) => {
      const before = this.#fences.get(name) ?? 0;
      this.#fences.set(name, Number(fence));
      return Number(fence) < before ? [`the fence of ${name} went from ${before} to ${fence}`] : [];
    });
  }

  /** Deletes every tag; what is left in rows and in the store once collection has run. */
  async #clear(url: string): Promise<string[]> {
    const { database, store, replicas } = this.#places;
    for (const { repository, tag } of this.#journal.tags) {
      await fetch(`${url}/v2/${repository}/manifests/${tag}`, { method: "DELETE" });
    }
    this.#journal.forget();
    const left = async (): Promise<string[]> => {
      await using rows = database.rows();
      const tables = ["tags", "manifests", "blobs", "held_manifests", "held_blobs", "orphans"];
      const counted = await Promise.all(
        tables.map(async (table) => {
          const [row] = await rows.all<{ n: number | string }>(
            `SELECT count(*) AS n FROM ${table}`,
          );
          return { table, rows: Number(row?.n) };
        }),
      );
      return counted.filter((each) => each.rows > 0).map(({ table, rows: n }) => `${n} ${table}`);
    };
    try {
      await emptied("collection takes all that nothing names", left);
      const inStore = async (): Promise<string[]> => {
        await using rows = database.rows();
        const objects = [...(await store.held.list()).keys()].filter(
          // What a start that failed left of its probe is the audit's to remove.
          (key) => key !== "registry.json" && !key.startsWith("probe/"),
        );
        // Keys are reserved ahead, before their first bytes.
        const keys = await rows.all<{ key: string; state: string }>(
          "SELECT key, state FROM objects_keys WHERE state <> 'reserved'",
        );
        const names = await rows.all<{ name: string }>("SELECT name FROM objects_names");
        return [
          ...objects.map((key) => `object ${key}`),
          ...keys.map(({ key, state }) => `row of ${key}, ${state}`),
          ...names.map(({ name }) => `name ${name}`),
        ];
      };
      // Jobs have their turn when a server starts that finds nobody else at them: one ends uploads, another removes.
      for (let starts = 3; starts > 0 && (await inStore()).length > 0; starts -= 1) {
        await database.run("UPDATE objects_keys SET since = 1");
        await database.run("UPDATE uploads SET touched = 1").catch(() => undefined);
        await Promise.all(replicas.map((replica) => replica.stop()));
        await Promise.all(replicas.map((replica) => replica.start()));
        await emptied("no object is left", inStore, 20_000).catch(() => undefined);
      }
      return (await inStore()).map((each) => `at the end: ${each}`);
    } catch (error) {
      const objects = [...(await store.held.list()).keys()].slice(0, 10);
      await using rows = database.rows();
      const candidates = await rows.all<object>(
        "SELECT kind, reason, count(*) AS n, min(since) AS since, min(look_at) AS look FROM candidates GROUP BY kind, reason",
      );
      return [
        `at the end: ${String(error)}; ${(await left()).join(", ")}; ${objects.join(" ")}; ` +
          `${JSON.stringify(candidates)} at ${Date.now()}`,
      ];
    }
  }
}

/** As long as it becomes less: under load that takes its time. */
async function emptied(
  what: string,
  left: () => Promise<readonly string[]>,
  withinMs = 150_000,
): Promise<void> {
  let [before, sinceMs] = ["", performance.now()];
  for (;;) {
    const now = (await left()).join("\n");
    if (now === "") return;
    if (now !== before) [before, sinceMs] = [now, performance.now()];
    if (performance.now() - sinceMs > withinMs) {
      throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function weighted(
  events: readonly CampaignEvent[],
  random: (below: number) => number,
): CampaignEvent {
  const all = events.flatMap((event) => Array.from({ length: event.weight }, () => event));
  return all[random(all.length)] as CampaignEvent;
}
