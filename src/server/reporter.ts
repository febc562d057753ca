/** Lines for the operator about work that no request asked for, into the log. */
import type { Log } from "../lib/log.ts";
import type { Report } from "../registry/registry.ts";

export function reporter(log: Log): Report {
  return (level, message, fields) => log[level](fields ?? {}, message);
}
