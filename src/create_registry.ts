/**
 * A registry inside another program: the whole of it as a function from a request to a response, without listening,
 * processes or signals. Several may live in one process, each on a root of its own or in memory.
 *
 *     const registry = await createRegistry({ rootDirectory: "/var/lib/images" });
 *     Bun.serve({ port: 8080, fetch: (request) => registry.fetch(request) });
 */
import { checkConfig } from "./config/load.ts";
import type { RegistryConfig } from "./config/schema.ts";
import type { Extension } from "./extensions/extension.ts";
import { extensions as ownExtensions } from "./extensions/extensions.ts";
import type { Connection } from "./http/call.ts";
import { errorReply } from "./http/reply.ts";
import { responseOf } from "./http/response.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import { logTo, type Log } from "./lib/log.ts";
import { apiError } from "./oci/errors.ts";
import { joinHealth, startPrimaryOn } from "./server.ts";
import { openAnswers, type Answers } from "./server/answers.ts";
import { openPlace } from "./server/open_place.ts";
import { MemoryRoot } from "./server/memory_root.ts";
import type { Root } from "./server/root.ts";

/**
 * Content lies in a directory, which lasts, in memory, which ends with the registry, or in stores of the program's own:
 * one of the three is said.
 */
export type RegistryOptions = CommonOptions &
  (
    | {
        /** Where content lies, as `storage.rootDirectory`. It is made when it is not there. */
        readonly rootDirectory: string;
        readonly memory?: undefined;
        readonly root?: undefined;
      }
    | {
        /** Content lies in memory: up to 1 GiB, or up to so many bytes. */
        readonly memory: true | { readonly bytesMax: number };
        readonly rootDirectory?: undefined;
        readonly root?: undefined;
      }
    | {
        /** Stores of the program's own. The registry opens them once, and closes them when it is closed. */
        readonly root: Root;
        readonly rootDirectory?: undefined;
        readonly memory?: undefined;
      }
  );

interface CommonOptions {
  /**
   * The rest of a configuration, as a file in zot's dialect says it: `{ http: { auth: … } }`. What has to do with
   * listening (addresses, TLS, processes) has no effect.
   */
  readonly config?: Readonly<Record<string, object>>;
  /** Takes each line of the log, JSON; without it there is none. */
  readonly log?: (line: string) => void;
  /** Time, where it is not that of this machine. */
  readonly clock?: Clock;
  /** What the program adds: endpoints, pages, jobs, and followers of every push, tag move and delete. */
  readonly extensions?: readonly Extension[];
}

export type { Extension, Root };
export { MemoryRoot };

export interface Registry extends AsyncDisposable {
  /**
   * Answers one request; never rejects. The host tells what it knows of the connection: without an address all callers
   * count as one where requests are limited.
   */
  fetch(request: Request, connection?: Partial<Connection>): Promise<Response>;
  /** Resolves when what lay in the root before is served. Requests are answered sooner. */
  readonly ready: Promise<void>;
  /**
   * Waits for the requests that are being answered, writes every index.json, and lets go of the root, or forgets what
   * was in memory. Requests that come later are answered 503.
   */
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
  const { config, root, warnings } = placeOf(options, clock);
  const level = take === undefined ? "silent" : config.log.level;
  const log = logTo({ write: take ?? (() => {}) }, { level, base: {} });
  for (const warning of warnings) log.warn(warning);
  const extensions = [...ownExtensions, ...(options.extensions ?? [])];
  const { answers, ready, stop } = await open(config, { root, log, clock, extensions });
  const pending = new Set<Promise<Response>>();
  let closed: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    answers.health.stopping = true;
    await Promise.allSettled(pending);
    await stop();
  };
  const registry: Registry = {
    fetch: (request, connection) => {
      if (closed !== null) return Promise.resolve(responseOf(errorReply(gone()), request));
      const answering = answer(answers, request, { ...nothingKnown, ...connection });
      pending.add(answering);
      return answering.finally(() => pending.delete(answering));
    },
    ready,
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]: () => registry.close(),
  };
  return registry;
}

/** The parts of a server that are here, joined. */
async function open(
  config: RegistryConfig,
  parts: {
    readonly root: Root;
    readonly log: Log;
    readonly clock: Clock;
    readonly extensions: readonly Extension[];
  },
) {
  const primary = await startPrimaryOn(config, parts.log, parts);
  const { committer } = primary;
  const places = primary.places(1);
  const answers = await openAnswers({ ...parts, config, committer, places, idPrefix: "" }).catch(
    async (error: unknown) => {
      await primary.stop();
      throw error;
    },
  );
  joinHealth(primary, answers.health);
  const stop = async (): Promise<void> => {
    await answers.close();
    await primary.stop();
  };
  return { answers, ready: primary.reconciled, stop };
}

async function answer(
  answers: Answers,
  request: Request,
  connection: Connection,
): Promise<Response> {
  const reply = await answers.dispatch(framed(request), connection);
  // What becomes of the body is the host's to know.
  reply.onEnd?.({ kind: "unknown", sentBytes: null });
  return responseOf(reply, request);
}

function gone() {
  return apiError("UNAVAILABLE", { message: "The registry was closed" });
}

interface Place {
  readonly config: RegistryConfig;
  readonly root: Root;
  readonly warnings: readonly string[];
}

function placeOf(options: RegistryOptions, clock: Clock): Place {
  const { rootDirectory, memory, root, config: rest = {} } = options;
  requireOne({ rootDirectory, memory, root });
  if (rootDirectory !== undefined) {
    const { config, warnings } = checked(rest, { rootDirectory });
    return { config, root: openPlace(config, clock), warnings };
  }
  for (const key of ["rootDirectory", "shared", "subPaths"]) {
    if (key in { ...rest["storage"] }) {
      throw new Error(`storage.${key}: expected nothing for a registry without a directory`);
    }
  }
  // Any directory passes the check, and none is used.
  const { config, warnings } = checked(rest, { rootDirectory: "/" });
  const storage = { ...config.storage, rootDirectory: null };
  const given = root ?? new MemoryRoot({ clock, ...(memory === true ? {} : memory) });
  return { config: { ...config, storage }, root: given, warnings };
}

/** Programs without types are told, too. */
function requireOne({ rootDirectory, memory, root }: Readonly<Record<string, unknown>>): void {
  const isMemory = memory === true || (typeof memory === "object" && memory !== null);
  const said = [rootDirectory !== undefined, isMemory, root !== undefined];
  if (said.filter(Boolean).length !== 1) {
    throw new Error("Expected one of rootDirectory, memory and root");
  }
  if (typeof memory !== "object" || memory === null || !("bytesMax" in memory)) return;
  const { bytesMax } = memory;
  if (Number.isSafeInteger(bytesMax) && Number(bytesMax) >= 0) return;
  throw new Error(`memory.bytesMax: expected a number of bytes, got ${String(bytesMax)}`);
}

function checked(rest: NonNullable<RegistryOptions["config"]>, place: object) {
  const found = checkConfig({ ...rest, storage: { ...rest["storage"], ...place } });
  if ("problems" in found) throw new Error(found.problems.join("\n"));
  return found;
}

/** A request that came over no connection says nothing of its body's length: it is one that ends somewhere. */
function framed(request: Request): Request {
  const { headers, body } = request;
  if (
    body === null ||
    request.bodyUsed ||
    headers.has("content-length") ||
    headers.has("transfer-encoding")
  ) {
    return request;
  }
  const framing = new Headers(headers);
  framing.set("transfer-encoding", "chunked");
  return new Request(request, { headers: framing });
}
