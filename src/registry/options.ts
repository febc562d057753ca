// The options of the registry's own rules: what an index must find here, and the collection of what nothing names.
//
// They stand under `storage` in a configuration file, as in zot.

import * as z from "zod";
import { optionTable } from "../lib/option.ts";
import { parseGlob } from "../lib/glob.ts";
import { duration, flag } from "../lib/option_types.ts";
import { historyOptions } from "./history/options.ts";
import { retentionOptions } from "./retention/options.ts";

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
  gc: {
    type: flag,
    default: false,
    served: false,
    applies: "restart",
    feature: "collection",
    says: "Collect blobs that no manifest names.",
  },
  gcDelay: {
    type: duration(0),
    default: "1h",
    served: true,
    applies: "restart",
    says: "Age below which garbage collection removes nothing. Has no effect while `gc` is false.",
  },
  gcInterval: {
    type: duration(0),
    default: "1h",
    served: true,
    applies: "restart",
    says: "Time between two collections. Has no effect while `gc` is false.",
  },
});

export const registryOptions = { ...plainOptions, ...historyOptions, retention: retentionOptions };
