// The options under `log`: how much is written, and where.
//
// Levels carry zot's names; where two names mean one level, the program sees one.

import * as z from "zod";
import { optionTable } from "./option.ts";
import { pathOrNone } from "./option_types.ts";

const levelByName = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fatal: "fatal",
  panic: "error",
} as const;

/** The levels that the program knows, from the most to the least talkative. */
export type LogLevel = (typeof levelByName)[keyof typeof levelByName];

const levelNames = [
  "trace",
  "debug",
  "info",
  "warn",
  "warning",
  "error",
  "fatal",
  "panic",
] as const;
const level = z
  .enum(levelNames, { error: `one of ${levelNames.join(", ")}` })
  .transform((name): LogLevel => levelByName[name])
  .meta({ title: "word" });

export const logOptions = optionTable({
  level: {
    type: level,
    default: "info",
    served: true,
    applies: "live",
    says: "Least important level that is written: trace, debug, info, warn, error or fatal.",
  },
  output: {
    type: pathOrNone,
    default: "",
    defaultSays: "standard output",
    served: true,
    applies: "restart",
    says: "File that log lines are appended to.",
  },
  audit: {
    type: pathOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "restart",
    says: "File that a line is appended to for every change: who changed what, from where.",
  },
});
