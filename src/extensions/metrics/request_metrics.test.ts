// What is counted of a request: the series that grow, and that no request can add one.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { placedText } from "../../lib/metrics/exposition.ts";
import { MetricPage, pageBytes } from "../../lib/metrics/metric_page.ts";
import type { AccessRecord } from "../../http/dispatch.ts";
import { countedRows, shapeFor } from "./open_metrics.ts";
import { repositorySlots } from "./metric_shape.ts";
import { RequestMetrics } from "./request_metrics.ts";

const rows = countedRows([
  { name: "manifest.get", body: "none" },
  { name: "manifest.put", body: "bytes" },
  { name: "upload.start", body: "none" },
  { name: "upload.finish", body: "stream" },
  { name: "tag.list", body: "none" },
]);

function counting(repositoriesMax = 2) {
  const shape = shapeFor({ endpoints: rows, jobs: [] }, { repositoriesMax });
  const page = new MetricPage(new Uint8Array(pageBytes(shape.page)), shape.page);
  const region = page.hold({ region: 0, process: 1, startedAt: 0, role: 0 });
  const metrics = new RequestMetrics(region, shape, rows);
  return {
    count: (changes: Partial<AccessRecord>) => metrics.count({ ...plain, ...changes }),
    lines: (key: keyof typeof shape.placed) =>
      placedText(shape.placed[key], page.sums())
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#")),
    repositories: () =>
      Object.fromEntries(
        [...page.namedSums()].map(([name, sums]) => [
          name ?? "",
          [repositorySlots.count, repositorySlots.uploads, repositorySlots.downloads].map(
            (slot) => sums[slot],
          ),
        ]),
      ),
  };
}

const plain: AccessRecord = {
  id: "1",
  client: null,
  who: null,
  what: "manifest.get",
  method: "GET",
  path: "/v2/a/manifests/1",
  repository: "a",
  status: 200,
  bytes: 10,
  durationMs: 2,
};

describe("a request", () => {
  test("counts by method, code and row, with its time and its bytes", () => {
    const { count, lines } = counting();
    count({});
    count({ method: "HEAD" });
    count({ what: "manifest.put", method: "PUT", status: 201, bytes: 500, durationMs: 60 });
    expect(lines("requests")).toEqual([
      'zot_http_requests_total{method="GET",code="200"} 1',
      'zot_http_requests_total{method="HEAD",code="200"} 1',
      'zot_http_requests_total{method="PUT",code="201"} 1',
    ]);
    expect(lines("endpointRequests")).toEqual([
      'zot_http_endpoint_requests_total{endpoint="manifest.get",code="200"} 2',
      'zot_http_endpoint_requests_total{endpoint="manifest.put",code="201"} 1',
    ]);
    const put = lines("methodSeconds").filter((line) => line.includes('"PUT"'));
    expect(put).toContain('zot_http_method_latency_seconds_bucket{method="PUT",le="0.05"} 0');
    expect(put).toContain('zot_http_method_latency_seconds_bucket{method="PUT",le="0.1"} 1');
    expect(put).toContain('zot_http_method_latency_seconds_sum{method="PUT"} 0.06');
    expect(lines("endpointSeconds")).toContain(
      'zot_http_endpoint_latency_seconds_count{endpoint="manifest.get"} 2',
    );
    expect(lines("sentBytes")).toEqual(['zot_http_sent_bytes_total{endpoint="manifest.get"} 10']);
    expect(lines("receivedBytes")).toEqual([
      'zot_http_received_bytes_total{endpoint="manifest.put"} 500',
    ]);
  });

  test("that is refused counts by the name of the API error", () => {
    const { count, lines } = counting();
    count({ status: 404, reason: "MANIFEST_UNKNOWN" });
    expect(lines("apiErrors")).toEqual(['zot_http_api_errors_total{reason="MANIFEST_UNKNOWN"} 1']);
  });

  test.each([
    ["upload.start", "POST", 202, "started"],
    ["blob.mount", "POST", 202, "started"],
    ["blob.mount", "POST", 201, "mounted"],
    ["blob.post", "POST", 201, "single"],
    ["upload.finish", "PUT", 201, "finished"],
    ["upload.cancel", "DELETE", 204, "cancelled"],
    ["upload.finish", "PUT", 400, null],
    ["upload.status", "GET", 204, null],
  ])("%s %s %d is an upload that is %p", (what, method, status, event) => {
    const { count, lines } = counting();
    count({ what, method, status });
    const counted = lines("uploads").filter((line) => !line.endsWith(" 0"));
    expect(counted).toEqual(event === null ? [] : [`zot_uploads_total{event="${event}"} 1`]);
  });
});

describe("a repository", () => {
  test("is named once content of it is sent or taken, as long as there is room", () => {
    const { count, repositories } = counting();
    count({ status: 404 });
    count({ what: "tag.list" });
    expect(repositories()).toEqual({ "N/A": [0, 0, 0], "": [2, 0, 0] });
    count({});
    count({ what: "tag.list" });
    count({ method: "HEAD" });
    count({ what: "manifest.put", method: "PUT", status: 201, repository: "b" });
    count({ repository: "c" });
    count({ repository: null, what: "none", status: 404 });
    expect(repositories()).toEqual({
      "N/A": [1, 0, 0],
      a: [3, 0, 1],
      b: [1, 1, 0],
      "": [3, 0, 1],
    });
  });

  test("has no name where none is to be told", () => {
    const { count, repositories } = counting(0);
    count({});
    expect(repositories()).toEqual({ "": [0, 0, 0] });
  });
});

test("whatever comes, the series stay those of the table", () => {
  const { count, lines } = counting();
  const words = fc.oneof(fc.string(), fc.constantFrom("GET", "manifest.get", "__proto__", "a/b"));
  const record = fc.record({
    what: words,
    method: words,
    repository: fc.option(words),
    status: fc.integer({ min: 100, max: 599 }),
    bytes: fc.nat(),
    durationMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
  });
  fc.assert(fc.property(record, (changes) => count(changes)));
  for (const line of lines("requests")) {
    expect(line).toMatch(
      /^zot_http_requests_total\{method="(GET|other)",code="(\d{3}|other)"\} \d+$/,
    );
  }
  for (const line of lines("endpointSeconds")) {
    expect(line).toMatch(/\{endpoint="(manifest\.get|none)"/);
  }
});
