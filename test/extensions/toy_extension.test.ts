// What a server makes of an extension: its page is listed, answered and described, its job runs, its follower is handed
// every push through any worker once and in order, whatever ends in between.

import { describe, expect, test } from "bun:test";
import { checkConfig, type Config } from "../../src/config/load.ts";
import { createRegistry, type Registry } from "../../src/create_registry.ts";
import type { Extension } from "../../src/extensions/extension.ts";
import { logTo } from "../../src/lib/log.ts";
import { startPrimary, startWorker } from "../../src/server.ts";
import { eventually, tempDirectory } from "../harness.ts";
import { reasonOf } from "../reason_of.ts";
import { openToy, toyPath, type Toy } from "./toy_extension.ts";

const mediaType = "application/vnd.oci.image.index.v1+json";

/** A push in one request: an index of nothing, another one for each name. */
function pushOf(base: string, repository: string, tag: string): Request {
  const annotations = { name: `${repository} ${tag}` };
  return new Request(`${base}/v2/${repository}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [], annotations }),
  });
}

describe("an extension of a program that embeds the registry", () => {
  const base = "http://registry.example";
  const open = (extension: Extension, config = {}): Promise<Registry> =>
    createRegistry({ memory: true, extensions: [extension], config });
  const read = async (registry: Registry, path: string, accept = "*/*"): Promise<string> => {
    const answer = await registry.fetch(new Request(`${base}${path}`, { headers: { accept } }));
    expect(answer.status).toBe(200);
    return answer.text();
  };

  test("has its page on the start page and in the document, and is told of pushes", async () => {
    const toy = openToy();
    await using registry = await open(toy.extension);
    expect(await read(registry, "/", "text/html")).toContain('<a href="toy">Toys</a>');
    const document: unknown = JSON.parse(await read(registry, "/swagger/v2/doc.json"));
    expect(document).toHaveProperty(["paths", toyPath, "get", "operationId"]);
    expect(await read(registry, toyPath)).toBe("");
    for (const tag of ["v1", "v2"]) {
      expect((await registry.fetch(pushOf(base, "team/app", tag))).status).toBe(201);
    }
    await eventually("the page shows both pushes", async () => {
      return (await read(registry, toyPath)) === "v1\nv2\n";
    });
    expect(toy.took[0]).toMatchObject({ repository: "team/app", tag: "v1", previous: null });
    await eventually("its job ran", () => toy.runs === 1);
  });

  test("has its job and its follower among the figures of metrics", async () => {
    const toy = openToy();
    await using registry = await open(toy.extension, { extensions: { metrics: {} } });
    await eventually("both are counted", async () => {
      const page = await read(registry, "/metrics");
      return ["count-toys", "toys"].every((name) =>
        page.includes(`zot_job_runs_total{name="${name}",outcome="done"}`),
      );
    });
  });

  test("that forgot to name its follower or its job is told at the start", async () => {
    const { extension } = openToy();
    const reasons = await Promise.all(
      (["jobNames", "followerNames"] as const).map((member) =>
        reasonOf(open({ ...extension, [member]: [] })),
      ),
    );
    expect(reasons.map(String)).toEqual([
      expect.stringContaining("count-toys is not in the jobNames of its extension") as string,
      expect.stringContaining("toys is not in the followerNames of its extension") as string,
    ]);
  });
});

describe("a follower of the feed", () => {
  function configOf(rootDirectory: string): Config {
    const storage = { rootDirectory, commit: false };
    const checked = checkConfig({ storage, http: { address: "127.0.0.1", port: "0" } });
    if ("problems" in checked) throw new Error(checked.problems.join("; "));
    return checked.config;
  }

  /** A server of several workers, each on a port of its own. */
  async function startWorkers(config: Config, extension: Extension, count: number) {
    const log = logTo({ write: () => {} }, { level: "silent", base: {} });
    const extensions = [extension];
    const primary = await startPrimary(config, log, { extensions });
    const { committer } = primary;
    const options = { config, log, committer, extensions, port: 0, sharePort: false };
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    const workers = await Promise.all(
      numbers.map((number) =>
        startWorker({ ...options, idPrefix: `${number}-`, places: primary.places(number) }),
      ),
    );
    return {
      urls: workers.map(({ port }) => `http://127.0.0.1:${port}`),
      stop: async () => {
        await Promise.all(workers.map((worker) => worker.stop(1_000)));
        await primary.stop();
      },
    };
  }

  /** Pushes so many tags through each worker, all at once, into two repositories. */
  async function pushAll(urls: readonly string[], round: string, count: number): Promise<string[]> {
    const names = urls.flatMap((url, worker) =>
      Array.from({ length: count }, (_, at) => ({ url, name: `${round}-${worker}-${at}`, at })),
    );
    return Promise.all(
      names.map(async ({ url, name, at }) => {
        const repository = `team/app${at % 2}`;
        const answer = await fetch(pushOf(url, repository, name));
        expect([answer.status, await answer.text()]).toEqual([201, ""]);
        return name;
      }),
    );
  }

  const sequences = (toy: Toy): number[] => toy.took.map(({ sequence }) => sequence);
  const known = (toy: Toy): Set<string | null> => new Set(toy.took.map(({ tag }) => tag));

  test("has every push of every worker in order, over failures and a new start", async () => {
    await using directory = await tempDirectory();
    const config = configOf(directory.path);
    const toy = openToy();
    const pushed: string[] = [];
    for (const round of ["a", "b"]) {
      toy.failing = 1;
      const server = await startWorkers(config, toy.extension, 3);
      pushed.push(...(await pushAll(server.urls, round, 20)));
      await eventually("the follower has all of them", () => known(toy).size === pushed.length);
      await server.stop();
    }
    expect(known(toy)).toEqual(new Set(pushed));
    // Twice came the pages that the toy broke on; each record stands in its place all the same.
    const taken = sequences(toy);
    expect(taken.length).toBeGreaterThan(pushed.length);
    const once = [...new Set(taken)];
    expect(once).toEqual(once.toSorted((a, b) => a - b));
    expect(once).toHaveLength(pushed.length);
  });

  test("of an extension that is off ends, and begins anew when it is on again", async () => {
    await using directory = await tempDirectory();
    const config = configOf(directory.path);
    const toy = openToy();
    const off = { ...toy.extension, openPrimary: () => null };
    for (const [extension, round] of [
      [toy.extension, "a"],
      [off, "b"],
      [toy.extension, "c"],
    ] as const) {
      const server = await startWorkers(config, extension, 1);
      await pushAll(server.urls, round, 1);
      if (extension === toy.extension) {
        await eventually("it was told", () => known(toy).has(`${round}-0-0`));
      }
      await server.stop();
    }
    expect(toy.took.map(({ tag }) => tag)).toEqual(["a-0-0", "a-0-0", "b-0-0", "c-0-0"]);
  });
});
