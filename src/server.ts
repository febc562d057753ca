/**
 * The composition root: the only place where the parts are joined.
 *
 * A server is one *primary* (holds the root, writes the metadata, runs the jobs) and any number of *workers* (answer
 * HTTP, read the metadata, send their commits to the primary). `startServer` runs both in one process, for embedding
 * and tests; `cli/serve.ts` runs a primary that supervises worker processes.
 *
 * Promises: `stop` answers what is in flight within the grace time, and leaves index.json exact.
 */
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { apiDocument } from "./api/document.ts";
import { endpoints } from "./api/endpoints.ts";
import type { App, Health } from "./api/app.ts";
import { followFileUsers, type FileUserFollower } from "./auth/file_users.ts";
import { Throttle, type LoginNews } from "./auth/throttle.ts";
import type { Config } from "./config/schema.ts";
import {
  describedPage,
  joinCounting,
  openCounting,
  servedPage,
  startMeter,
  type MetricsPlace,
  type PrimaryMetrics,
  type ServerMetrics,
} from "./extensions/metrics/counting.ts";
import { auditAnswer, logAnswer } from "./http/access_log.ts";
import { Dispatcher } from "./http/dispatch.ts";
import { isEveryInterface } from "./http/listen_problem.ts";
import { errorReply } from "./http/reply.ts";
import { Router } from "./http/router.ts";
import type { TlsMaterial } from "./http/tls_material.ts";
import { AuditLog } from "./lib/audit_log.ts";
import { systemClock } from "./lib/clock.ts";
import { setLogLevel, type Log } from "./lib/log.ts";
import { EpochCommitter, Epochs } from "./metadata/epochs.ts";
import type { BytesUnderLock, Committer } from "./metadata/metadata.ts";
import { SqliteMetadata } from "./metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "./metadata/sqlite/sqlite_writer.ts";
import { apiError } from "./oci/errors.ts";
import { ContentCache } from "./registry/content_cache.ts";
import { explainFailure, isFull } from "./registry/explain_failure.ts";
import { Jobs } from "./registry/jobs.ts";
import { RootProbe } from "./registry/root_probe.ts";
import type { Registry, Report } from "./registry/registry.ts";
import { otherRegistryAdvice } from "./storage/other_registry.ts";
import { FilesystemDriver } from "./storage/drivers/filesystem.ts";
import { StorageFull } from "./storage/driver.ts";
import { keptCertificate, openListener, openTls } from "./listeners.ts";
import { checkSettings, closeSettings, fileWarnings, openSettings } from "./settings.ts";
import { epochsFile, lockFile, metadataFile, ratesFile } from "./storage/layout.ts";
import { checkRootTrust } from "./storage/root_trust.ts";
import { claimLease, claimRoot, makeRoot, type Claim } from "./storage/root_lock.ts";
import { FileReserve } from "./storage/drivers/reserve.ts";
import { Storage } from "./storage/storage.ts";
import { Uploads } from "./storage/uploads.ts";

const clock = systemClock;

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
  /** Where workers count; null while metrics are off. */
  readonly metrics: PrimaryMetrics | null;
  /** Does its work by another configuration, which differs in what may change while it runs. */
  reconfigure(config: Config): void;
  stop(): Promise<void>;
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

export interface RunningServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  readonly reconciled: Promise<void>;
  /** As `Primary.lost`. */
  readonly lost: Promise<string>;
  stop(): Promise<void>;
}

