// The options of the registry's own rules: what an index must find here, and the collection of what nothing names.
//
// They stand under `storage` in a configuration file, as in zot.

import * as z from "zod";
import { optionTable } from "../lib/option.ts";
import { parseGlob } from "../lib/glob.ts";
import { parseTimeWindow } from "../lib/time_window.ts";
import { duration, flag } from "../lib/option_types.ts";
import { historyOptions } from "./history/options.ts";
import { retentionOptions } from "./retention/options.ts";
import { quotaOptions } from "./usage/options.ts";

const globsError = `a list of globs of repository names, such as ["mirror/**"]`;

const globs = z
  .array(
    z
      .string({ error: globsError })
      .refine((text) => text !== "" && "glob" in parseGlob(text), { error: globsError }),
    { error: globsError },
  )
  .transform((list): readonly string[] => list)
  .meta({ title: "list of globs" });

const windowError = `two different times of day in UTC, such as "22:00-06:00"`;

const timeWindow = z
  .string({ error: windowError })
  .refine((text) => text === "" || parseTimeWindow(text) !== null, { error: windowError })
  .meta({ title: "time window" });

const plainOptions = optionTable({
  sparseIndexes: {
    type: globs,
    default: [],
    served: true,
    applies: "live",
    says:
      "Globs of repositories that take an index though manifests which it names are not there, as copies of a few " +
      "platforms have it. A pull of one that is not there is 404.",
  },
  gc: {
    type: flag,
    default: true,
    served: true,
    applies: "live",
    says:
      "Remove what nothing names while the registry serves: blobs without a manifest, manifests without a tag, " +
      "empty repositories and files that were left behind.",
  },
  gcDelay: {
    type: duration(0),
    default: "1h",
    served: true,
    applies: "live",
    says:
      "How long something must have had no name before collection removes it. Longer than any push takes. " +
      "Has no effect while `gc` is false.",
  },
  gcInterval: {
    type: duration(0),
    default: "1h",
    served: true,
    applies: "live",
    says:
      "Longest time between two looks for what is due, and time between two lists of a dry run; without anything due, " +
      "a look costs nothing, and there is one every minute. Has no effect while `gc` is false.",
  },
  gcTimeWindow: {
    type: timeWindow,
    default: "",
    defaultSays: "at any time",
    served: true,
    applies: "live",
    says: "Time of day, in UTC, in which collection works, such as `22:00-06:00`. Has no effect while `gc` is false.",
  },
  fastRestart: {
    type: flag,
    default: false,
    served: true,
    applies: "restart",
    says:
      "Be ready without looking at every repository first. What other tools changed while the server was stopped is " +
      "found five minutes later; a repository that is new to the registry is read when it is asked for.",
  },
});

export const registryOptions = {
  ...plainOptions,
  ...historyOptions,
  ...quotaOptions,
  retention: retentionOptions,
};

/** The window of collection beside its switch, and a delay in which a push has time for its manifest. */
export function checkCollectionOptions(storage: {
  readonly gc: boolean;
  readonly gcDelay: number;
}): readonly string[] {
  if (!storage.gc || storage.gcDelay > 0) return [];
  return [
    "storage.gcDelay: expected more than 0s while storage.gc is true, got 0s; " +
      "blobs of a push would be removed before its manifest comes",
  ];
}
