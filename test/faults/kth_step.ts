// One system call ends a serving process: the k-th of its kind while it collects, holds, undoes, purges or checks
// (strace starts the server, and injects a SIGKILL).
//
// Every point is a fresh root. A first server makes what is needed, the second one is killed, and a third one goes on.
// Then the step is asked for again, as its client would, and all of it is as after a step that nobody disturbs.
// `hit` says whether the call was reached. Counts are per thread, as strace counts, from the start of the server.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { manifestType, sha256 } from "./journal.ts";
import { startFaultServer, type ServerProcess } from "./server_process.ts";

export const killedCalls = ["pwrite64", "fsync", "unlink", "rename", "link", "mkdir"] as const;

export interface StepPoint {
  readonly call: (typeof killedCalls)[number];
  readonly k: number;
}

export interface StepResult {
  readonly problems: readonly string[];
  readonly hit: boolean;
}

const at = "fault/step";
const blobsOf = (root: string): string => join(root, at, "blobs/sha256");
const hexOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Of this kind only calls on the log of the facts are counted. */
const onFacts = ["pwrite64", "fsync"];

interface Image {
  readonly layers: readonly Uint8Array<ArrayBuffer>[];
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly digest: string;
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.alloc(3_000, text));

function imageOf(...layers: readonly Uint8Array<ArrayBuffer>[]): Image {
  const descriptors = layers.map((layer) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: sha256(layer),
    size: layer.length,
  }));
  const config = { ...descriptors[0], mediaType: "application/vnd.oci.image.config.v1+json" };
  const document = { schemaVersion: 2, mediaType: manifestType, config, layers: descriptors };
  const manifest = new TextEncoder().encode(JSON.stringify(document));
  return { layers, manifest, digest: sha256(manifest) };
}

const shared = bytesOf("shared ");
/** Stays, with the tag `kept`. */
const kept = imageOf(bytesOf("kept "), shared);
/** Has the tag `gone`, and is removed or damaged. */
const gone = imageOf(bytesOf("gone "), shared);
const [ownLayer] = gone.layers;

type Server = Pick<ServerProcess, "url" | "running">;