/** Claims the root, opens the metadata for writing and starts the jobs. */
export async function startPrimary(config: Config, log: Log): Promise<Primary> {
  const { rootDirectory, commit, shared } = config.storage;
  const claim = await prepareRoot(config, log);
  const driver = new FilesystemDriver({ rootDirectory, durable: commit, clock });
  await driver.prepare();
  const reserve = new FileReserve(rootDirectory);
  const storage = new Storage(driver, reserve);
  const counting = openCounting(config.extensions.metrics, rootDirectory, clock);
  const epochs = new Epochs(join(rootDirectory, epochsFile));
  const lost = Promise.withResolvers<string>();
  const writer = new SqliteWriter({
    path: join(rootDirectory, metadataFile),
    kept: [epochsFile, lockFile].map((file) => join(rootDirectory, file)),
    onLost: lost.resolve,
    spare: reserve,
    durable: commit,
    clock,
    bytes: bytesUnderLock(storage),
    onBatch: counting?.metrics.batch.bind(counting.metrics),
  });
  const uncounted = new EpochCommitter(writer, epochs);
  const facts = counting?.metrics.counted(uncounted, clock) ?? uncounted;
  const report = reporter(log);
  const registry = openRegistry(config, storage, facts, { epochs: null, metrics: null, report });
  const reconciled = Promise.withResolvers<void>();
  const jobs = new Jobs({
    registry,
    report,
    uploadIdleMs: config.storage.uploadIdle,
    claim: () => claimLease(rootDirectory, "jobs"),
    onReconciled: reconciled.resolve,
    watcher: counting?.metrics.jobWatcher(),
  });
  jobs.start();
  const probe = new RootProbe({
    clock,
    report,
    isFull,
    attempt: async () => {
      if (!writer.makeSpare()) throw new StorageFull("No space left for the reserve");
      await driver.probe();
      writer.probe();
    },
  });
  probe.start();
  const follow = followerOf(facts, log);
  let users = follow(config);
  // Before anybody logs in by a name that somebody else had.
  await users?.settled();
  const meter = startMeter(counting, registry, report);
  const advice = otherRegistryAdvice(rootDirectory);
  if (advice !== null) log.warn(advice);
  if (!commit) log.warn("storage.commit is false: a push that was acknowledged can be lost");
  return {
    committer: waking(facts, [jobs, meter]),
    reconciled: reconciled.promise,
    lost: lost.promise,
    watchHealth: (listener) => probe.watch(listener),
    metrics: counting,
    reconfigure: (next) => {
      jobs.uploadIdleMs = next.storage.uploadIdle;
      const replaced = users;
      users = follow(next);
      void replaced?.close();
    },
    stop: async () => {
      await meter?.stop();
      await users?.close();
      await probe.stop();
      await jobs.stop();
      await registry.metadata.close();
      await writer.close();
      await driver.close();
      counting?.close();
      // Counters that mean nothing without this server's processes would only stand in backups.
      if (!shared) for (const page of [epochsFile, ratesFile]) driver.removeNow(page);
      claim.release();
    },
  };
}

/** Makes the root and claims it, when it and the files that callers are known by can be believed. */
async function prepareRoot(config: Config, log: Log): Promise<Claim> {
  const { rootDirectory, shared } = config.storage;
  // Before the key of tokens is put there: whoever makes the directory has to flush its name.
  makeRoot(rootDirectory);
  const warnings = [...checkRootTrust(rootDirectory), ...fileWarnings(config)];
  for (const warning of warnings) log.warn(warning);
  // A file that callers cannot be known by stops the start, before workers find out one by one.
  await checkSettings(config, log);
  return claimRoot(rootDirectory, shared ? "shared" : "alone");
}

function bytesUnderLock(storage: Storage): BytesUnderLock {
  return {
    present: (repository, digest) => storage.hasBlobNow(repository, digest),
    remove: (repository, digest) => storage.removeBlobNow(repository, digest),
  };
}

/** Tells background work of every commit. */
function waking(committer: Committer, sleepers: readonly ({ kick(): void } | null)[]): Committer {
  return {
    commit: async (request) => {
      const outcome = await committer.commit(request);
      if (outcome.committed) for (const sleeper of sleepers) sleeper?.kick();
      return outcome;
    },
  };
}

function followerOf(committer: Committer, log: Log): (config: Config) => FileUserFollower | null {
  return ({ http }) =>
    followFileUsers(http.auth.htpasswd.path, { clock, committer, report: reporter(log) });
}

/** Whether a configuration can be put into force while the server runs. @throws with one line for the operator. */
export const checkLive = checkSettings;

export { isEveryInterface, outsideAddresses, requireListen } from "./http/listen_problem.ts";
export { openTls } from "./listeners.ts";
export { checkFiles } from "./settings.ts";

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
  /** What the primary's `metrics` gave for this worker; null while metrics are off. */
  readonly metrics?: MetricsPlace | null;
  /** Tells other workers of logins here. */
  readonly tell?: (news: LoginNews) => void;
}

