// A server of two workers that pulls through, by the rows of the study of mirrors (their numbers stand in the names):
// what many clients cost the upstream, workers and servers that are killed in the middle of a download, and logins.

import type { Stats } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { sample } from "../contracts/store_samples.ts";
import { signalTo, startZot, tempDirectory } from "../harness.ts";
import { reasonOf } from "../reason_of.ts";
import { eventually } from "../processes.ts";
import { folderOf, startMirror, type MirrorServer } from "./mirror_server.ts";
import { ScriptedUpstream, type ScriptedAnswer } from "./scripted_upstream.ts";

const MiB = 1024 * 1024;
const big = sample(10 * MiB);
const digest = digestOf("sha256", big);
const name = "team/app";
const there = `/v2/${name}/blobs/${digest}`;

/** Sends what it is asked for; the first `stops` answers stop at a byte until they are let go. */
function heldAt(upstream: ScriptedUpstream, at: number, stops = 1) {
  const gate = Promise.withResolvers<void>();
  let left = stops;
  async function* bodyFrom(start: number, waits: boolean): AsyncGenerator<Uint8Array> {
    for (let from = start; from < big.length; from += 64 * 1024) {
      if (waits && from >= at) await gate.promise;
      yield big.subarray(from, from + 64 * 1024);
    }
  }
  upstream.on("GET", there, ({ headers }): ScriptedAnswer => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const waits = left > 0;
    left -= 1;
    const length = { "Content-Length": String(big.length - start) };
    const range = `bytes ${start}-${big.length - 1}/${big.length}`;
    return {
      status: start === 0 ? 200 : 206,
      headers: start === 0 ? length : { ...length, "Content-Range": range },
      body: bodyFrom(start, waits),
    };
  });
  return () => gate.resolve();
}

async function pulledOf(answer: Promise<Response>): Promise<string> {
  try {
    const bytes = new Uint8Array(await (await answer).arrayBuffer());
    return digestOf("sha256", bytes);
  } catch {
    return "broke";
  }
}

function blobs(upstream: ScriptedUpstream) {
  return upstream.asked("GET", "/blobs/").filter(({ path }) => path === there);
}

/** The file of the download; null before and after it. */
async function downloadIn({ zot }: MirrorServer): Promise<Stats | null> {
  const uploads = join(zot.rootDirectory, "_zot", "uploads");
  const name = (await readdir(uploads)).find((each) => each.startsWith("fetch."));
  return name === undefined ? null : await stat(join(uploads, name)).catch(() => null);
}

/** The process that holds the download, as the kernel knows it. */
async function leaderOf(mirror: MirrorServer): Promise<number | null> {
  const file = await downloadIn(mirror);
  const locks = await readFile("/proc/locks", "utf8");
  const line = locks.split("\n").find((each) => each.includes(`:${file?.ino} `));
  return line === undefined ? null : Number(line.split(/\s+/)[4]);
}

async function downloadedBytes(mirror: MirrorServer): Promise<number> {
  return (await downloadIn(mirror))?.size ?? 0;
}

test("rows 10 and 19: many clients of two workers cost one check each, and one download", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.content.addImage(name, "v1", [big]);
  await using mirror = await startMirror(upstream);
  const heads = Array.from({ length: 60 }, () =>
    mirror.get(`${name}/manifests/v1`, { method: "HEAD" }),
  );
  expect(new Set((await Promise.all(heads)).map(({ status }) => status))).toEqual(new Set([200]));
  expect(upstream.asked("HEAD", "/manifests/").length).toBeLessThanOrEqual(2);
  const letGo = heldAt(upstream, 2 * MiB);
  const pulls = Array.from({ length: 50 }, () => pulledOf(mirror.get(`${name}/blobs/${digest}`)));
  await upstream.awaitAsked("GET", "/blobs/");
  await eventually("bytes are here", async () => (await downloadedBytes(mirror)) >= MiB);
  letGo();
  expect(new Set(await Promise.all(pulls))).toEqual(new Set([digest]));
  expect(blobs(upstream).length).toBe(1);
  expect(mirror.zot.stderr()).toEqual([]);
});

