// The options of all extensions, joined: `extensions` in a configuration file. One line for each that has any.

import { scrubOptions } from "../registry/scrub/options.ts";
import { lintOptions } from "./lint/options.ts";
import { metricsOptions } from "./metrics/options.ts";
import { searchOptions } from "./search/options.ts";
import { syncOptions } from "./sync/options.ts";
import { uiOptions } from "./ui/options.ts";

export const extensionOptions = {
  lint: lintOptions,
  metrics: metricsOptions,
  scrub: scrubOptions,
  search: searchOptions,
  sync: syncOptions,
  ui: uiOptions,
} as const;
