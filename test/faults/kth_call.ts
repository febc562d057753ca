// One system call of a running server fails, or ends it: the k-th of its kind while a blob and a manifest are
// pushed (strace attaches to the server and injects).
//
// Every point is a fresh root and a fresh server. Afterwards the disk is checked without a server, a new one must
// serve everything that was acknowledged, and the same pushes must then succeed.
// The result says whether strace changed anything (`hit`), so that a point that was never reached does not count as one
// that was survived. Counts are per thread, as strace counts; the runtime is limited to few threads.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { eventually, requireRoot, requireTool } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { Journal, manifestType, sha256 } from "./journal.ts";
import { type PlantedBug, startFaultServer } from "./server_process.ts";

export interface FaultPoint {
  readonly call: string;
  readonly fault: "kill" | "EIO" | "ENOSPC";
  /** The k-th call, or all from the k-th on. */
  readonly k: number | `${number}+`;
  /** Only calls on the log of the facts. */
  readonly on?: "facts";
  /** Push into a repository whose directories are known: the first flush is then that of the upload's bytes. */
  readonly warm?: true;
  /** The blob is small and comes whole, in one request. */
  readonly whole?: true;
  /** Whether the fault waits for the manifest, so that the blob is acknowledged before. */
  readonly from?: "manifest";
}

export interface FaultResult {
  readonly problems: readonly string[];
  /** The call was reached, and failed as it was told to. */
  readonly hit: boolean;
  /** Statuses of blob and manifest; 0 for a connection that was cut. */
  readonly statuses: readonly number[];
}

/** How long strace may take to let go. */
const detachMs = 2_000;
const repository = "fault/point";
/** Longer than jobs rest after a commit. */
const quietMs = 400;
const factsFile = "_zot/metadata.db-wal";

/** Whether strace can attach here; says why not, and throws in CI. */
export function canInject(): boolean {
  return requireTool("strace") && requireRoot();
}

export function nameOf({ call, fault, k, on, warm, whole, from }: FaultPoint): string {
  const where = on === undefined ? "" : ` on ${on}`;
  const when = from === undefined ? "" : ` from ${from}`;
  const more = `${warm === true ? ", known repository" : ""}${whole === true ? ", blob at hand" : ""}`;
  return `${fault} at ${call} ${k}${where}${when}${more}`;
}

/** The points of every kind of call, up to one that nothing reaches, are tried one after the other. */
export const everyCall: readonly string[] = [
  "fsync",
  "link",
  "rename",
  "openat",
  "pwrite64",
  "unlink",
  "mkdir",
  "close",
];

/** Pushes through a server whose k-th call fails; tells everything that was not as it should be. */
export async function faultAt(point: FaultPoint, planted?: PlantedBug): Promise<FaultResult> {
  await using directory = await tempDirectory("zot-fault");
  const root = join(directory.path, "root");
  const journal = new Journal();
  const problems: string[] = [];
  // Few threads, so that the k-th call of a thread is one of few calls.
  await using server = await startFaultServer(root, planted ?? null, { UV_THREADPOOL_SIZE: "1" });
  const pushes = new Pushes(journal, point.whole === true ? 4_000 : 400_000);
  const before = point.warm === true ? repository : "fault/before";
  if ((await pushes.before(server.url, before)).some((status) => status !== 201)) {
    throw new Error("the push before the fault was refused");
  }
  // One with a planted bug may never get there.
  if (planted === undefined) {
    await eventually("what the server does after a push is done", () => isQuiet(root, before));
  }
  const location = point.whole === true ? null : await startUpload(server.url);
  const statuses: number[] = [];
  if (point.from === "manifest") statuses.push(await pushes.blob(server.url, location));
  const log = join(directory.path, "trace");
  const tracer = await attach(server.pid, log, optionsOf(point, root));
  if (point.from === undefined) statuses.push(await pushes.blob(server.url, location));
  statuses.push(await pushes.manifest(server.url));
  await tracer.detach();
  const trace = await readFile(log, "utf8");
  const hit = trace.includes("(INJECTED)") || !server.running();
  if (server.running()) {
    problems.push(...(await checkAlive(server.url, { point, trace, location, statuses })));
    problems.push(...(await journal.check(server.url)));
  }
  await server.kill();
  problems.push(...checkRoot(root).violations.map((violation) => `on disk: ${violation}`));
  await using again = await startFaultServer(root);
  problems.push(...(await journal.check(again.url)).map((problem) => `after a start: ${problem}`));
  const repeated = await pushes.all(again.url, repository);
  if (repeated.some((status) => status !== 201)) {
    problems.push(`the same pushes after a start were answered ${repeated.join(", ")}`);
  }
  problems.push(...(await journal.check(again.url)));
  return { problems, hit, statuses };
}

/** Whether index.json lists what was pushed, and no commit followed for a while: background work takes no fault then. */
async function isQuiet(root: string, repository: string): Promise<boolean> {
  const index = await readFile(join(root, repository, "index.json"), "utf8").catch(() => "");
  const { mtimeMs } = await stat(join(root, factsFile));
  return index.includes("sha256:") && Date.now() - mtimeMs > quietMs;
}

interface Aftermath {
  readonly point: FaultPoint;
  readonly trace: string;
  /** Of the session that was open; null where the blob came whole. */
  readonly location: string | null;
  readonly statuses: readonly number[];
}

