// The section `extensions.sync` as the program gets it, from what stands in a file.

import * as z from "zod";
import { syncOptions, type SyncValues } from "../../src/extensions/sync/options.ts";

const schema = z.strictObject(
  Object.fromEntries(
    Object.entries(syncOptions).map(([key, { type, default: value }]) => [
      key,
      (type as z.ZodType).prefault(value),
    ]),
  ),
);

/** @throws where a value does not fit. */
export function syncValues(section: Record<string, unknown>): SyncValues {
  return schema.parse({ enable: true, ...section }) as SyncValues;
}

/** The messages of what does not fit. */
export function syncIssues(section: Record<string, unknown>): string[] {
  const parsed = schema.safeParse({ enable: true, ...section });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}
