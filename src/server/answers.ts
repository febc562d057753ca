/**
 * Answers requests: the whole registry behind one function, without anything that listens. A worker process has one,
 * and so has a registry inside another program.
 */
import { ActivityAnswers } from "../api/activity_answers.ts";
import type { App, Health } from "../api/app.ts";
import { endpoints } from "../api/endpoints.ts";
import { Throttle, type LoginNews } from "../auth/throttle.ts";
import type { RegistryConfig } from "../config/schema.ts";
import type { Extension } from "../extensions/extension.ts";
import { extensions } from "../extensions/extensions.ts";
import {
  discoveredExtensions,
  extensionPages,
  WorkerExtensions,
  type Places,
} from "../extensions/open_extensions.ts";
import { auditAnswer, logAnswer } from "../http/access_log.ts";
import type { Connection } from "../http/call.ts";
import { Dispatcher, type AccessRecord } from "../http/dispatch.ts";
import type { Reply } from "../http/endpoint.ts";
import type { ListenLimits } from "../http/listen.ts";
import { errorReply } from "../http/reply.ts";
import { Router } from "../http/router.ts";
import { AuditLog } from "../lib/audit_log.ts";
import type { Clock } from "../lib/clock.ts";
import { setLogLevel, type Log } from "../lib/log.ts";
import type { Committer } from "../metadata/metadata.ts";
import { apiError } from "../oci/errors.ts";
import { explainFailure } from "../registry/explain_failure.ts";
import { makeRoom } from "../registry/history/end_holds.ts";
import type { Registry } from "../registry/registry.ts";
import { PullStatistics } from "../registry/retention/pull_statistics.ts";
import { closeSettings, openSettings, type Settings } from "../settings.ts";
import { openRegistry } from "./open_registry.ts";
import { reporter } from "./reporter.ts";
import type { Root } from "./root.ts";
import { extensionParts, openApiText } from "./served.ts";

export interface AnswersOptions {
  readonly config: RegistryConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly root: Root;
  /** Without it those of the product. */
  readonly extensions?: readonly Extension[] | undefined;
  /** The primary's. */
  readonly committer: Committer;
  /** Prefix of request ids, different in each process. */
  readonly idPrefix: string;
  /** What the primary gave the extensions of this worker. */
  readonly places?: Places;
  /** Tells other workers of logins here. */
  readonly tell?: ((news: LoginNews) => void) | undefined;
}

export interface Answers {
  readonly health: Health;
  /** Limits of the listener in front, which change with the configuration. */
  readonly limits: () => ListenLimits;
  /** Never rejects. */
  dispatch(request: Request, connection: Connection): Promise<Reply>;
  /** What is answered where the answer that was given could not be sent. */
  insteadOf(error: unknown): Reply;
  /** Another worker tells of a login there. */
  learn(news: LoginNews): void;
  /**
   * Answers by another configuration, which differs in what may change while it runs: for requests that come from now
   * on. @throws with one line for the operator when it cannot; then all is as it was.
   */
  reconfigure(config: RegistryConfig): Promise<void>;
  close(): Promise<void>;
}

export async function openAnswers(options: AnswersOptions): Promise<Answers> {
  const { config, log, clock, root, extensions: table = extensions } = options;
  const report = reporter(log);
  const stores = root.openBytes(options.committer);
  const opened = new WorkerExtensions(table, {
    ...extensionParts(table, { config, clock, report }),
    places: options.places ?? {},
  });
  const here = openRegistry(config, {
    root,
    stores,
    committer: options.committer,
    clock,
    report,
    remembers: true,
    lookup: (cache) => opened.lookup(cache),
  });
  const registry: Registry = {
    ...here,
    origin: opened.origin(here, stores),
    pushChecks: opened.pushChecks(here),
  };
  const health: Health = { started: false, stopping: false, problem: null };
  const throttle = new Throttle(options.tell);
  const openApi = onceText(() => openApiText(config, table));
  const pulls = new PullStatistics({ committer: options.committer, clock, report });
  const app = {
    health,
    openApi,
    pages: extensionPages(table, config),
    discovered: discoveredExtensions(table, config),
    pulls,
    activity: new ActivityAnswers(registry.metadata),
  };
  const parts = { log, clock, registry, throttle, app };
  let settings: Settings = await openSettings(config, parts);
  const audit = openAudit(config, log, clock);
  const relief = new Relief(registry);
  const dispatcher = new Dispatcher<App>({
    ...settings.dispatch,
    router: new Router([...endpoints, ...opened.endpoints(registry)]),
    clock,
    idPrefix: options.idPrefix,
    locate: registry.origin?.locate ?? null,
    explain: explainFailure,
    onAnswer: answerListener(log, audit, opened, () => relief.begin()),
    isStopping: () => health.stopping,
  });
  return {
    health,
    limits: () => settings.listen,
    dispatch: (request, connection) => dispatcher.dispatch(request, connection),
    insteadOf,
    learn: (news) => throttle.learn(news, clock.monotonicMs()),
    reconfigure: async (next) => {
      const replaced = settings;
      const found = await openSettings(next, parts, replaced);
      try {
        opened.reconfigure(next);
      } catch (error) {
        closeSettings(found, replaced);
        throw error;
      }
      settings = found;
      dispatcher.replace(settings.dispatch);
      setLogLevel(log, next.log.level);
      closeSettings(replaced, settings);
    },
    close: async () => {
      closeSettings(settings, null);
      audit?.close();
      await opened.close();
      await relief.settled();
      await pulls.close();
      await registry.metadata.close();
      await stores.close();
    },
  };
}

function answerListener(
  log: Log,
  audit: AuditLog | null,
  opened: WorkerExtensions,
  onFull: () => void,
): (record: AccessRecord, failure: unknown) => void {
  const listeners = opened.onAnswer;
  return (record, failure) => {
    logAnswer(log, record, failure);
    if (record.reason === "STORAGE_FULL") onFull();
    for (const listener of listeners) listener(record, failure);
    if (audit !== null) auditAnswer(audit, record);
  };
}

/** Lets what is held for an undo give way to a push that found no room, so that it finds some when it comes again. */
class Relief {
  readonly #registry: Registry;
  #running: Promise<void> | null = null;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  begin(): void {
    this.#running ??= makeRoom(this.#registry)
      .catch((error: unknown) => {
        this.#registry.report("error", "held content could not give way", { error: String(error) });
      })
      .finally(() => {
        this.#running = null;
      });
  }

  async settled(): Promise<void> {
    await this.#running;
  }
}

function insteadOf(error: unknown): Reply {
  const { reason, ...rest } = explainFailure(error) ?? { reason: "UNKNOWN" };
  return errorReply(apiError(reason, rest));
}

function openAudit(config: RegistryConfig, log: Log, clock: Clock): AuditLog | null {
  const path = config.log.audit;
  if (path === null) return null;
  const onProblem = (problem: string): void =>
    log.error({ problem }, "log.audit: a line could not be written");
  return new AuditLog({ path, clock, onProblem });
}

/** Makes a text when it is first asked for. */
function onceText(make: () => string): () => string {
  let text: string | null = null;
  return () => (text ??= make());
}