/** Opens the root for reading and listens. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { config, log } = options;
  const { rootDirectory, commit } = config.storage;
  const driver = new FilesystemDriver({ rootDirectory, durable: commit, clock });
  // Servers that share a root do not share the moment of acknowledgement: they remember nothing.
  const epochs = config.storage.shared ? null : new Epochs(join(rootDirectory, epochsFile));
  const metrics = joinCounting(options.metrics, clock);
  const { committer } = options;
  const parties = { epochs, metrics, report: reporter(log) };
  const registry = openRegistry(config, new Storage(driver), committer, parties);
  const page = servedPage(config.extensions.metrics, metrics, { registry, rootDirectory });
  const openApi = onceText(() => openApiText(config));
  const health: Health = { started: false, stopping: false, problem: null };
  const throttle = new Throttle(options.tell);
  const parts = { log, registry, throttle, app: { health, openApi } };
  let settings = await openSettings(config, parts);
  const audit = openAudit(config, log);
  const dispatcher = new Dispatcher<App>({
    ...settings.dispatch,
    router: new Router([...endpoints, ...page]),
    clock,
    idPrefix: options.idPrefix,
    explain: explainFailure,
    onAnswer: (record, failure) => {
      logAnswer(log, record, failure);
      metrics?.request(record);
      if (audit !== null) auditAnswer(audit, record);
    },
    isStopping: () => health.stopping,
  });
  const listener = openListener(options, {
    ...settings.listen,
    dispatch: (request, connection) => dispatcher.dispatch(request, connection),
    insteadOf: (error) => {
      const { reason, ...rest } = explainFailure(error) ?? { reason: "UNKNOWN" };
      return errorReply(apiError(reason, rest));
    },
  });
  let closed: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    closeSettings(settings, null);
    audit?.close();
    await registry.metadata.close();
    await driver.close();
  };
  return {
    port: listener.port,
    health,
    replaceTls: async (material) => {
      await listener.replaceTls(material).catch((error: unknown) => {
        log.error({ problem: String(error) }, keptCertificate);
      });
    },
    learn: (news) => throttle.learn(news, clock.monotonicMs()),
    reconfigure: async (next) => {
      const replaced = settings;
      settings = await openSettings(next, parts, replaced);
      dispatcher.replace(settings.dispatch);
      listener.adjust(settings.listen);
      setLogLevel(log, next.log.level);
      closeSettings(replaced, settings);
    },
    retire: () => listener.retire(),
    stop: async (graceMs) => {
      health.stopping = true;
      await listener.stop(graceMs);
      // A second stop only cuts shorter what the first one waits for.
      closed ??= close();
      await closed;
    },
  };
}

function openAudit(config: Config, log: Log): AuditLog | null {
  const path = config.log.audit;
  if (path === null) return null;
  const onProblem = (problem: string): void =>
    log.error({ problem }, "log.audit: a line could not be written");
  return new AuditLog({ path, clock, onProblem });
}

export type { MetricsPlace } from "./extensions/metrics/counting.ts";

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
    metrics: primary.metrics?.place(1) ?? null,
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
  primary.watchHealth((problem) => {
    worker.health.problem = problem;
  });
  void primary.reconciled.then(() => {
    worker.health.started = true;
  });
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

/** The OpenAPI document of what a server with this configuration, or with the defaults, serves, as JSON text. */
export function openApiText(config: Config | null = null): string {
  const page = config === null ? [] : describedPage(config.extensions.metrics);
  return JSON.stringify(apiDocument([...endpoints, ...page], packageJson.version));
}

/** Makes a text when it is first asked for. */
function onceText(make: () => string): () => string {
  let text: string | null = null;
  return () => (text ??= make());
}

/** The URL of a listener, for people and clients on this machine. */
export function urlOf(config: Config, port: number): string {
  const { address } = config.http;
  return urlAt(config, isEveryInterface(address) ? "127.0.0.1" : address, port);
}

/** The URL of a listener as clients know it that reach it by this name or address. */
export function urlAt({ http: { tls } }: Config, host: string, port: number): string {
  const scheme = tls.cert === null ? "http" : "https";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function openRegistry(
  config: Config,
  storage: Storage,
  committer: Committer,
  parties: { epochs: Epochs | null; metrics: ServerMetrics | null; report: Report },
): Registry {
  const path = join(config.storage.rootDirectory, metadataFile);
  const { epochs, metrics, report } = parties;
  return {
    storage,
    metadata: new SqliteMetadata(path, committer, epochs, metrics?.lookup("facts")),
    uploads: new Uploads(storage.driver, clock),
    clock,
    contentCache: new ContentCache(metrics?.lookup("content")),
    dedupe: config.storage.dedupe,
    // Settings of a worker say which may; nobody else is pushed to.
    mayBeSparse: () => false,
    report,
  };
}

function reporter(log: Log): Report {
  return (level, message, fields) => log[level](fields ?? {}, message);
}
