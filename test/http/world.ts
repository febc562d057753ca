// A real server in this process, and a client that sends requests exactly as written.
//
// The server listens on a port that the kernel chose, over a root directory of its own, which is removed at the end.
// Every answer is compared with the OpenAPI document of that server. The line that each answered request logged is
// kept, so that a test can tell which row of the endpoint table answered. A test can compare what lies on disk before
// and after a request. `row.ts` says what to ask and what to expect.

import { readdirSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import pino from "pino";
import type { Exchange, ExchangeRequest } from "../../src/client/exchange.ts";
import type { HeaderLine } from "../../src/client/http_message.ts";
import { RegistryClient } from "../../src/client/registry_client.ts";
import { checkConfig } from "../../src/config/load.ts";
import type { AccessRecord } from "../../src/http/dispatch.ts";
import { slowBodyBytesMin } from "../../src/http/endpoint.ts";
import type { Log } from "../../src/lib/log.ts";
import {
  openApiText,
  type Primary,
  startPrimary,
  startWorker,
  type Worker,
} from "../../src/server.ts";
import { descriptionOf } from "../described.ts";
import { chosenStorage } from "../postgres_root.ts";
import { eventually } from "../processes.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";

export interface World extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly rootDirectory: string;
  /** Large content is streamed from elsewhere. */
  readonly isStreaming: boolean;
  /** What the health endpoints tell; tests may change it. */
  readonly health: Worker["health"];
  /** One line per answered request, oldest first. */
  readonly records: readonly AccessRecord[];
  /** Everything else that was logged. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  send(method: string, target: string, options?: SendOptions): Promise<Exchange>;
  /** Stops the server and starts another one on the same root directory. */
  restart(): Promise<void>;
}

export type SendOptions = Omit<ExchangeRequest, "method" | "url" | "headers" | "body"> & {
  readonly headers?: Readonly<Record<string, string>> | readonly HeaderLine[];
  readonly body?: ExchangeRequest["body"] | string | undefined;
};

/** Starts a server; `config` is merged section by section over loopback, port 0 and a temporary root. */
export async function startWorld(config: Readonly<Record<string, object>> = {}): Promise<World> {
  const directory = await tempDirectory("zot-http");
  try {
    return await startWorldIn(directory, config);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

async function startWorldIn(
  directory: TempDirectory,
  config: Readonly<Record<string, object>>,
): Promise<World> {
  const rootDirectory = join(directory.path, "root");
  await mkdir(rootDirectory);
  const chosen = await chosenStorage(config["storage"] ?? {});
  const loaded = checkConfig({
    ...config,
    storage: { rootDirectory, ...chosen.storage, ...config["storage"] },
    http: { address: "127.0.0.1", port: "0", ...config["http"] },
  });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  const records: AccessRecord[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = capturingLog((line) => {
    if (line["msg"] === "request") records.push(line as unknown as AccessRecord);
    else lines.push(line);
  });
  let running = await start(loaded.config, log);
  const description = descriptionOf(openApiText(loaded.config));
  /** Throws where the answer is not one that the document describes for the row that gave it. */
  const compare = (method: string, target: string, since: number, answer: Exchange): void => {
    const path = target.split("?")[0];
    const record = records
      .slice(since)
      .find(
        (each) => each.method === method && each.path === path && each.status === answer.status,
      );
    if (record === undefined || record.what === "none" || method === "OPTIONS") return;
    const problems = description.problems(record.what, method, target, answer);
    if (problems.length > 0) throw new Error(`not as described: ${problems.join("; ")}`);
  };
  return {
    rootDirectory,
    isStreaming: loaded.config.storage.storageDriver !== null,
    records,
    lines,
    get url() {
      return running.client.url;
    },
    get port() {
      return running.worker.port;
    },
    get health() {
      return running.worker.health;
    },
    send: async (method, target, options) => {
      const since = records.length;
      const answer = await running.client.exchange(requestOf(method, target, options));
      // The line of a large file comes when the server knows that it was sent.
      if (answer.body.length >= slowBodyBytesMin) {
        const path = target.split("?")[0];
        await eventually("the answer is logged", () =>
          records.slice(since).some((each) => each.method === method && each.path === path),
        );
      }
      compare(method, target, since, answer);
      return answer;
    },
    restart: async () => {
      await stop(running);
      running = await start(loaded.config, log);
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await stop(running);
      } finally {
        await chosen[Symbol.asyncDispose]();
        await directory[Symbol.asyncDispose]();
      }
    },
  };
}

interface Running {
  readonly primary: Primary;
  readonly worker: Worker;
  readonly client: RegistryClient;
}

type Config = Parameters<typeof startPrimary>[0];

async function start(config: Config, log: Log): Promise<Running> {
  const primary = await startPrimary(config, log);
  try {
    return await startWith(primary, config, log);
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

async function startWith(primary: Primary, config: Config, log: Log): Promise<Running> {
  const worker = await startWorker({
    config,
    log,
    committer: primary.committer,
    places: primary.places(1),
    port: 0,
    sharePort: false,
    idPrefix: "test-",
  });
  await primary.reconciled;
  worker.health.started = true;
  const client = new RegistryClient({ url: `http://127.0.0.1:${worker.port}` });
  return { primary, worker, client };
}

async function stop({ primary, worker, client }: Running): Promise<void> {
  client.close();
  await worker.stop(2_000);
  await primary.stop();
}

function capturingLog(take: (line: Record<string, unknown>) => void): Log {
  const destination = { write: (line: string) => take(JSON.parse(line)) };
  const options = { level: "debug", base: {} };
  const log = pino(options, destination);
  return Object.assign(log, { access: pino(options, destination) });
}

function requestOf(method: string, target: string, options: SendOptions = {}): ExchangeRequest {
  const { headers = [], body, ...rest } = options;
  return {
    ...rest,
    method,
    url: target,
    login: "none",
    redirectsMax: 0,
    headers: Array.isArray(headers) ? headers : Object.entries(headers),
    ...(body === undefined
      ? {}
      : { body: typeof body === "string" ? new TextEncoder().encode(body) : body }),
  };
}

/**
 * Files and directories under the root with their sizes, but for what background work changes at any time: the
 * metadata, files on their way to their name, and `index.json`. Directories have the size -1.
 */
export function filesOf(rootDirectory: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync(rootDirectory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(rootDirectory.length + 1);
    if (/^_zot\/(metadata\.db|temporary\/|lock)/.test(path) || path.endsWith("index.json"))
      continue;
    found.set(path, entry.isDirectory() ? -1 : sizeOf(join(rootDirectory, path)));
  }
  return found;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** What is in `after` and was not, or not with this size, in `before`. */
export function addedFiles(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string[] {
  return [...after].filter(([path, size]) => before.get(path) !== size).map(([path]) => path);
}
