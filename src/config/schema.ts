// The schema of a configuration file, joined from the option tables of the folders they configure.
//
// To add an option, write one row in the `options.ts` beside the code that it changes: the type
// `Config`, the default, validation, `zot schema` and the reference page follow. To add a section,
// add a line to `sections`. Keys of zot's dialect that have no row are in `known_keys.ts`.

import { httpOptions } from "../http/options.ts";
import { logOptions } from "../lib/log_options.ts";
import type { OptionValues } from "../lib/option.ts";
import { collectionOptions } from "../registry/options.ts";
import { storageOptions } from "../storage/options.ts";
import { topOptions } from "./options.ts";

/** Every section of a file and its rows. */
export const sections = {
  storage: { ...storageOptions, ...collectionOptions },
  http: httpOptions,
  log: logOptions,
} as const;

export { topOptions };

type Values = OptionValues<typeof topOptions> & {
  readonly [K in keyof typeof sections]: OptionValues<(typeof sections)[K]>;
};

/**
 * A configuration that is complete and checked: defaults in, frozen. Names are the file's.
 * Durations are milliseconds, sizes bytes, the port a number; what may be absent is null.
 */
export interface Config extends Omit<Values, "storage"> {
  readonly storage: Omit<Values["storage"], "rootDirectory"> & {
    /** Absolute path. */
    readonly rootDirectory: string;
  };
}