async function ask(
  server: Server,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer> | object,
): Promise<number> {
  const isManifest = path.startsWith("manifests/") && body !== undefined;
  const answer = await fetch(`${server.url}/v2/${at}/${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
    ...(isManifest ? { headers: { "content-type": manifestType } } : {}),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function push(server: Server, image: Image, tag: string): Promise<void> {
  for (const layer of image.layers) {
    await ask(server, "POST", `blobs/uploads/?digest=${sha256(layer)}`, layer);
  }
  const status = await ask(server, "PUT", `manifests/${tag}`, image.manifest);
  if (status !== 201) throw new Error(`a push was answered ${status}`);
}

/** What of an image is not served, byte for byte. */
async function missing(server: Server, image: Image, tag: string): Promise<string[]> {
  const paths = [
    `manifests/${tag}`,
    `manifests/${image.digest}`,
    ...image.layers.map((layer) => `blobs/${sha256(layer)}`),
  ];
  const wanted = [image.manifest, image.manifest, ...image.layers].map(sha256);
  const found = await Promise.all(
    paths.map(async (path) => {
      const answer = await fetch(`${server.url}/v2/${at}/${path}`);
      return sha256(new Uint8Array(await answer.arrayBuffer()));
    }),
  );
  return paths
    .filter((_, index) => found[index] !== wanted[index])
    .map((path) => `${path} is gone`);
}

interface Step {
  /** Of the servers that carry it out. */
  readonly env: Readonly<Record<string, string>>;
  /** With a server that collects and checks nothing, after both images were pushed. */
  readonly prepare?: (server: Server) => Promise<unknown>;
  /** Without a server. */
  readonly disturb?: (root: string) => void;
  /** Asked again by a client that had no answer. */
  readonly act?: (server: Server) => Promise<unknown>;
  /** Waited for. */
  readonly isDone: (server: Server, root: string) => Promise<boolean> | boolean;
  /** What must be so afterwards, told as problems. */
  readonly check?: (server: Server, root: string) => Promise<readonly string[]>;
}

const held = { UNDO_WINDOW: "24h" };
const untag = (server: Server): Promise<number> => ask(server, "DELETE", "manifests/gone");
const remove = (server: Server): Promise<number> =>
  ask(server, "DELETE", `manifests/${gone.digest}`);
const restore = (server: Server): Promise<number> =>
  ask(server, "POST", "_zot/tag-history/gone/restore", { digest: gone.digest });
const isAbsent = async (server: Server): Promise<boolean> =>
  (await ask(server, "GET", `manifests/${gone.digest}`)) === 404;
const isSwept = (_: Server, root: string): boolean =>
  [gone.manifest, ownLayer!].every((bytes) => !existsSync(join(blobsOf(root), hexOf(bytes))));
const comesBack = async (server: Server): Promise<readonly string[]> => {
  const status = await restore(server);
  return status === 200 ? missing(server, gone, "gone") : [`an undo is answered ${status}`];
};
const wrong = bytesOf("wrong ");
const damagedIn = (root: string): string => join(root, "_zot/damaged");

export const killedSteps: Readonly<Record<string, Step>> = {
  collection: { env: { COLLECTS: "1" }, prepare: untag, isDone: isSwept },
  "collection that holds": {
    env: { ...held, COLLECTS: "1" },
    prepare: untag,
    isDone: isAbsent,
    check: comesBack,
  },
  "a delete that holds": { env: held, act: remove, isDone: isAbsent, check: comesBack },
  "an undo": {
    env: held,
    prepare: remove,
    act: restore,
    isDone: async (server) => (await missing(server, gone, "gone")).length === 0,
  },
  "a purge": {
    env: held,
    act: (server) =>
      ask(server, "POST", "_zot/purge", { digest: gone.digest, reason: "a password" }),
    isDone: async (server, root) => (await isAbsent(server)) && isSwept(server, root),
    check: async (server) => {
      const status = await restore(server);
      return status === 404 ? [] : [`what was purged is brought back: ${status}`];
    },
  },
  // Its layer waits for collection.
  "the end of holds": {
    env: { UNDO_WINDOW: "0s" },
    prepare: remove,
    isDone: (_, root) => !existsSync(join(blobsOf(root), hexOf(gone.manifest))),
  },
  "a round of checks": {
    env: { ...held, CHECKS: "1" },
    disturb: (root) => writeFileSync(join(blobsOf(root), hexOf(ownLayer!)), wrong),
    isDone: async (server, root) =>
      (await ask(server, "GET", `blobs/${sha256(ownLayer!)}`)) === 500 &&
      existsSync(damagedIn(root)) &&
      readdirSync(damagedIn(root)).length > 0,
    check: async (server, root) => {
      const names = readdirSync(damagedIn(root));
      const others = names.filter(
        (name) => hexOf(readFileSync(join(damagedIn(root), name))) !== hexOf(wrong),
      );
      await push(server, gone, "gone");
      return [
        ...(names.length === 1 && others.length === 0 ? [] : [`in quarantine: ${names.join()}`]),
        ...(await missing(server, gone, "gone")),
      ];
    },
  },
};

/** Kills the server at a call of a step; tells everything that was not as it should be. */
export async function killInStep(name: string, { call, k }: StepPoint): Promise<StepResult> {
  const step = killedSteps[name];
  if (step === undefined) throw new Error(`no step ${name}`);
  await using directory = await tempDirectory("zot-killed-step");
  const root = join(directory.path, "root");
  {
    await using first = await startFaultServer(root, null, held);
    await push(first, kept, "kept");
    await push(first, gone, "gone");
    await step.prepare?.(first);
  }
  step.disturb?.(root);
  const hit = await carryOut(
    step,
    root,
    tracerOf({ call, k }, root, join(directory.path, "trace")),
  );
  const problems = checkRoot(root)
    .violations.filter(
      (line) => step.disturb === undefined || !line.includes(sha256(ownLayer!).slice(7)),
    )
    .map((line) => `on disk: ${line}`);
  await using last = await startFaultServer(root, null, step.env);
  await step.act?.(last);
  await eventually(`${name} is carried out after a kill`, () => step.isDone(last, root));
  problems.push(...(await missing(last, kept, "kept")));
  problems.push(...((await step.check?.(last, root)) ?? []));
  return { problems, hit };
}

/** True when it was killed. */
async function carryOut(step: Step, root: string, tracer: readonly string[]): Promise<boolean> {
  let server: ServerProcess;
  try {
    server = await startFaultServer(root, null, step.env, tracer);
  } catch {
    return true;
  }
  await using victim = server;
  const died = (): boolean => !victim.running();
  // A connection that is cut off is no answer.
  await step.act?.(victim).catch(() => undefined);
  await eventually("it is carried out, or killed", async () => {
    const isDone = await Promise.resolve(step.isDone(victim, root)).catch(() => false);
    return isDone || died();
  });
  return died();
}

/** The server is the child of who starts it, and strace its grandchild. */
function tracerOf({ call, k }: StepPoint, root: string, log: string): string[] {
  const inject = `inject=${call}:signal=KILL:when=${k}`;
  const on = onFacts.includes(call) ? ["-P", join(root, "_zot/metadata.db-wal")] : [];
  return ["strace", "-D", "-f", "-q", "-o", log, "-e", `trace=${call}`, "-e", inject, ...on];
}
