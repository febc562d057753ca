// Options as rows: what every folder's `options.ts` is made of.
//
// A row says an option's type, its default, whether this version serves it, and one sentence for
// the people who write configuration files. An option lives beside the code that it changes; the
// `config` folder joins all tables into one tree, and types, defaults, validation, JSON Schema and
// the reference page follow from the rows. Reading files is left to `config`.

import type * as z from "zod";

/** One option. `T` takes what stands in a file and gives what the program uses. */
export interface Option<T extends z.ZodType = z.ZodType> {
  readonly type: T;
  /** The default as it would be written in a file. */
  readonly default: z.input<T>;
  /** The default where the option's section stands in the file, if that makes a difference. */
  readonly inSection?: z.input<T>;
  /** How the reference page words a default that is not plain from its value. */
  readonly defaultSays?: string;
  /** false: known by name, and refused unless it is set to its default. */
  readonly served: boolean;
  /** Whether a changed file changes it while the server runs, or the next start does. */
  readonly applies: "live" | "restart";
  /** Of a value that a reload changes in part: what can be in force now, of the one that runs and the one in the file. */
  readonly inForce?: (running: z.output<T>, found: z.output<T>) => z.output<T>;
  /** Its value is never shown. */
  readonly secret?: true;
  /** What an option that is not served would turn on, as a subject: `collection`. */
  readonly feature?: string;
  /** One or two sentences for the reference page. Units and special values belong here. */
  readonly says: string;
}

/** Options by key; a key that holds another tree is a section of the file. */
export interface OptionTree {
  readonly [key: string]: Option | OptionTree;
}

/** The values of a tree once they are read: `{ readonly dedupe: boolean; … }`. */
export type OptionValues<T> = {
  readonly [K in keyof T]: T[K] extends Option<infer S> ? z.output<S> : OptionValues<T[K]>;
};

/** Checks a table while it is written: each default must fit its own row's type. */
export function optionTable<T extends Record<string, z.ZodType>>(rows: {
  readonly [K in keyof T]: Option<T[K]>;
}): { readonly [K in keyof T]: Option<T[K]> } {
  return rows;
}

/** Tells a row from a section. */
export function isOption(entry: Option | OptionTree): entry is Option {
  return typeof entry["says"] === "string";
}
