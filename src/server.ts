/**
 * The composition root: the list of parts that a server is made of.
 *
 * A server is one *primary* (holds the root, writes the metadata, runs the jobs) and any number of *workers* (answer
 * HTTP, read the metadata, send their commits to the primary). `startServer` runs both in one process;
 * `cli/serve.ts` runs a primary that supervises worker processes; `create_registry.ts` answers without listening.
 */
import type { Health } from "./api/app.ts";
import type { LoginNews } from "./auth/throttle.ts";
import type { Config, RegistryConfig } from "./config/schema.ts";
import type { Extension } from "./extensions/extension.ts";
import { extensions } from "./extensions/extensions.ts";
import { checkExtensions, PrimaryExtensions, type Places } from "./extensions/open_extensions.ts";
import type { TlsMaterial } from "./http/tls_material.ts";
import { runHere, type HeavyRunner } from "./jobs/heavy_work.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import type { Log } from "./lib/log.ts";
import { keptCertificate, openListener, openTls } from "./listeners.ts";
import type { Committer } from "./metadata/metadata.ts";
import { moves } from "./metadata/moves.ts";
import { warnOfPastNames } from "./registry/history/past.ts";
import type { Registry } from "./registry/registry.ts";
import { openAnswers } from "./server/answers.ts";
import { HealthWatch } from "./server/health_watch.ts";
import { openPlace } from "./server/open_place.ts";
import { openRegistry } from "./server/open_registry.ts";
import { openRoot } from "./server/open_root.ts";
import { reporter } from "./server/reporter.ts";
import type { Root, Writer } from "./server/root.ts";
import { extensionParts } from "./server/served.ts";
import { QuotaRows } from "./server/quota_rows.ts";
import { registryAdvice, subStoreFindings } from "./server/sub_root.ts";
import { startJobs, startProbe, UsersFile } from "./server/upkeep.ts";
import { urlOf } from "./server/urls.ts";
import type { Stores } from "./storage/stores.ts";
import { checkFiles as checkSettingsFiles, checkSettings, type FileFindings } from "./settings.ts";

export {
  collectOffline,
  type OfflineLine,
  type OfflineOptions,
  type OfflineTotals,
} from "./server/collect_offline.ts";

export type { LostContent, MoveEvent, MoveReport } from "./server/moving/move_events.ts";
export {
  backUp,
  exportsOf,
  restore,
  takeAsTheyAre,
  type WhichExport,
} from "./server/recovery/restore_metadata.ts";
export { moveRegistry } from "./server/moving/move_registry.ts";
export { takeIn, type TakeInEvent, type TakeInReport } from "./server/moving/take_in.ts";
export { openBucketTree } from "./server/foreign_object_root.ts";

export interface Primary {
  /** Where workers of this process or others send their commits. */
  readonly committer: Committer;
  /** Resolves when what lay on disk before the start is served. */
  readonly reconciled: Promise<void>;
  /**
   * Resolves with one line for the operator when files that it holds open were removed or replaced. Nothing is
   * acknowledged any more; all that is left to do is to end, without `stop`, which would write from lost metadata.
   */
  readonly lost: Promise<string>;
  /** Calls the listener now and whenever it changes: why requests should go elsewhere for now; null for no reason. */
  watchHealth(listener: (problem: string | null) => void): void;
  /** What the extensions of a worker with this number, from 1, are opened with. */
  places(worker: number): Places;
  /** A worker with these places is gone, unasked when it ended by itself. */
  workerEnded(places: Places, asked: boolean): void;
  /** Does its work by another configuration, which differs in what may change while it runs. */
  reconfigure(config: RegistryConfig): void;
  stop(): Promise<void>;
}

export interface PrimaryOptions {
  /** Where everything lies. */
  readonly root: Root;
  readonly clock?: Clock;
  /** Without it those of the product. */
  readonly extensions?: readonly Extension[] | undefined;
  /** Where heavy work is run; without it in this process. */
  readonly heavy?: (committer: Committer) => HeavyRunner<Registry>;
}

/** Claims the root directory, opens the metadata for writing and starts the jobs. */
export function startPrimary(
  config: Config,
  log: Log,
  options: Omit<PrimaryOptions, "root"> = {},
): Promise<Primary> {
  const root = openPlace(config, options.clock ?? systemClock);
  return startPrimaryOn(config, log, { root, ...options });
}

