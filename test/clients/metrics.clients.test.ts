// Prometheus scrapes the registry, and finds in it what was counted; promtool finds nothing wrong with the page.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  eventually,
  freePort,
  packageDirectory,
  requireTool,
  run,
  runOk,
  startService,
  startZot,
  tempDirectory,
} from "../harness.ts";

const ready = requireTool("prometheus", "promtool");
const testMs = 60_000;
const config = { http: { workers: 2 }, extensions: { metrics: {} } };

describe.skipIf(!ready)("Prometheus", () => {
  test(
    "reads every series, and its queries give the sum over the workers",
    async () => {
      await using zot = await startZot({ config });
      await using directory = await tempDirectory();
      for (let times = 0; times < 20; times += 1) {
        await fetch(`${zot.url}/v2/`, { headers: { connection: "close" } });
      }
      const port = await freePort();
      const file = join(directory.path, "prometheus.yml");
      await writeFile(
        file,
        `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: zot
    static_configs: [{ targets: ["${zot.host}"] }]
`,
      );
      await using prometheus = startService([
        "prometheus",
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory.path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ]);
      const query = async (text: string): Promise<number | null> => {
        const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`;
        const answer = await fetch(url).catch(() => null);
        if (answer?.ok !== true) return null;
        const body = (await answer.json()) as {
          data: { result: { value: [number, string] }[] };
        };
        const value = body.data.result[0]?.value[1];
        return value === undefined ? null : Number(value);
      };
      await eventually("the registry was scraped", async () => (await query("up")) === 1, testMs);
      expect(prometheus.running()).toBe(true);
      const asked = 'sum(zot_http_endpoint_latency_seconds_count{endpoint="base.get"})';
      expect(await query(asked)).toBe(20);
      expect(await query("count(process_resident_memory_bytes)")).toBe(3);
      const median =
        "histogram_quantile(0.5, sum by (le) (zot_http_method_latency_seconds_bucket))";
      expect(await query(median)).toBeGreaterThan(0);
      expect(await query("scrape_samples_scraped")).toBeGreaterThan(80);
    },
    testMs,
  );

  test("promtool understands every question of the dashboard", async () => {
    await using directory = await tempDirectory();
    const dashboard = (await Bun.file(
      join(packageDirectory, "examples/metrics/dashboard.json"),
    ).json()) as { panels: { targets?: { expr: string }[] }[] };
    const rules = dashboard.panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, at) => ({
        record: `question_${at}`,
        expr: expr.replaceAll("$__rate_interval", "5m"),
      }));
    expect(rules.length).toBeGreaterThan(20);
    const file = join(directory.path, "rules.json");
    await writeFile(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    await runOk("promtool", ["check", "rules", "--lint=none", file]);
  });

  test("promtool has nothing to say but of names that are zot's", async () => {
    await using zot = await startZot({ config });
    await fetch(`${zot.url}/v2/nowhere/tags/list`);
    const page = await (await fetch(`${zot.url}/metrics`)).text();
    const checked = await run("promtool", ["check", "metrics"], { stdin: page });
    const lines = `${checked.stdout}${checked.stderr}`.split("\n").filter((line) => line !== "");
    expect(lines.filter((line) => !line.startsWith("zot_info label names"))).toEqual([]);
  });
});