test("row 15: of an index the children that are asked for come, once for both workers", async () => {
  await using upstream = await ScriptedUpstream.start();
  const children = ["amd64", "arm64"].map((layer) =>
    upstream.content.addImage(name, null, [layer]),
  );
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map(({ digest: child, bytes }) => ({
      mediaType: mediaTypes.ociImage,
      digest: child,
      size: bytes.length,
    })),
  };
  const listed = upstream.content.addManifest(name, index, { tag: "v1" });
  await using mirror = await startMirror(upstream);
  const pull = async (reference: string): Promise<string | null> => {
    const answer = await mirror.get(`${name}/manifests/${reference}`);
    await answer.arrayBuffer();
    return answer.headers.get("docker-content-digest");
  };
  // Each request is a connection of its own, which either worker may take.
  for (let time = 0; time < 8; time += 1) {
    expect(await pull("v1")).toBe(listed);
    expect(await pull(children[0]!.digest)).toBe(children[0]!.digest);
  }
  expect(upstream.asked("GET", "/manifests/").length).toBe(2);
  expect(await pull(children[1]!.digest)).toBe(children[1]!.digest);
  expect(upstream.asked("GET", "/manifests/").length).toBe(3);
});

test("row 20: the worker that downloads is killed: clients of the other one get all, and it asks for the rest", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.content.addImage(name, "v1", [big]);
  await using mirror = await startMirror(upstream);
  await mirror.get(`${name}/manifests/v1`);
  const letGo = heldAt(upstream, 4 * MiB);
  const pulls = Array.from({ length: 24 }, () => pulledOf(mirror.get(`${name}/blobs/${digest}`)));
  await eventually("a part is here", async () => (await downloadedBytes(mirror)) >= 3 * MiB);
  // Clients of both workers wait for the rest.
  await eventually("all have come", async () => {
    const { zot } = mirror;
    return zot.workerPids().length === 2;
  });
  // Where the kernel does not tell (some file systems have other numbers there), any of them is killed.
  const leader = await leaderOf(mirror);
  signalTo(leader ?? mirror.zot.workerPids()[0]!, "SIGKILL");
  if (leader === null) letGo();
  const ended = await Promise.all(pulls);
  letGo();
  expect(new Set(ended).has(digest) || ended.every((each) => each === "broke")).toBe(true);
  const again = await eventually("a client gets all of it", async () => {
    const got = await pulledOf(mirror.get(`${name}/blobs/${digest}`));
    return got === digest ? got : null;
  });
  expect(again).toBe(digest);
  if (leader === null) return;
  const ranges = blobs(upstream).map(({ headers }) => headers.get("range"));
  expect(ranges[0]).toBeNull();
  expect(ranges.length).toBe(2);
  expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? "")?.[1])).toBeGreaterThanOrEqual(3 * MiB);
});

test("row 21: everything is killed in the middle: the next server asks for the rest", async () => {
  await using upstream = await ScriptedUpstream.start();
  await using root = await tempDirectory();
  upstream.content.addImage(name, "v1", [big]);
  const rootDirectory = join(root.path, "root");
  {
    await using mirror = await startMirror(upstream, { rootDirectory });
    await mirror.get(`${name}/manifests/v1`);
    heldAt(upstream, 4 * MiB);
    const pull = pulledOf(mirror.get(`${name}/blobs/${digest}`));
    await eventually("a part is here", async () => (await downloadedBytes(mirror)) >= 3 * MiB);
    await mirror.zot.kill();
    expect(await pull).toBe("broke");
  }
  upstream.reset();
  upstream.cutAll();
  await using mirror = await startMirror(upstream, { rootDirectory });
  expect(await pulledOf(mirror.get(`${name}/blobs/${digest}`))).toBe(digest);
  const ranges = blobs(upstream).map(({ headers }) => headers.get("range"));
  expect(ranges.length).toBe(2);
  expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? "")?.[1])).toBeGreaterThanOrEqual(3 * MiB);
});

