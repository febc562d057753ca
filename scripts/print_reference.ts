// Prints the pages of docs that follow from tables in the code.
//
// `npm run docs` writes them; tests compare them with what the tables say now.

import { join } from "node:path";
import { configReference } from "../src/config/reference.ts";
import { metricsGuide } from "../src/extensions/metrics/reference.ts";
import { mirrorMetrics } from "../src/extensions/sync/metrics/table.ts";
import { withExamples } from "./config_examples.ts";
import { errorsReference } from "./errors_reference.ts";
import { httpReference } from "./http_reference.ts";

/** Every printed page: its path from the package's root, and its text. */
export const pages: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: "docs/reference/config.md", text: () => withExamples(configReference()) },
  { path: "docs/reference/errors.md", text: errorsReference },
  { path: "docs/reference/http.md", text: httpReference },
  { path: "docs/guides/metrics.md", text: () => metricsGuide(mirrorMetrics) },
];

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  for (const page of pages) {
    await Bun.write(join(root, page.path), page.text());
    console.log(page.path);
  }
}
