/**
 * THE table of extensions: what the registry can do beside serving content. One row for each, in the order in which
 * they are asked and told.
 */
import type { Extension } from "./extension.ts";
import { lintExtension } from "./lint/lint_extension.ts";
import { metricsExtension } from "./metrics/metrics_extension.ts";
import { searchExtension } from "./search/search_extension.ts";
import { syncExtension } from "./sync/sync_extension.ts";
import { uiExtension } from "./ui/ui_extension.ts";

export const extensions: readonly Extension[] = [
  metricsExtension,
  searchExtension,
  syncExtension,
  lintExtension,
  uiExtension,
];
