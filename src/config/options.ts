// The options at the top of a configuration file, outside any section.
//
// They tell a reader (or zot) what wrote the file. None of them changes what the server does.

import { optionTable } from "../lib/option.ts";
import { text } from "../lib/option_types.ts";
import { DIST_SPEC_VERSION } from "./specification.ts";

export const topOptions = optionTable({
  distSpecVersion: {
    type: text,
    default: DIST_SPEC_VERSION,
    served: true,
    applies: "live",
    says: "Version of the distribution specification. Another one than the default only warns.",
  },
  goVersion: {
    type: text,
    default: "",
    served: true,
    applies: "live",
    says: "Not used: accepted because files of zot (Go) have it.",
  },
  commit: {
    type: text,
    default: "",
    served: true,
    applies: "live",
    says: "Not used: accepted because files of zot (Go) have it.",
  },
  releaseTag: {
    type: text,
    default: "",
    served: true,
    applies: "live",
    says: "Not used: accepted because files of zot (Go) have it.",
  },
  binaryType: {
    type: text,
    default: "",
    served: true,
    applies: "live",
    says: "Not used: accepted because files of zot (Go) have it.",
  },
});
