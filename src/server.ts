/**
 * The composition root: the only place where the parts are joined.
 *
 * A server is one *owner* (holds the root, writes the metadata, runs the jobs) and any number of *workers* (answer
 * HTTP, read the metadata, send their commits to the owner). `startServer` runs both in one process, for embedding
 * and tests; `cli/serve.ts` runs an owner that supervises worker processes.
 *
 * Promises: `stop` answers what is in flight within the grace time, and leaves index.json exact.
 */
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { apiDocument } from "./api/document.ts";
import { endpoints } from "./api/endpoints.ts";
import type { App, Health } from "./api/app.ts";
import { Throttle, type LoginNews } from "./auth/throttle.ts";
import type { Config } from "./config/schema.ts";
import { Dispatcher, type AccessRecord } from "./http/dispatch.ts";
import { listen, type Listener, type ListenOptions } from "./http/listen.ts";
import { listenMutualTls } from "./http/listen_mutual_tls.ts";
import { Router } from "./http/router.ts";
import { TlsFiles } from "./http/tls_files.ts";
import type { TlsMaterial } from "./http/tls_material.ts";
import { assert } from "./lib/assert.ts";
import { AuditLog } from "./lib/audit_log.ts";
import { BatcherFull } from "./lib/batcher.ts";
import { systemClock } from "./lib/clock.ts";
import { setLogLevel, type Log } from "./lib/log.ts";
import { EpochCommitter, Epochs } from "./metadata/epochs.ts";
import { MetadataFull, MetadataUnavailable, type Committer } from "./metadata/metadata.ts";
import { SqliteMetadata } from "./metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "./metadata/sqlite/sqlite_writer.ts";
import type { RefusalName } from "./oci/errors.ts";
import { ContentCache } from "./registry/content_cache.ts";
import { Jobs } from "./registry/jobs.ts";
import type { Registry, Report } from "./registry/registry.ts";
import { codeOf } from "./storage/drivers/durable_files.ts";
import { FilesystemDriver } from "./storage/drivers/filesystem.ts";
import { StorageFull } from "./storage/driver.ts";
import { checkSettings, closeSettings, openSettings } from "./settings.ts";
import { epochsFile, metadataFile } from "./storage/layout.ts";
import { claimDuty, claimRoot } from "./storage/root_lock.ts";
import { Storage } from "./storage/storage.ts";
import { Uploads } from "./storage/uploads.ts";

const clock = systemClock;
const keptCertificate = "http.tls: the new files are not taken; the certificate in force stays";

export interface Owner {
  /** Where workers of this process or others send their commits. */
  readonly committer: Committer;
  /** Resolves when what lay on disk before the start is served. */
  readonly reconciled: Promise<void>;
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
  stop(): Promise<void>;
}

/** Claims the root, opens the metadata for writing and starts the jobs. */
export async function startOwner(config: Config, log: Log): Promise<Owner> {
  const { rootDirectory, commit, shared } = config.storage;
  // A file that callers cannot be known by stops the start, before workers find out one by one.
  await checkSettings(config, log);
  const claim = claimRoot(rootDirectory, shared ? "shared" : "alone");
  const driver = new FilesystemDriver({ rootDirectory, durable: commit, clock });
  await driver.prepare();
  const storage = new Storage(driver);
  const writer = new SqliteWriter({
    path: join(rootDirectory, metadataFile),
    durable: commit,
    clock,
    bytes: {
      present: (repository, digest) => storage.hasBlobNow(repository, digest),
      remove: (repository, digest) => storage.removeBlobNow(repository, digest),
    },
  });
  const facts = new EpochCommitter(writer, new Epochs(join(rootDirectory, epochsFile)));
  const registry = openRegistry(config, storage, facts, null);
  const reconciled = Promise.withResolvers<void>();
  const jobs = new Jobs({
    registry,
    report: reporter(log),
    uploadIdleMs: config.storage.uploadIdle,
    claim: () => claimDuty(rootDirectory, "jobs"),
    onReconciled: reconciled.resolve,
  });
  jobs.start();
  if (!commit) log.warn("storage.commit is false: a push that was acknowledged can be lost");
  return {
    committer: {
      commit: async (request) => {
        const outcome = await facts.commit(request);
        if (outcome.committed) jobs.kick();
        return outcome;
      },
    },
    reconciled: reconciled.promise,
    reconfigure: ({ storage }) => {
      jobs.uploadIdleMs = storage.uploadIdle;
    },
    stop: async () => {
      await jobs.stop();
      await registry.metadata.close();
      await writer.close();
      await driver.close();
      claim.release();
    },
  };
}

