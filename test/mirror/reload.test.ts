// Row 69 of the study of mirrors: another configuration while the server runs. What began before ends as it began.

import { expect, test } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import { sample } from "../contracts/store_samples.ts";
import { tempDirectory, type Zot } from "../harness.ts";
import { eventually } from "../processes.ts";
import { change, refusedText } from "../reloading.ts";
import { startMirror } from "./mirror_server.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const MiB = 1024 * 1024;
const big = sample(3 * MiB);
const name = "team/app";

interface Entry {
  readonly [key: string]: unknown;
}

/** The whole file of a server that mirrors these. */
function mirroring(entries: readonly Entry[], more: object = {}): object {
  const registries = entries.map((entry) => ({ content: [{ prefix: "**" }], ...entry }));
  return {
    http: { workers: 2 },
    extensions: { sync: { enable: true, registries, minFree: 0, ...more } },
  };
}

function get(zot: Zot, path: string): Promise<Response> {
  return fetch(`${zot.url}/v2/${path}`, { keepalive: false });
}

async function statusOf(zot: Zot, path: string): Promise<number> {
  const answer = await get(zot, path);
  await answer.arrayBuffer();
  return answer.status;
}

test("row 69: an entry that goes during a fetch: the fetch ends, and what is here stays, without its upstream", async () => {
  await using upstream = await ScriptedUpstream.start();
  const { digest } = upstream.content.addImage(name, "v1", [big]);
  upstream.content.addImage(name, "v2");
  const entry = { urls: [upstream.url], onDemand: true };
  await using mirror = await startMirror(upstream, { entry: { content: [{ prefix: "**" }] } });
  const { zot } = mirror;
  expect(await statusOf(zot, `${name}/manifests/v1`)).toBe(200);
  const gate = Promise.withResolvers<void>();
  const layer = digestOf("sha256", big);
  upstream.on("GET", `/v2/${name}/blobs/${layer}`, () => ({
    headers: { "Content-Length": String(big.length) },
    body: (async function* () {
      yield big.subarray(0, MiB);
      await gate.promise;
      yield big.subarray(MiB);
    })(),
  }));
  const pull = get(zot, `${name}/blobs/${layer}`);
  await upstream.awaitAsked("GET", "/blobs/");
  const told = await change(zot, mirroring([]));
  expect(told["changed"]).toEqual(["extensions.sync.registries"]);
  gate.resolve();
  expect(digestOf("sha256", new Uint8Array(await (await pull).arrayBuffer()))).toBe(layer);
  const asked = upstream.requests.length;
  expect(await statusOf(zot, `${name}/manifests/v1`)).toBe(200);
  expect(await statusOf(zot, `${name}/manifests/${digest}`)).toBe(200);
  // Its client has the last byte once all are verified; it is of the repository when it is flushed.
  await eventually("the fetch has ended, and its blob is here", async () => {
    return (await statusOf(zot, `${name}/blobs/${layer}`)) === 200;
  });
  expect(await statusOf(zot, `${name}/manifests/v2`)).toBe(404);
  expect(upstream.requests.length).toBe(asked);
  expect(await (await get(zot, "_zot/mirrors")).json()).toEqual({ mirrors: [] });
  // It comes back, and so does what it has.
  await change(zot, mirroring([entry]));
  expect(await statusOf(zot, `${name}/manifests/v2`)).toBe(200);
  expect(zot.stderr()).toEqual([]);
});

