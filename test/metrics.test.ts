// The metrics page of running servers: the sum over all worker processes, what a worker counted before it was killed,
// and what it says of each thing that happens.

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parsePage, valueOf, type MetricsPage } from "./metrics_text.ts";
import { eventually, packageDirectory, runOk, startZot, type Zot } from "./harness.ts";
import { config as configBlob, image, layer } from "./http/content.ts";
import { startWorld } from "./http/world.ts";

/** What the image of `content.ts` names. */
const content = [configBlob, layer];
const metricsOn = { extensions: { metrics: {} } };

async function pageOf(url: string, path = "/metrics"): Promise<MetricsPage> {
  const answer = await fetch(`${url}${path}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parsePage(await answer.text());
}

/** Requests on connections of their own, so that the kernel spreads them over the workers. */
async function ask(zot: Zot, times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    const answer = await fetch(`${zot.url}/v2/`, { headers: { connection: "close" } });
    expect(answer.status).toBe(200);
  }
}

const asked = (page: MetricsPage): number =>
  valueOf(page, "zot_http_endpoint_latency_seconds_count", { endpoint: "base.get" }) ?? 0;

/** How many requests for the version check each worker answered, as it logged them. */
function answeredBy(zot: Zot): Map<unknown, number> {
  const lines = zot.logs().filter((line) => line["what"] === "base.get");
  return new Map(
    [...Map.groupBy(lines, (line) => line["worker"])].map(([worker, own]) => [worker, own.length]),
  );
}

describe("several worker processes", () => {
  test("answer with the sum of all, and lose nothing when one is killed", async () => {
    await using zot = await startZot({ config: { ...metricsOn, http: { workers: 3 } } });
    await ask(zot, 60);
    await eventually("all requests are logged", () => {
      const counts = answeredBy(zot);
      return counts.size > 1 && [...counts.values()].reduce((sum, count) => sum + count, 0) === 60;
    });
    for (let times = 0; times < 6; times += 1) expect(asked(await pageOf(zot.url))).toBe(60);

    const before = zot.workerPids();
    for (const pid of before) {
      process.kill(pid, "SIGKILL");
      await eventually("another worker takes its place", () => {
        const now = zot.workerPids();
        return now.length === 3 && !now.includes(pid);
      });
    }
    const page = await eventually("all three count", async () => {
      const found = await pageOf(zot.url).catch(() => null);
      const processes = found?.series.filter(({ name }) => name === "process_open_fds");
      return processes?.length === 4 ? found : null;
    });
    expect(asked(page)).toBe(60);
    expect(valueOf(page, "zot_workers_ended_total")).toBe(3);
    await ask(zot, 5);
    expect(asked(await pageOf(zot.url))).toBe(65);
  });

  test("are told apart by their own figures", async () => {
    await using zot = await startZot({ config: { ...metricsOn, http: { workers: 2 } } });
    const page = await pageOf(zot.url);
    const names = ["supervisor", "worker-0", "worker-1"];
    for (const process of names) {
      expect(valueOf(page, "process_resident_memory_bytes", { process })).toBeGreaterThan(1e6);
      expect(valueOf(page, "process_cpu_seconds_total", { process })).toBeGreaterThan(0);
      expect(valueOf(page, "process_open_fds", { process })).toBeGreaterThan(2);
      const startedAt = valueOf(page, "process_start_time_seconds", { process }) ?? 0;
      expect(Math.abs(startedAt - Date.now() / 1000)).toBeLessThan(600);
    }
    expect(page.series.filter(({ name }) => name === "process_open_fds")).toHaveLength(3);
  });
});

describe("the page", () => {
  const pagesIn = (rootDirectory: string): string[] =>
    readdirSync(join(rootDirectory, "_zot")).filter((name) => name.startsWith("metrics"));

  test("is there only where it is asked for, and so is the file that it is counted in", async () => {
    await using plain = await startZot({ config: { http: { workers: 1 } } });
    expect((await fetch(`${plain.url}/metrics`)).status).toBe(404);
    expect(pagesIn(plain.rootDirectory)).toEqual([]);
  });

  test("no counters of any kind stay behind a server that has stopped", async () => {
    const http = { workers: 2, ratelimit: { rate: 1_000_000 } };
    await using zot = await startZot({ config: { ...metricsOn, http } });
    await ask(zot, 10);
    const counters = () =>
      readdirSync(join(zot.rootDirectory, "_zot")).filter((name) =>
        /^(epochs|rates|metrics)/.test(name),
      );
    expect(counters()).toHaveLength(3);
    expect(await zot.stop()).toBe(0);
    expect(counters()).toEqual([]);
  });

  test("has the path that the configuration gives it, and its file goes at the end", async () => {
    const config = {
      http: { workers: 1 },
      extensions: { metrics: { enable: true, prometheus: { path: "/internal/figures" } } },
    };
    await using zot = await startZot({ config });
    await pageOf(zot.url, "/internal/figures");
    expect((await fetch(`${zot.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${zot.url}/internal/figures`, { method: "HEAD" })).status).toBe(200);
    const document: unknown = await (await fetch(`${zot.url}/swagger/v2/doc.json`)).json();
    expect(document).toHaveProperty(["paths", "/internal/figures", "get"]);
    expect(pagesIn(zot.rootDirectory)).toHaveLength(1);
    expect(await zot.stop()).toBe(0);
    expect(pagesIn(zot.rootDirectory)).toEqual([]);
  });

  test("tells what was pushed and pulled, and of which repositories", async () => {
    await using world = await startWorld({ extensions: { metrics: { repositoriesMax: 1 } } });
    const pushed = image();
    const base = `/v2/team/app`;
    for (const each of content) {
      const started = await world.send("POST", `${base}/blobs/uploads/`);
      const at = started.headers.get("location") ?? "";
      // A stream has no length that could be counted instead.
      const body = new Blob([each.bytes]).stream();
      const sent = await fetch(`${world.url}${at}`, { method: "PATCH", body });
      expect(sent.status).toBe(202);
      expect((await world.send("PUT", `${at}?digest=${each.digest}`)).status).toBe(201);
    }
    const type = { "content-type": pushed.mediaType };
    const put = await world.send("PUT", `${base}/manifests/1`, {
      body: pushed.bytes,
      headers: type,
    });
    expect(put.status).toBe(201);
    for (let times = 0; times < 3; times += 1) await world.send("GET", `${base}/manifests/1`);
    await world.send("HEAD", `${base}/manifests/1`);
    await world.send("GET", `/v2/not/there/manifests/1`);
    const single = await world.send("POST", `/v2/other/blobs/uploads/?digest=${layer.digest}`, {
      body: layer.bytes,
    });
    expect(single.status).toBe(201);
    const open = await world.send("POST", `${base}/blobs/uploads/`);
    expect(open.status).toBe(202);

    const page = await eventually("everything is counted", async () => {
      const found = await pageOf(world.url);
      return valueOf(found, "zot_layouts_stale") === 0 ? found : null;
    });
    const uploads = (event: string) => valueOf(page, "zot_uploads_total", { event });
    const blobs = content.length;
    expect([
      uploads("started"),
      uploads("finished"),
      uploads("single"),
      uploads("expired"),
    ]).toEqual([blobs + 1, blobs, 1, 0]);
    expect(valueOf(page, "zot_uploads_open")).toBe(1);
    const received = (endpoint: string) =>
      valueOf(page, "zot_http_received_bytes_total", { endpoint });
    expect(received("upload.append")).toBe(
      content.reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
    expect(received("manifest.put")).toBe(pushed.bytes.length);
    expect(received("blob.post")).toBe(layer.bytes.length);
    expect(valueOf(page, "zot_http_requests_total", { method: "PUT", code: "201" })).toBe(
      blobs + 1,
    );
    expect(valueOf(page, "zot_http_api_errors_total", { reason: "NAME_UNKNOWN" })).toBe(1);
    expect(valueOf(page, "zot_repo_uploads_total", { repo: "team/app" })).toBe(1);
    expect(valueOf(page, "zot_repo_downloads_total", { repo: "team/app" })).toBe(3);
    const named = page.series.filter(({ name }) => name === "zot_http_repo_latency_seconds_count");
    expect(named.map(({ labels }) => String(labels["repo"])).sort()).toEqual([
      "(others)",
      "N/A",
      "team/app",
    ]);
    expect(valueOf(page, "zot_metadata_commits_total", { outcome: "committed" })).toBeGreaterThan(
      blobs + 1,
    );
    expect(valueOf(page, "zot_metadata_batch_commits_sum")).toBe(
      valueOf(page, "zot_metadata_commit_latency_seconds_count"),
    );
    const lookups = { cache: "content", outcome: "hit" };
    expect(valueOf(page, "zot_cache_lookups_total", lookups)).toBeGreaterThan(0);
    const commit = (
      await runOk("git", ["-C", packageDirectory, "-c", "safe.directory=*", "rev-parse", "HEAD"])
    ).stdout.trim();
    expect(valueOf(page, "zot_info", { version: "0.1.0", commit })).toBe(1);
    const size = valueOf(page, "zot_storage_filesystem_bytes", { state: "size" }) ?? 0;
    expect(valueOf(page, "zot_storage_filesystem_bytes", { state: "free" })).toBeLessThan(size);
  });

  test("measures what repositories hold from the start on", async () => {
    await using world = await startWorld(metricsOn);
    const pushed = image();
    for (const repository of ["one", "two"]) {
      for (const each of content) {
        await world.send("POST", `/v2/${repository}/blobs/uploads/?digest=${each.digest}`, {
          body: each.bytes,
        });
      }
      const put = await world.send("PUT", `/v2/${repository}/manifests/1`, {
        body: pushed.bytes,
        headers: { "content-type": pushed.mediaType },
      });
      expect(put.status).toBe(201);
    }
    const blobBytes = content.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const each = blobBytes + pushed.bytes.length;
    const whole = each + pushed.bytes.length;
    // A measurement that a busy machine made long is followed by a long rest (`usage.test.ts`); the first one waits for none.
    await world.restart();
    const page = await eventually("storage is measured", async () => {
      const found = await pageOf(world.url);
      return valueOf(found, "zot_storage_bytes") === whole ? found : null;
    });
    expect(valueOf(page, "zot_repositories")).toBe(2);
    expect(valueOf(page, "zot_repo_storage_bytes", { repo: "one" })).toBe(each);
    expect(valueOf(page, "zot_repo_storage_bytes", { repo: "two" })).toBe(each);
  });

  test("names no repository where none is to be named", async () => {
    await using world = await startWorld({ extensions: { metrics: { repositoriesMax: 0 } } });
    await world.send("GET", "/v2/a/manifests/1");
    const page = await pageOf(world.url);
    expect(page.series.filter(({ labels }) => "repo" in labels)).toEqual([]);
  });

  test("is not in the log of every day", async () => {
    await using zot = await startZot({ config: { ...metricsOn, http: { workers: 1 } } });
    await pageOf(zot.url);
    await ask(zot, 1);
    await zot.waitForLog("the other request", (line) => line["what"] === "base.get");
    expect(zot.logs().filter((line) => line["what"] === "metrics.get")).toEqual([]);
  });
});