/** Opens the root for reading and listens. */
export async function startWorker(options: {
  readonly config: Config;
  readonly log: Log;
  readonly committer: Committer;
  readonly port: number;
  readonly sharePort: boolean;
  /** Prefix of request ids, different in each process. */
  readonly idPrefix: string;
  /** What `openTls` gave; null when the configuration has no TLS. */
  readonly tls?: TlsMaterial | null;
  /** Tells other workers of logins here. */
  readonly tell?: (news: LoginNews) => void;
}): Promise<Worker> {
  const { config, log } = options;
  const { rootDirectory, commit } = config.storage;
  const driver = new FilesystemDriver({ rootDirectory, durable: commit, clock });
  // Servers that share a root do not share the moment of acknowledgement: they remember nothing.
  const epochs = config.storage.shared ? null : new Epochs(join(rootDirectory, epochsFile));
  const registry = openRegistry(config, new Storage(driver), options.committer, epochs);
  const health: Health = { started: false, stopping: false };
  const throttle = new Throttle(options.tell);
  const parts = { log, registry, throttle, app: { health, openApi: openApiText } };
  let settings = await openSettings(config, parts);
  const audit = openAudit(config, log);
  const dispatcher = new Dispatcher<App>({
    ...settings.dispatch,
    router: new Router(endpoints),
    clock,
    idPrefix: options.idPrefix,
    explain: explainFailure,
    onAnswer: (record, failure) => {
      logAnswer(log, record, failure);
      if (audit !== null) auditAnswer(audit, record);
    },
    isStopping: () => health.stopping,
  });
  const tls = options.tls ?? null;
  assert(
    (tls !== null) === (config.http.tls.cert !== null),
    "TLS is served where it is configured",
  );
  const listener = openListener(tls, {
    address: config.http.address,
    port: options.port,
    ...settings.listen,
    sharePort: options.sharePort,
    dispatch: (request, connection) => dispatcher.dispatch(request, connection),
    onFailure: (error) => log.error({ error: String(error) }, "a request failed below HTTP"),
    onFull: (full) => logFull(log, full),
  });
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
      closeSettings(settings, null);
      audit?.close();
      await registry.metadata.close();
      await driver.close();
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

const changing = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** One line for each change that was made. */
function auditAnswer(audit: AuditLog, record: AccessRecord): void {
  const { id, client, who, what, method, path, status } = record;
  if (!changing.has(method) || status >= 400) return;
  audit.write({ clientIP: client, subject: who, action: method, object: path, status, what, id });
}

function logFull(log: Log, full: boolean): void {
  if (full) log.warn("connections: as many as there may be; new ones wait");
  else log.info("connections: there is room again");
}

function openListener(tls: TlsMaterial | null, options: Omit<ListenOptions, "tls">): Listener {
  if (tls === null || tls.ca === null) return listen({ ...options, tls });
  return listenMutualTls({ ...options, tls });
}

/**
 * Reads the files of `http.tls`, and follows them: `onChange` hears of every new set that fits together.
 * Null without TLS. @throws with one line for the operator when they do not fit together now.
 */
export async function openTls(
  { http: { tls } }: Config,
  log: Log,
  onChange: (material: TlsMaterial) => void,
): Promise<TlsFiles | null> {
  if (tls.cert === null || tls.key === null) return null;
  const files = await TlsFiles.open({
    paths: { cert: tls.cert, key: tls.key, cacert: tls.cacert },
    clock,
    onWarning: (warning) => log.warn(warning),
    onProblem: (problem) => log.error({ problem }, keptCertificate),
    onChange: (material) => {
      const { fingerprint, expiresAtMs } = material;
      const expires = new Date(expiresAtMs).toISOString();
      log.info({ fingerprint, expires }, "http.tls: a new certificate is in force");
      onChange(material);
    },
  });
  files.follow();
  return files;
}

/** Owner and one worker in this process. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const tls = await openTls(config, log, (material) => {
    void worker.replaceTls(material);
  });
  const owner = await startOwner(config, log);
  const worker = await startWorker({
    // All connections are this worker's.
    config: { ...config, http: { ...config.http, workers: 1 } },
    log,
    committer: owner.committer,
    port: config.http.port,
    sharePort: false,
    idPrefix: `${process.pid.toString(36)}-`,
    tls: tls?.current ?? null,
  });
  void owner.reconciled.then(() => {
    worker.health.started = true;
  });
  return {
    url: urlOf(config, worker.port),
    port: worker.port,
    reconciled: owner.reconciled,
    stop: async () => {
      tls?.close();
      await worker.stop(config.http.graceTimeout);
      await owner.stop();
    },
  };
}

let openApi: string | null = null;

/** The OpenAPI document of what is served, as JSON text. Made when it is first asked for. */
export function openApiText(): string {
  openApi ??= JSON.stringify(apiDocument(endpoints, packageJson.version));
  return openApi;
}

/** The URL of a listener, for people and clients on this machine. */
export function urlOf({ http: { address, tls } }: Config, port: number): string {
  const scheme = tls.cert === null ? "http" : "https";
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function openRegistry(
  config: Config,
  storage: Storage,
  committer: Committer,
  epochs: Epochs | null,
): Registry {
  const path = join(config.storage.rootDirectory, metadataFile);
  return {
    storage,
    metadata: new SqliteMetadata(path, committer, epochs),
    uploads: new Uploads(storage.driver),
    clock,
    contentCache: new ContentCache(),
    dedupe: config.storage.dedupe,
  };
}

const fullDisk: readonly (string | null)[] = ["ENOSPC", "EDQUOT", "SQLITE_FULL"];

/** What failures of the layers below mean to a client. */
function explainFailure(error: unknown): { refusal: RefusalName; message?: string } | null {
  const full = error instanceof StorageFull || error instanceof MetadataFull;
  if (full || fullDisk.includes(codeOf(error))) return { refusal: "STORAGE_FULL" };
  if (error instanceof MetadataUnavailable || error instanceof BatcherFull) {
    return { refusal: "UNAVAILABLE" };
  }
  return null;
}

function reporter(log: Log): Report {
  return (level, message, fields) => log[level](fields ?? {}, message);
}

function logAnswer(log: Log, record: AccessRecord, failure: unknown): void {
  const { access } = log;
  if (failure !== null) access.error({ ...record, cause: causeOf(failure) }, "request");
  else if (record.what.startsWith("health.")) access.debug(record, "request");
  else access.info(record, "request");
}

function causeOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  const cause = failure.cause instanceof Error ? ` (${failure.cause.message})` : "";
  return `${failure.stack ?? failure.message}${cause}`;
}