/** As `startPrimary`, wherever everything lies. */
export async function startPrimaryOn(
  config: RegistryConfig,
  log: Log,
  { root, clock = systemClock, extensions: table = extensions, heavy: openHeavy }: PrimaryOptions,
): Promise<Primary> {
  const report = reporter(log);
  const openClaimed = async () => {
    for (const warning of await checkExtensions(table, config)) log.warn(warning);
    const stores = await root.prepareBytes();
    const opened = new PrimaryExtensions(table, extensionParts(table, { config, clock, report }));
    const writer = await root.openWriter({ clock, onBatch: opened.onBatch });
    await requireWhole(root, stores, writer);
    return { stores, opened, writer };
  };
  const claim = await openRoot(config, root, log);
  const { stores, opened, writer } = await openClaimed().catch((error: unknown) => {
    claim.release();
    throw error;
  });
  const committer = opened.commits(writer.committer);
  let inForce = config;
  const parties = { root, stores, committer, clock, report, inForce: () => inForce };
  const registry = openRegistry(config, parties);
  await warnOfPastNames(registry);
  const quotas = new QuotaRows(registry);
  await quotas.set(config);
  const heavy = openHeavy?.(committer) ?? runHere(registry);
  const reconciled = Promise.withResolvers<void>();
  const jobs = await startJobs({
    registry,
    stores,
    heavy,
    leases: root.leases,
    extensions: opened,
    exporter: root.exporter ?? null,
    config: () => inForce,
    onReconciled: reconciled.resolve,
  });
  const health = new HealthWatch();
  const probe = startProbe(stores, writer, registry);
  probe.watch((problem) => health.tell("root", problem));
  opened.readiness((name, problem) => health.tell(name, problem));
  const users = new UsersFile(config, { committer, clock, report });
  await users.settled();
  return {
    committer: waking(committer, jobs),
    reconciled: reconciled.promise,
    lost: writer.lost,
    watchHealth: (listener) => health.watch(listener),
    places: (worker) => opened.places(worker),
    workerEnded: (places, asked) => opened.workerEnded(places, asked),
    reconfigure: (next) => {
      inForce = next;
      users.reconfigure(next);
      try {
        opened.reconfigure(next);
      } catch (error) {
        // It was checked a moment ago: a file of it is gone meanwhile.
        report("error", "background work goes on as it was", { problem: String(error) });
      }
      jobs.reconfigured();
      void quotas.set(next).then(() => jobs.kick());
    },
    stop: async () => {
      await users.close();
      await quotas.settled();
      await probe.stop();
      await jobs.stop();
      await heavy.close();
      await registry.metadata.close();
      await writer.close();
      await stores.close();
      await opened.close();
      claim.release();
    },
  };
}

/** @throws with one line where another registry is being moved here: it knows less than it has. */
async function requireWhole(root: Root, stores: Stores, writer: Writer): Promise<void> {
  const view = { committer: writer.committer, remembers: false, onLookup: undefined };
  const metadata = root.openMetadata(view);
  const from = await metadata.records(moves).from();
  await metadata.close();
  if (from === null) return;
  await writer.close();
  await stores.close();
  throw new Error(
    `expected a registry that is whole, found one that is being filled from ${from}; ` +
      "run 'zot migrate' again until it says that it has moved",
  );
}

/** Tells background work of every commit. */
function waking(committer: Committer, sleeper: { kick(): void }): Committer {
  return {
    commit: async (request) => {
      const outcome = await committer.commit(request);
      if (outcome.committed) sleeper.kick();
      return outcome;
    },
  };
}

export interface Worker {
  readonly port: number;
  readonly health: Health;
  /** Serves new connections with another certificate, key and authorities. Never rejects. */
  replaceTls(material: TlsMaterial): Promise<void>;
  /** Another worker tells of a login there. */
  learn(news: LoginNews): void;
  /**
   * Answers by another configuration, which differs in what may change while it runs: for requests that come from now
   * on. @throws with one line for the operator when it cannot; then all is as it was.
   */
  reconfigure(config: Config): Promise<void>;
  /** Leaves the port to other workers and waits until its connections should have ended; then it is to be stopped. */
  retire(): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

/** What a worker is started with. */
export interface WorkerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly committer: Committer;
  readonly port: number;
  readonly sharePort: boolean;
  /** Prefix of request ids, different in each process. */
  readonly idPrefix: string;
  /** What `openTls` gave; null when the configuration has no TLS. */
  readonly tls?: TlsMaterial | null;
  /** What the primary's `places` gave for this worker. */
  readonly places?: Places;
  /** Tells other workers of logins here. */
  readonly tell?: (news: LoginNews) => void;
}

