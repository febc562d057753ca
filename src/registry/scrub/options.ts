// The options of checks that run while the registry serves. They stand under `extensions.scrub`, as in zot.

import { optionTable } from "../../lib/option.ts";
import { duration, flag } from "../../lib/option_types.ts";
import { intervalMsMin, type ScrubSettings } from "./scrub_settings.ts";

export const scrubOptions = optionTable({
  enable: {
    type: flag,
    default: false,
    inSection: true,
    defaultSays: "`true` where the section is there, else `false`",
    served: true,
    applies: "live",
    says:
      "Read all content in turn while the registry serves, compare it with its digest, and heal what is damaged. A " +
      "round takes up to 30 days, so that nobody feels it.",
  },
  interval: {
    type: duration(0),
    default: "24h",
    served: true,
    applies: "live",
    says: "Time from the beginning of a round to that of the next one, `2h` at least; the first begins with the server.",
  },
});

/** Warnings for whoever wrote them. */
export function scrubWarnings({ enable, interval }: ScrubSettings): readonly string[] {
  if (!enable || interval >= intervalMsMin) return [];
  return ["extensions.scrub.interval: expected 2h at least, got less; a round begins every 2h"];
}
