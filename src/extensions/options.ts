// The options of all extensions, joined: `extensions` in a configuration file. One line for each that has any.

import { metricsOptions } from "./metrics/options.ts";

export const extensionOptions = { metrics: metricsOptions } as const;