/** Opens the root for reading and listens. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { log } = options;
  const root = openPlace(options.config, systemClock);
  const answers = await openAnswers({ clock: systemClock, root, ...options });
  const listener = openListener(options, {
    ...answers.limits(),
    dispatch: (request, connection) => answers.dispatch(request, connection),
    insteadOf: (error) => answers.insteadOf(error),
  });
  const { health } = answers;
  let closed: Promise<void> | null = null;
  return {
    port: listener.port,
    health,
    replaceTls: async (material) => {
      await listener.replaceTls(material).catch((error: unknown) => {
        log.error({ problem: String(error) }, keptCertificate);
      });
    },
    learn: (news) => answers.learn(news),
    reconfigure: async (next) => {
      await answers.reconfigure(next);
      listener.adjust(answers.limits());
    },
    retire: () => listener.retire(),
    stop: async (graceMs) => {
      health.stopping = true;
      await listener.stop(graceMs);
      // A second stop only cuts shorter what the first one waits for.
      closed ??= answers.close();
      await closed;
    },
  };
}

export interface RunningServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  readonly reconciled: Promise<void>;
  /** As `Primary.lost`. */
  readonly lost: Promise<string>;
  stop(): Promise<void>;
}

/** Primary and one worker in this process. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const tls = await openTls(config, log, (material) => {
    void worker.replaceTls(material);
  });
  const primary = await startPrimary(config, log);
  const worker: Worker = await startWorker({
    // All connections are this worker's.
    config: { ...config, http: { ...config.http, workers: 1 } },
    log,
    committer: primary.committer,
    places: primary.places(1),
    port: config.http.port,
    sharePort: false,
    idPrefix: `${process.pid.toString(36)}-`,
    tls: tls?.current ?? null,
  }).catch(async (error: unknown) => {
    // Nothing listens, so nothing may hold the root either.
    tls?.close();
    await primary.stop();
    throw error;
  });
  joinHealth(primary, worker.health);
  return {
    url: urlOf(config, worker.port),
    port: worker.port,
    reconciled: primary.reconciled,
    lost: primary.lost,
    stop: async () => {
      tls?.close();
      await worker.stop(config.http.graceTimeout);
      await primary.stop();
    },
  };
}

/** What the primary finds shows in the health of a worker of its own process. */
export function joinHealth(primary: Primary, health: Health): void {
  primary.watchHealth((problem) => {
    health.problem = problem;
  });
  void primary.reconciled.then(() => {
    health.started = true;
  });
}

/** Whether a configuration can be put into force while the server runs. @throws with one line for the operator. */
export async function checkLive(config: Config, log: Log): Promise<void> {
  await checkSettings(config, log);
  for (const warning of await checkExtensions(extensions, config)) log.warn(warning);
}

/** As `checkFiles` of the settings, with what root directories hold, which are only looked at, and what extensions find. */
export async function checkFiles(config: Config): Promise<FileFindings> {
  const settings = await checkSettingsFiles(config);
  const stores = subStoreFindings(config.storage);
  const problems = [...stores.problems, ...settings.problems];
  const warnings = [...registryAdvice(config.storage), ...stores.warnings, ...settings.warnings];
  try {
    const found = await checkExtensions(extensions, config);
    return { problems, warnings: [...warnings, ...found] };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { problems: [...problems, problem], warnings };
  }
}

export {
  isEveryInterface,
  outsideAddresses,
  requireAddress,
  requireListen,
} from "./http/listen_problem.ts";
export { openTls } from "./listeners.ts";
export { mirroredBy, openApiText } from "./server/served.ts";
export { openWorkshop, type HeavyWorkshop, type NamedWork } from "./server/heavy_workshop.ts";
export { FileHashes } from "./server/plain_root.ts";
export { urlAt, urlOf } from "./server/urls.ts";
export { patternWarnings, scopeWarnings } from "./server/existing_tags.ts";
export type { Places } from "./extensions/open_extensions.ts";
