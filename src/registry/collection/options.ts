// The options under `storage` that say when collection removes what nothing names; entries of `subPaths` have them, too.

import * as z from "zod";
import { optionTable } from "../../lib/option.ts";
import { duration, flag } from "../../lib/option_types.ts";
import { parseTimeWindow } from "../../lib/time_window.ts";

const windowError = `two different times of day in UTC, such as "22:00-06:00"`;

const timeWindow = z
  .string({ error: windowError })
  .refine((text) => text === "" || parseTimeWindow(text) !== null, { error: windowError })
  .meta({ title: "time window" });

export const collectionOptions = optionTable({
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
});
