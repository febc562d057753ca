/**
 * The page about metrics for people: what `docs/guides/metrics.md` holds. Printed, so that no metric goes unexplained.
 */
import { shapeFor, countedRows } from "./open_metrics.ts";
import { repositoryMetrics, sampledMetrics } from "./table.ts";
import type { Metric } from "../../lib/metrics/metric.ts";

const introduction = `# Metrics

<!-- Printed by \`npm run docs\` from src/extensions/metrics. Do not edit. -->

The registry counts what it does and serves the figures in Prometheus' text format, for Prometheus, VictoriaMetrics,
Grafana Alloy, an OpenTelemetry collector or anything else that reads it. Off by default; with zot's block it is on:

\`\`\`json
{ "extensions": { "metrics": { "enable": true, "prometheus": { "path": "/metrics" } } } }
\`\`\`

[examples/config-metrics.json](../../examples/config-metrics.json) is a whole configuration. Then:

\`\`\`sh
curl http://127.0.0.1:8080/metrics
\`\`\`

For Prometheus (\`prometheus.yml\`; leave \`basic_auth\` out for a registry without logins):

\`\`\`yaml
scrape_configs:
  - job_name: zot
    static_configs:
      - targets: ["registry.example.com:8080"]
    basic_auth:
      username: prometheus
      password_file: /etc/prometheus/zot-password
\`\`\`

[examples/metrics/dashboard.json](../../examples/metrics/dashboard.json) is a dashboard for Grafana: *Dashboards*,
*New*, *Import*.

## Who may read them

Without logins, anyone who can connect may read the page. With authentication, users may read it. With access control,
the users in \`http.accessControl.metrics\` may read it and admins with the action \`read\`; if its \`anonymousPolicy\`
has \`read\`, anyone may. The page names up to \`extensions.metrics.repositoriesMax\` repositories, but not for
anonymous callers of a registry that has users. Set it to 0 if no reader of the page may learn their names.

## How they are counted

- Every process counts in memory that all processes of the server share. Any worker answers with the sum of all, and
  what a worker counted stays when it dies. Figures begin at 0 when the server starts.
- Labels are closed sets: names of endpoints ([the table](../reference/http.md)), methods, status codes. No request can
  add a series, but for the \`repo\` label, which names as many repositories as \`repositoriesMax\` says (100): at the
  start the largest, then those whose content is first pushed or pulled. All others count as \`(others)\`.
- Metrics of zot (Go) keep their name, type and labels. Missing are \`zot_scheduler_*\` and
  \`zot_storage_lock_latency_seconds\`, since this registry has neither that scheduler nor that lock.
- Counting takes about a quarter of a microsecond of a request. While metrics are off nothing is counted.
- The servers of a shared root (\`storage.shared\`) each count for themselves, and are scraped one by one.
`;

/** The whole page, as Markdown. `more` are the metrics of other extensions. */
export function metricsGuide(more: readonly Metric[] = []): string {
  const { placed } = shapeFor({ endpoints: countedRows([]), jobs: [] }, { repositoriesMax: 1 });
  const counted = Object.values(placed).map(({ metric }): Metric => metric);
  const all = [
    sampledMetrics.info,
    ...counted,
    ...Object.values(repositoryMetrics),
    ...Object.values(sampledMetrics).filter((metric) => metric !== sampledMetrics.info),
    ...more,
  ];
  const bySubject = Map.groupBy(all, ({ name }) => subjectOf(name));
  const sections = [...bySubject].map(
    ([subject, metrics]) => `### ${subject}\n\n${table(metrics)}`,
  );
  return `${introduction}\n## All metrics\n\n${sections.join("\n")}`;
}

/** Headings by the beginning of names; the first that fits counts. */
const subjects: readonly (readonly [RegExp, string])[] = [
  [/^process_|^zot_workers/, "Processes"],
  [/^zot_(http_repo|repo_|repositories)/, "Repositories"],
  [/^zot_http/, "Requests"],
  [/^zot_uploads/, "Uploads"],
  [/^zot_cache/, "Memory"],
  [/^zot_metadata/, "Metadata"],
  [/^zot_(job|layout|gc)/, "Background work"],
  [/^zot_storage/, "Storage"],
  [/^zot_mirror/, "Mirrors"],
  [/^zot_info/, "The server"],
];

function subjectOf(name: string): string {
  return subjects.find(([pattern]) => pattern.test(name))?.[1] ?? "Others";
}

function table(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ name, type, labels = [], says, buckets }) => {
    const shown = labels.map((label) => `\`${label.name}\``).join(", ");
    const bounds = buckets === undefined ? "" : ` Buckets: ${buckets.join(", ")}.`;
    return `| \`${name}\` | ${type} | ${shown} | ${says}${bounds} |\n`;
  });
  return `| Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}