/** What a server that lives on after an error owes its clients. */
async function checkAlive(
  url: string,
  { point, trace, location, statuses }: Aftermath,
): Promise<string[]> {
  const problems: string[] = [];
  const full = point.fault === "ENOSPC" ? 507 : 500;
  const clear = [201, full, 503, 404];
  for (const status of statuses) {
    if (!clear.includes(status))
      problems.push(`a push was answered ${status}, not one of ${clear.join()}`);
  }
  const lostFlush = /fsync\(\d+<[^>]*_zot\/uploads\/[^>]*>\) = -1 .*\(INJECTED\)/.test(trace);
  if (lostFlush && location !== null) {
    // The kernel reports a failed flush once: a second one would succeed over bytes that are lost.
    if (statuses[0] === 201) problems.push("a blob was acknowledged whose flush had failed");
    const session = await fetch(`${url}${location}`);
    await session.arrayBuffer();
    if (session.status !== 404) problems.push(`its upload is still there: ${session.status}`);
  }
  return problems;
}

export function optionsOf({ call, fault, k, on }: FaultPoint, root: string): string[] {
  const injected = fault === "kill" ? "signal=KILL" : `error=${fault}`;
  const options = ["-e", `trace=${call}`, "-e", `inject=${call}:${injected}:when=${k}`];
  if (on === "facts") options.push("-P", join(root, factsFile));
  return options;
}

/** Attaches strace to a process and waits until it watches every thread. */
export async function attach(pid: number, log: string, options: readonly string[]) {
  const command = ["strace", "-f", "-y", "-o", log, "-p", String(pid), ...options];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const reader = child.stderr.getReader();
  let said = "";
  while (!said.includes("attached")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`strace could not attach: ${said}`);
    said += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return {
    detach: async (): Promise<void> => {
      child.kill("SIGINT");
      // It may wait for ever for threads that a kill took from under it.
      const timer = setTimeout(() => child.kill("SIGKILL"), detachMs);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

async function startUpload(url: string): Promise<string> {
  const answer = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  await answer.arrayBuffer();
  return answer.headers.get("location") ?? "";
}

/** One blob, large enough for the runtime's own transfer, and one manifest; always the same. */
class Pushes {
  readonly #journal: Journal;
  readonly #layer: Uint8Array<ArrayBuffer>;
  readonly #manifest: Uint8Array<ArrayBuffer>;

  constructor(journal: Journal, sizeBytes: number, content = "layer ") {
    this.#journal = journal;
    this.#layer = new Uint8Array(Buffer.alloc(sizeBytes, content));
    const describe = (bytes: Uint8Array, mediaType: string) => ({
      mediaType,
      digest: sha256(bytes),
      size: bytes.length,
    });
    this.#manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: describe(this.#layer, "application/vnd.oci.image.config.v1+json"),
        layers: [describe(this.#layer, "application/vnd.oci.image.layer.v1.tar")],
      }),
    );
  }

  /** Other content, so that every thread and directory was at work before. */
  before(url: string, at: string): Promise<number[]> {
    return new Pushes(this.#journal, this.#layer.length, "before ").all(url, at, "v0");
  }

  /** Blob and manifest into a repository, by the plainest way; their statuses. */
  async all(url: string, at: string, tag = "v1"): Promise<number[]> {
    const session = await statusOf(`${url}/v2/${at}/blobs/uploads/`, { method: "POST" });
    const pushed = await this.#whole(url, at);
    return [session === 202 ? 201 : session, pushed, await this.manifest(url, at, tag)];
  }

  async #whole(url: string, at: string): Promise<number> {
    const digest = sha256(this.#layer);
    const pushed = await statusOf(`${url}/v2/${at}/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      body: this.#layer,
    });
    if (pushed === 201) this.#journal.stored(at, "blobs", digest, this.#layer);
    return pushed;
  }

  /** The blob through a session that is open, or in one request. */
  async blob(url: string, location: string | null): Promise<number> {
    if (location === null) return this.#whole(url, repository);
    const digest = sha256(this.#layer);
    const sent = await statusOf(`${url}${location}`, { method: "PATCH", body: this.#layer });
    if (sent !== 202) return sent;
    const closed = await statusOf(`${url}${location}?digest=${digest}`, { method: "PUT" });
    if (closed === 201) this.#journal.stored(repository, "blobs", digest, this.#layer);
    return closed;
  }

  async manifest(url: string, at = repository, tag = "v1"): Promise<number> {
    const digest = sha256(this.#manifest);
    this.#journal.moving(at, tag, digest);
    const status = await statusOf(`${url}/v2/${at}/manifests/${tag}`, {
      method: "PUT",
      body: this.#manifest,
      headers: { "content-type": manifestType },
    });
    if (status === 400) return 404; // Its blob was not acknowledged, so that it may not be there.
    if (status === 201) {
      this.#journal.stored(at, "manifests", digest, this.#manifest);
      this.#journal.moved(at, tag);
    }
    return status;
  }
}

/** The status of an answer; 0 when the connection was cut before there was one. */
async function statusOf(url: string, init: RequestInit): Promise<number> {
  try {
    const answer = await fetch(url, init);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}
