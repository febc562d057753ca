// The gate of an upstream: how many, how fast, and whether any request may go, for all processes of a server together.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { HeaderLines } from "../../src/client/http_message.ts";
import {
  type GateLimits,
  type Pass,
  type UpstreamGate,
  UpstreamGates,
} from "../../src/extensions/sync/upstream/gate.ts";
import { openGatePage } from "../../src/extensions/sync/upstream/gate_page.ts";
import type { RegistryUpstream } from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { UpstreamTrouble } from "../../src/extensions/sync/upstream/trouble.ts";
import { gateLimits, kindOf, openUpstream, troubleOf } from "./open_upstream.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const startMs = Date.UTC(2026, 10, 1);

/** One server: processes that share a page and a clock. */
function server(limits: Partial<GateLimits> = {}) {
  const clock = manualClock(startMs);
  const page = openGatePage(null);
  const open = (worker: number) => new UpstreamGates(page, worker, clock);
  return {
    clock,
    page,
    open,
    gate: (worker: number, host = "docker.io"): UpstreamGate =>
      open(worker).of(host, { ...gateLimits, ...limits }),
  };
}

/** Whether some work is done once everything that can run has run. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  let done = false;
  void work.then(
    () => (done = true),
    () => (done = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

const answer = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers: new HeaderLines(Object.entries(headers)),
});

describe("places", () => {
  test("are the server's: whoever waited longest, in any process, is next", async () => {
    const { clock, gate } = server({ blobsMax: 2 });
    const [one, two] = [gate(1), gate(2)];
    const passes = [await one.enter("blob"), await two.enter("blob")];
    const order: string[] = [];
    const enter = async (name: string, by: UpstreamGate): Promise<Pass> => {
      const pass = await by.enter("blob");
      order.push(name);
      return pass;
    };
    const waiting = [enter("a", two)];
    await clock.advance(5);
    waiting.push(enter("b", one));
    await clock.advance(5);
    waiting.push(enter("c", two));
    await clock.advance(100);
    expect(order).toEqual([]);
    // A place of the first process, which has a waiter of its own: it is not his turn.
    passes[0]?.leave();
    await clock.advance(50);
    expect(order).toEqual(["a"]);
    passes[1]?.leave();
    await clock.advance(50);
    expect(order).toEqual(["a", "b"]);
    (await waiting[0])?.leave();
    await clock.advance(50);
    expect(order).toEqual(["a", "b", "c"]);
    for (const each of waiting) (await each).leave();
  });

  test("a manifest never waits behind blobs", async () => {
    const { gate } = server({ blobsMax: 1, requestsMax: 1 });
    const one = gate(1);
    const blob = await one.enter("blob");
    const late = one.enter("blob");
    const manifest = await one.enter("manifest");
    expect(await isDone(late)).toBe(false);
    manifest.leave();
    blob.leave();
    (await late).leave();
  });

  test("those of a worker that was killed are free again", async () => {
    const { gate, open, clock } = server({ blobsMax: 1 });
    await gate(1).enter("blob");
    const waiting = gate(2).enter("blob");
    await clock.advance(50);
    expect(await isDone(waiting)).toBe(false);
    open(0).workerEnded(1);
    await clock.advance(50);
    (await waiting).leave();
  });

  test("another look at the page from the primary takes nothing from the workers", async () => {
    const { gate, open, clock } = server({ blobsMax: 1 });
    const pass = await gate(1).enter("blob");
    const again = open(0).of("docker.io", { ...gateLimits, blobsMax: 1 });
    const waiting = again.enter("blob");
    await clock.advance(50);
    expect(await isDone(waiting)).toBe(false);
    pass.leave();
    await clock.advance(50);
    (await waiting).leave();
  });

  test("a full line is told at once, and when to come again", async () => {
    const { gate, clock } = server({ requestsMax: 1, queueMax: 2 });
    const [one, two] = [gate(1), gate(2)];
    const pass = await one.enter("check");
    const waiting = [one.enter("check"), two.enter("check")];
    const trouble = await troubleOf(one.enter("check"));
    expect([trouble.kind, trouble.retryAfterS]).toEqual(["busy", 5]);
    pass.leave();
    for (const each of waiting) {
      await clock.advance(50);
      (await each).leave();
    }
  });

  test("who leaves the line makes room, and gives nothing back twice", async () => {
    const { gate, clock } = server({ requestsMax: 1 });
    const one = gate(1);
    const pass = await one.enter("check");
    const leaving = new AbortController();
    const gone = one.enter("check", leaving.signal).catch(() => "left");
    const next = one.enter("check");
    leaving.abort();
    expect(await gone).toBe("left");
    pass.leave();
    pass.leave();
    const held = await next;
    const after = one.enter("check");
    await clock.advance(50);
    expect(await isDone(after)).toBe(false);
    held.leave();
    (await after).leave();
  });

  test("upstreams do not wait for each other", async () => {
    const { gate } = server({ blobsMax: 1 });
    await gate(1, "docker.io").enter("blob");
    (await gate(1, "ghcr.io").enter("blob")).leave();
  });
});

describe("rates", () => {
  test("requests per second are the server's", async () => {
    const { gate, clock } = server({ requestsPerSecond: 10 });
    const gates = [gate(1), gate(2)];
    const wentMs: number[] = [];
    const all = Array.from({ length: 6 }, async (_, index) => {
      const pass = await gates[index % 2]!.enter("check");
      wentMs.push(clock.now() - startMs);
      pass.leave();
    });
    await clock.advance(1000);
    await Promise.all(all);
    for (const [index, ms] of wentMs.entries()) {
      expect(Math.abs(ms - index * 100), `request ${index} at ${ms}`).toBeLessThanOrEqual(2);
    }
  });

  test("row 68: bytes per second, within a tenth, and fair", async () => {
    const bytesPerSecond = 10_000_000;
    const { gate, clock } = server({ bytesPerSecond });
    const got = [0, 0];
    const pull = async (by: UpstreamGate, index: number): Promise<void> => {
      const pass = await by.enter("blob");
      while (clock.now() - startMs < 5000) {
        await pass.spend(64_000);
        got[index] = (got[index] ?? 0) + 64_000;
        // An upstream that is never slow.
        await Promise.resolve();
      }
      pass.leave();
    };
    const pulls = [pull(gate(1), 0), pull(gate(2), 1)];
    await clock.advance(5200);
    await Promise.all(pulls);
    const [first = 0, second = 0] = got;
    expect(Math.abs((first + second) / (5 * bytesPerSecond) - 1)).toBeLessThan(0.1);
    expect(Math.abs(first / second - 1)).toBeLessThan(0.1);
  });
});

describe("an upstream that is not well", () => {
  test.each([
    [{ "Retry-After": "30" }, 30],
    [{ "Retry-After": new Date(startMs + 90_000).toUTCString() }, 90],
    [{ "Retry-After": "31536000" }, 900],
    [{ "Retry-After": new Date(startMs - 90_000).toUTCString() }, 1],
    [{ "Retry-After": "soon" }, 60],
    [{}, 60],
  ])(
    "rows 39 and 40: 429 with %j is believed for %d s, by all processes",
    async (headers, seconds) => {
      const { gate, clock } = server();
      const [one, two] = [gate(1), gate(2)];
      one.heard(answer(429, headers));
      for (const kind of ["check", "manifest", "blob"] as const) {
        const trouble = await troubleOf(two.enter(kind));
        expect([trouble.kind, trouble.retryAfterS]).toEqual(["limited", seconds]);
      }
      expect(one.state()).toEqual({
        state: "limited",
        sinceMs: startMs,
        lastError: { words: "answered 429", atMs: startMs },
        budgetLeft: null,
        resetMs: startMs + seconds * 1000,
      });
      await clock.advance(seconds * 1000);
      (await two.enter("blob")).leave();
      expect(one.state().state).toBe("up");
    },
  );

  test("row 41: a spent budget holds GET of manifests back, and HEAD says when it is over", async () => {
    const { gate, clock } = server();
    const one = gate(1);
    one.heard(
      answer(200, { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "57;w=21600" }),
    );
    expect(one.state().budgetLeft).toBe(57);
    one.heard(answer(200, { "ratelimit-remaining": "0;w=21600" }));
    expect(one.state().budgetLeft).toBe(0);
    const trouble = await troubleOf(gate(2).enter("manifest"));
    expect([trouble.kind, trouble.words]).toEqual([
      "limited",
      "limits our requests: its budget for us is spent",
    ]);
    (await one.enter("check")).leave();
    (await one.enter("blob")).leave();
    one.heard(answer(200, { "ratelimit-remaining": "3;w=21600" }));
    (await one.enter("manifest")).leave();
    // What nobody confirmed is not believed for ever.
    one.heard(answer(200, { "ratelimit-remaining": "0;w=21600" }));
    await clock.advance(15 * 60_000);
    (await one.enter("manifest")).leave();
  });

  test("row 36: after five failures it is left alone, but for one request in ten seconds", async () => {
    const { gate, clock } = server();
    const [one, two] = [gate(1), gate(2)];
    const failed = new UpstreamTrouble("unreachable", "docker.io", { words: "cannot be reached" });
    for (let each = 0; each < 4; each += 1) one.failed(failed);
    (await two.enter("check")).leave();
    two.heard(answer(502));
    const trouble = await troubleOf(one.enter("check"));
    expect([trouble.kind, trouble.words, trouble.retryAfterS]).toEqual([
      "circuit-open",
      "failed again and again, the last time so: answered 502",
      10,
    ]);
    expect(two.state()).toMatchObject({
      state: "down",
      sinceMs: startMs,
      resetMs: startMs + 10_000,
    });
    await clock.advance(10_000);
    (await two.enter("check")).leave();
    expect(await kindOf(one.enter("check"))).toBe("circuit-open");
    two.failed(failed);
    await clock.advance(10_000);
    (await one.enter("check")).leave();
    one.heard(answer(404));
    (await two.enter("check")).leave();
    expect(two.state()).toMatchObject({ state: "up", sinceMs: startMs + 20_000, resetMs: null });
  });

  test("failures that are far apart, and what is the content's fault, open nothing", async () => {
    const { gate, clock } = server();
    const one = gate(1);
    const failed = new UpstreamTrouble("silent", "docker.io");
    for (let each = 0; each < 10; each += 1) {
      one.failed(failed);
      await clock.advance(10_000);
    }
    for (const kind of ["wrong-digest", "denied", "broken", "loop", "schema-1"] as const) {
      for (let each = 0; each < 6; each += 1) one.failed(new UpstreamTrouble(kind, "docker.io"));
    }
    for (let each = 0; each < 6; each += 1) one.heard(answer(501));
    (await one.enter("check")).leave();
    expect(one.state().state).toBe("up");
  });

  test("a page with anything on it is taken as it is", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { gate, open, page, clock } = server({ requestsPerSecond: 5, bytesPerSecond: 1000 });
      const bytes = new Uint8Array(page.buffer);
      for (let at = 0; at < bytes.length; at += 65_536) {
        crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      }
      // A server that starts has no workers yet.
      open(0).begin();
      const one = gate(1, `host${round}.example`);
      expect(["up", "limited", "down"]).toContain(one.state().state);
      const entered = one.enter("manifest").then(
        (pass) => pass.leave(),
        (error: unknown) => expect(error).toBeInstanceOf(UpstreamTrouble),
      );
      await clock.advance(20 * 60_000);
      await entered;
    }
  });
});

describe("before a real upstream", () => {
  let registry: ScriptedUpstream;
  const opened: RegistryUpstream[] = [];
  beforeAll(async () => {
    registry = await ScriptedUpstream.start();
  });
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
    registry.reset();
    registry.requests.length = 0;
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  test("row 39: while it limits us, it hears nothing of us", async () => {
    registry.content.addImage("a", "1");
    registry.inTurn(
      "HEAD",
      "/v2/a/manifests/1",
      { status: 429, headers: { "Retry-After": "30" } },
      null,
    );
    const clock = manualClock(startMs);
    const upstream = openUpstream({ url: registry.url, clock });
    opened.push(upstream);
    for (let each = 0; each < 3; each += 1) {
      const trouble = await troubleOf(upstream.headManifest("a", "1"));
      expect([trouble.kind, trouble.retryAfterS]).toEqual(["limited", 30]);
    }
    expect(await kindOf(upstream.getBlob("a", "x"))).toBe("limited");
    expect(registry.requests).toHaveLength(1);
    await clock.advance(30_000);
    expect(await upstream.headManifest("a", "1")).not.toBeNull();
  });

  test("row 68: never more downloads than reqConcurrent", async () => {
    let running = 0;
    let most = 0;
    const { promise: two, resolve: twoAsked } = Promise.withResolvers<void>();
    registry.on("GET", /\/blobs\//, () => {
      running += 1;
      most = Math.max(most, running);
      if (running === 2) twoAsked();
      return {
        body: (async function* () {
          await two;
          yield Buffer.alloc(100_000);
          running -= 1;
          yield Buffer.alloc(100_000);
        })(),
      };
    });
    const upstream = openUpstream({ url: registry.url, gateLimits: { blobsMax: 2 } });
    opened.push(upstream);
    const pulls = Array.from({ length: 10 }, async (_, index) => {
      const blob = await upstream.getBlob("a", `x${index}`);
      let bytes = 0;
      for await (const piece of blob?.body ?? []) bytes += piece.length;
      return bytes;
    });
    expect(new Set(await Promise.all(pulls))).toEqual(new Set([200_000]));
    expect(most).toBe(2);
  });
});
