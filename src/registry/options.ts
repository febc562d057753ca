// The options of the registry's own rules: today, the collection of what nothing names any more.
//
// They stand under `storage` in a configuration file, as in zot.

import { optionTable } from "../lib/option.ts";
import { duration, flag } from "../lib/option_types.ts";

export const collectionOptions = optionTable({
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
    says: "Age below which nothing is collected. Has no effect while `gc` is false.",
  },
  gcInterval: {
    type: duration(0),
    default: "1h",
    served: true,
    applies: "restart",
    says: "Time between two collections. Has no effect while `gc` is false.",
  },
});
