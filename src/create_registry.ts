/**
 * A registry inside another program: the whole of it as a function from a request to a response, without listening,
 * processes or signals. Several may live in one process, each on a root of its own.
 *
 *     const registry = await createRegistry({ rootDirectory: "/var/lib/images" });
 *     Bun.serve({ port: 8080, fetch: (request) => registry.fetch(request) });
 */
import { checkConfig, type Config } from "./config/load.ts";
import type { Connection } from "./http/call.ts";
import { responseOf } from "./http/response.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import { logTo } from "./lib/log.ts";
import { joinHealth, startPrimary } from "./server.ts";
import { openAnswers } from "./server/answers.ts";

export interface RegistryOptions {
  /** Where content lies, as `storage.rootDirectory`. It is made when it is not there. */
  readonly rootDirectory: string;
  /**
   * The rest of a configuration, as a file in zot's dialect says it: `{ http: { auth: … } }`. What has to do with
   * listening (addresses, TLS, processes) has no effect.
   */
  readonly config?: Readonly<Record<string, object>>;
  /** Takes each line of the log, JSON; without it there is none. */
  readonly log?: (line: string) => void;
  /** Time, where it is not that of this machine. */
  readonly clock?: Clock;
}

export interface Registry {
  /**
   * Answers one request; never rejects. The host tells what it knows of the connection: without an address all callers
   * count as one where requests are limited.
   */
  fetch(request: Request, connection?: Partial<Connection>): Promise<Response>;
  /** Resolves when what lay in the root before is served. Requests are answered sooner. */
  readonly ready: Promise<void>;
  /** Waits for the requests that are being answered, writes every index.json, and lets go of the root. */
  close(): Promise<void>;
}

const nothingKnown: Connection = {
  address: null,
  tlsVersion: null,
  certificate: null,
  certificateProblem: null,
  holdOpen: () => {},
  cut: () => {},
};

/** @throws with the problems of the configuration, one a line, or with why the root cannot be served. */
export async function createRegistry(options: RegistryOptions): Promise<Registry> {
  const { clock = systemClock, log: take } = options;
  const config = configOf(options);
  const level = take === undefined ? "silent" : config.log.level;
  const log = logTo({ write: take ?? (() => {}) }, { level, base: {} });
  const primary = await startPrimary(config, log, { clock });
  const answers = await openAnswers({
    config,
    log,
    clock,
    committer: primary.committer,
    places: primary.places(1),
    idPrefix: "",
  }).catch(async (error: unknown) => {
    await primary.stop();
    throw error;
  });
  joinHealth(primary, answers.health);
  const pending = new Set<Promise<Response>>();
  const answer = async (request: Request, connection: Connection): Promise<Response> => {
    const reply = await answers.dispatch(request, connection);
    // What becomes of the body is the host's to know.
    reply.onEnd?.({ kind: "unknown", sentBytes: null });
    return responseOf(reply, request);
  };
  return {
    fetch: (request, connection) => {
      const answering = answer(framed(request), { ...nothingKnown, ...connection });
      pending.add(answering);
      return answering.finally(() => pending.delete(answering));
    },
    ready: primary.reconciled,
    close: async () => {
      answers.health.stopping = true;
      await Promise.allSettled(pending);
      await answers.close();
      await primary.stop();
    },
  };
}

function configOf({ rootDirectory, config = {} }: RegistryOptions): Config {
  const storage = { ...config["storage"], rootDirectory };
  const checked = checkConfig({ ...config, storage });
  if ("problems" in checked) throw new Error(checked.problems.join("\n"));
  return checked.config;
}

/** A request that came over no connection says nothing of its body's length: it is one that ends somewhere. */
function framed(request: Request): Request {
  const { headers, body } = request;
  if (body === null || headers.has("content-length") || headers.has("transfer-encoding")) {
    return request;
  }
  const framing = new Headers(headers);
  framing.set("transfer-encoding", "chunked");
  return new Request(request, { headers: framing });
}
