// The options under `extensions.search`, in zot's dialect.

import { optionTable } from "../../lib/option.ts";
import { flag } from "../../lib/option_types.ts";

export const searchOptions = optionTable({
  enable: {
    type: flag,
    default: false,
    inSection: true,
    defaultSays:
      "`true` where the section is there, and for a start without a configuration; else `false`",
    served: true,
    applies: "restart",
    says: "Summarise images as they come, and answer searches, those of `zli` and of web interfaces.",
  },
});
