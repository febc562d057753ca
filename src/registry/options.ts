// The options of the registry's own rules: what an index must find here, and the collection of what nothing names.
//
// They stand under `storage` in a configuration file, as in zot.

import * as z from "zod";
import { optionTable } from "../lib/option.ts";
import { parseGlob } from "../lib/glob.ts";
import { flag } from "../lib/option_types.ts";
import { collectionOptions } from "./collection/options.ts";
import { historyOptions } from "./history/options.ts";
import { retentionOptions } from "./retention/options.ts";
import { subPathOptions } from "./sub_paths/options.ts";
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
});

const startOptions = optionTable({
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
  ...collectionOptions,
  ...startOptions,
  ...historyOptions,
  ...quotaOptions,
  retention: retentionOptions,
  ...subPathOptions,
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
