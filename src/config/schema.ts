// The schema of a configuration file, joined from the option tables of the folders they configure.
//
// To add an option, write one row in the `options.ts` beside the code that it changes: the type
// `Config`, the default, validation, `zot schema` and the reference page follow. To add a section,
// add a line to `options`. Keys of zot's dialect that have no row are in `known_keys.ts`.

import * as z from "zod";
import { accessControlOptions, authOptions } from "../auth/options.ts";
import { extensionOptions } from "../extensions/options.ts";
import { httpOptions } from "../http/options.ts";
import { logOptions } from "../lib/log_options.ts";
import { isOption, type Option, type OptionTree, type OptionValues } from "../lib/option.ts";
import { metadataOptions } from "../metadata/options.ts";
import { registryOptions } from "../registry/options.ts";
import { storageOptions } from "../storage/options.ts";
import { topOptions } from "./options.ts";

/** Every option, in the order of the reference page. */
export const options = {
  ...topOptions,
  storage: { ...storageOptions, metadata: metadataOptions, ...registryOptions },
  http: { ...httpOptions, auth: authOptions, accessControl: accessControlOptions },
  log: logOptions,
  extensions: extensionOptions,
} as const;

/** What the schema gives: every option read, before the machine's own defaults are filled in. */
export type FileValues = OptionValues<typeof options>;

/**
 * A configuration that is complete and checked: defaults in, frozen. Names are the file's.
 * Durations are milliseconds, sizes bytes, the port a number; what may be absent is null.
 */
export interface Config extends Omit<FileValues, "storage"> {
  readonly storage: Omit<FileValues["storage"], "rootDirectory"> & {
    /** Absolute path. */
    readonly rootDirectory: string;
  };
}

/** A configuration whose content may lie in memory instead, which no file can ask for. */
export interface RegistryConfig extends Omit<Config, "storage"> {
  readonly storage: Omit<Config["storage"], "rootDirectory"> & {
    /** Null for memory. */
    readonly rootDirectory: string | null;
  };
}

/** The schema as a zod object: strict at every level, with every default in place. */
export const fileSchema = sectionSchema(options);

const fileValues = z.custom<FileValues>();

/** What `fileSchema` gave, with the static type that building it from rows lost. */
export function typedValues(parsed: z.output<typeof fileSchema>): FileValues {
  return fileValues.parse(parsed);
}

function sectionSchema(tree: OptionTree): z.ZodObject {
  const shape: Record<string, z.ZodType> = {};
  for (const [key, entry] of Object.entries(tree)) {
    shape[key] = isOption(entry) ? optionSchema(entry) : sectionSchema(entry).prefault({});
  }
  return z.strictObject(shape);
}

function optionSchema(option: Option): z.ZodType {
  const schema = option.type.prefault(option.default);
  const saysDefault = option.defaultSays === undefined ? "" : ` Default: ${option.defaultSays}.`;
  return schema.describe(`${option.says}${saysDefault}`);
}

/** An option with its full path, `storage.dedupe`. */
export interface PlacedOption {
  readonly path: string;
  readonly option: Option;
}

/** All options of a tree, in order, with their paths. */
export function placedOptions(tree: OptionTree = options, prefix = ""): PlacedOption[] {
  return Object.entries(tree).flatMap(([key, entry]) => {
    const path = `${prefix}${key}`;
    return isOption(entry) ? [{ path, option: entry }] : placedOptions(entry, `${path}.`);
  });
}
