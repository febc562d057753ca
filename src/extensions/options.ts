// The options of all extensions, joined: `extensions` in a configuration file. One line for each that has any.

import { scrubOptions } from "../registry/scrub/options.ts";
import { metricsOptions } from "./metrics/options.ts";
import { syncOptions } from "./sync/options.ts";

export const extensionOptions = {
  metrics: metricsOptions,
  scrub: scrubOptions,
  sync: syncOptions,
} as const;
