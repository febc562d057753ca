// The options under `extensions.ui`, in zot's dialect.

import { optionTable } from "../../lib/option.ts";
import { flag } from "../../lib/option_types.ts";

export const uiOptions = optionTable({
  enable: {
    type: flag,
    default: false,
    inSection: true,
    defaultSays:
      "`true` where the section is there, and for a start without a configuration; else `false`",
    served: true,
    applies: "restart",
    says: "Serve the web interface at `/ui/`, and lead browsers there from `/`.",
  },
});
