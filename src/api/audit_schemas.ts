/** The bodies about audits of stores of objects; `schemas.ts` joins them with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, text, time, timeOrNull } from "./schema_parts.ts";

const count: JsonSchema = { type: "integer", minimum: 0 };

function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const required = Object.keys(properties);
  return { type: "object", required, additionalProperties: false, properties };
}

const found = object({
  key: text,
  sizeBytes: count,
  digest: { anyOf: [digestSchema, { type: "null" }], description: "Null where it was not read." },
  changedAt: time,
});

const audit = object({
  from: time,
  to: { ...timeOrNull, description: "Null while it goes on." },
  restoredAt: { ...timeOrNull, description: "When metadata were restored last." },
  wish: { enum: ["tell", "remove", "adopt"] },
  outcome: { enum: ["running", "done", "failed"] },
  problem: { type: ["string", "null"], description: "Why it failed." },
  step: { ...count, description: "Steps that are done." },
  steps: count,
  objects: { ...count, description: "Objects that lie where they should." },
  bytes: count,
  lost: { ...count, description: "Content whose object is gone, or has another length." },
  marked: { ...count, description: "Copies of it that were marked damaged." },
  strays: { ...count, description: "Objects that nothing knows, two days old at least." },
  strayBytes: count,
  removed: count,
  adopted: { ...count, description: "Strays that are untagged content of a repository now." },
  unfinished: {
    ...count,
    description: "Uploads in parts that nobody went on with, and that were removed.",
  },
  found: { type: "array", items: found, description: "Strays that stay, a hundred at most." },
});

export const auditSchemas = {
  Audit: object({
    isWaiting: { type: "boolean", description: "One was asked for, and has not begun." },
    audit: { ...audit, type: ["object", "null"], description: "Null before the first one." },
  }),
  AuditWish: {
    type: "object",
    additionalProperties: false,
    properties: {
      strays: { enum: ["tell", "remove", "adopt"] },
      repository: { ...text, description: "Takes in what is adopted." },
      beforeRestore: {
        type: "boolean",
        description: "Removes also what is older than the last restore.",
      },
    },
  },
} as const satisfies Readonly<Record<string, JsonSchema>>;