test("row 69: other upstreams, logins and rules of names count for the next request", async () => {
  await using one = await ScriptedUpstream.start({ basic: { user: "u", password: "new" } });
  await using other = await ScriptedUpstream.start();
  one.content.addImage(name, "v1");
  other.content.addImage("else/app", "v1");
  const first = { urls: [one.url], onDemand: true };
  const login = (password: string) => ({ credentials: { username: "u", password } });
  await using mirror = await startMirror(one, {
    entry: { content: [{ prefix: "**" }], ...login("old") },
  });
  const { zot } = mirror;
  expect(await statusOf(zot, `${name}/manifests/v1`)).toBe(403);
  await change(zot, mirroring([{ ...first, ...login("new") }]));
  expect(await statusOf(zot, `${name}/manifests/v1`)).toBe(200);
  expect(await statusOf(zot, "else/app/manifests/v1")).toBe(404);
  const second = { urls: [other.url], onDemand: true };
  await change(zot, mirroring([{ ...first, ...login("new") }, second]));
  // What the first one did not have is not remembered of both.
  expect(await statusOf(zot, "else/app/manifests/v1")).toBe(200);
  await change(
    zot,
    mirroring([{ ...second, content: [{ prefix: "else/**", destination: "/from" }] }]),
  );
  expect(await statusOf(zot, "from/else/app/manifests/v1")).toBe(200);
  expect(await statusOf(zot, "else/app/manifests/v2")).toBe(404);
  const { mirrors } = (await (await get(zot, "_zot/mirrors")).json()) as {
    mirrors: { host: string; mappings: unknown }[];
  };
  expect(mirrors.map(({ host, mappings }) => ({ host, mappings }))).toEqual([
    { host: other.host, mappings: [{ upstream: "else", local: "from/else" }] },
  ]);
  expect(zot.stderr()).toEqual([]);
});

test("row 69: copies from time to time begin, change and end", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.content.addImage("team/one", "v1");
  upstream.content.addImage("team/two", "v1");
  const entry = (prefix: string, pollInterval: string) => ({
    urls: [upstream.url],
    pollInterval,
    content: [{ prefix }],
  });
  await using mirror = await startMirror(upstream, { entry: {} });
  const { zot } = mirror;
  await change(zot, mirroring([entry("team/one", "1h")]));
  await eventually("the first round is at once", async () => {
    return (await statusOf(zot, "team/one/manifests/v1")) === 200;
  });
  await change(zot, mirroring([entry("team/one", "1h"), entry("team/two", "1h")]));
  await eventually("the new entry is copied", async () => {
    return (await statusOf(zot, "team/two/manifests/v1")) === 200;
  });
  const rounds = (): number =>
    zot.logs().filter(({ msg }) => msg === "finished a round of an upstream").length;
  await eventually("its round has ended", () => rounds() === 2);
  await change(zot, mirroring([entry("team/one", "100ms")]));
  await eventually("the interval is another one", () => rounds() >= 4);
  await change(zot, mirroring([]));
  upstream.content.addImage("team/one", "v2");
  await change(zot, mirroring([entry("team/two", "100ms")]));
  const ended = rounds();
  await eventually("rounds of the other entry run", () => rounds() >= ended + 3);
  expect(await statusOf(zot, "team/one/manifests/v2")).toBe(404);
});

test("row 69: what cannot be read is refused, and what runs stays as it is", async () => {
  await using upstream = await ScriptedUpstream.start();
  upstream.content.addImage(name, "v1");
  await using directory = await tempDirectory();
  const entry = { urls: [upstream.url], onDemand: true };
  await using mirror = await startMirror(upstream, { entry: { content: [{ prefix: "**" }] } });
  const { zot } = mirror;
  const caFile = `${directory.path}/gone.pem`;
  const told = await change(zot, mirroring([{ ...entry, caFile }]), refusedText);
  expect(String(told["problems"])).toContain(`${caFile}: expected a file that can be read`);
  expect(await statusOf(zot, `${name}/manifests/v1`)).toBe(200);
});

test("row 69: to mirror at all is decided at the start", async () => {
  await using upstream = await ScriptedUpstream.start();
  await using mirror = await startMirror(upstream, { entry: {} });
  const told = await change(
    mirror.zot,
    { http: { workers: 2 } },
    "changed options wait for a restart",
  );
  expect(told["waiting"]).toEqual(["extensions.sync.enable: true -> false"]);
});