test("row 61: who may not read causes no question; who may fills the cache", async () => {
  await using upstream = await ScriptedUpstream.start();
  await using files = await tempDirectory();
  upstream.content.addImage(name, "v1", [big]);
  const htpasswd = join(files.path, "htpasswd");
  const hash = (password: string) => Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  await writeFile(
    htpasswd,
    `ann:${await hash("secret")}
ben:${await hash("other")}
`,
  );
  const folder = folderOf(upstream);
  await using mirror = await startMirror(upstream, {
    config: {
      http: {
        auth: { htpasswd: { path: htpasswd } },
        accessControl: {
          repositories: { [`${folder}/**`]: { policies: [{ users: ["ann"], actions: ["read"] }] } },
        },
      },
    },
  });
  const as = (user: string) => ({ headers: { Authorization: `Basic ${btoa(user)}` } });
  const path = `${name}/manifests/v1`;
  expect((await mirror.get(path)).status).toBe(401);
  expect((await mirror.get(path, as("ben:other"))).status).toBe(403);
  const byNamespace = `${mirror.zot.url}/v2/${path}?ns=${upstream.host}`;
  expect((await fetch(byNamespace, as("ben:other"))).status).toBe(403);
  const push = { method: "POST" };
  const strange = await mirror.get(`${name}/blobs/uploads/`, push);
  expect(strange.status).toBe(401);
  const known = await mirror.get(`${name}/blobs/uploads/`, { ...push, ...as("ben:other") });
  expect(known.status).toBe(403);
  for (const answer of [strange, known]) expect(await answer.text()).not.toContain(upstream.host);
  expect(upstream.requests).toEqual([]);
  expect((await fetch(byNamespace, as("ann:secret"))).status).toBe(200);
  expect((await mirror.get(`${name}/blobs/${digest}`, as("ben:other"))).status).toBe(403);
});

test("rows 23 and 25: wrong bytes break the connection, are told in one line, and the next URL is asked", async () => {
  await using first = await ScriptedUpstream.start();
  await using second = await ScriptedUpstream.start();
  for (const upstream of [first, second]) upstream.content.addImage(name, "v1", [big]);
  const wrong = big.slice();
  wrong[wrong.length - 1]! ^= 1;
  first.on("GET", there, { body: wrong });
  await using mirror = await startMirror(first, {
    config: { http: { workers: 1 } },
    entry: { urls: [first.url, second.url] },
  });
  await mirror.get(`${name}/manifests/v1`);
  expect(await pulledOf(mirror.get(`${name}/blobs/${digest}`))).toBe("broke");
  const line = await mirror.zot.waitForLog("it is told", ({ msg }) =>
    String(msg).includes("could not be fetched"),
  );
  expect(line).toMatchObject({ level: "warn", digest });
  expect(mirror.zot.stderr()).toEqual([]);
  expect(await pulledOf(mirror.get(`${name}/blobs/${digest}`))).toBe(digest);
  expect(blobs(first).length).toBe(1);
  expect(blobs(second).length).toBe(1);
});

test("row 70: what was removed under the server is fetched anew", async () => {
  await using upstream = await ScriptedUpstream.start();
  const image = upstream.content.addImage(name, "v1", [big, "a small layer"]);
  await using mirror = await startMirror(upstream, { config: { http: { workers: 1 } } });
  const paths = [...image.layers, image.config].map((each) => `${name}/blobs/${each.digest}`);
  for (const path of [`${name}/manifests/v1`, ...paths]) await mirror.get(path).then(whole);
  await rm(join(mirror.zot.rootDirectory, mirror.folder), { recursive: true });
  await mirror.zot.stop();
  await using again = await startMirror(upstream, { rootDirectory: mirror.zot.rootDirectory });
  for (const path of [`${name}/manifests/v1`, ...paths]) {
    const answer = await again.get(path);
    expect(answer.status).toBe(200);
    expect((await whole(answer)).length).toBeGreaterThan(0);
  }
  expect(await pulledOf(again.get(paths[0]!))).toBe(digest);
});

async function whole(answer: Response): Promise<Uint8Array> {
  return new Uint8Array(await answer.arrayBuffer());
}

test("zot serve --mirror is a mirror at once, and says what is no registry", async () => {
  await using upstream = await ScriptedUpstream.start();
  const image = upstream.content.addImage(name, "v1", ["small"]);
  await using zot = await startZot({ args: ["--mirror", upstream.url] });
  const answer = await fetch(`${zot.url}/v2/${folderOf(upstream)}/${name}/manifests/v1`);
  expect(answer.headers.get("docker-content-digest")).toBe(image.digest);
  // The file is read again with what the command line adds.
  await zot.configure({ log: { level: "debug" } });
  await zot.waitForLog(
    "the change is in force",
    ({ msg }) => msg === "the configuration was changed",
  );
  expect(zot.logs().filter(({ msg }) => /restart/.test(String(msg)))).toEqual([]);
  const refused = await reasonOf(startZot({ args: ["--mirror", "https://user@host"] }));
  expect(String(refused)).toContain("--mirror");
});
