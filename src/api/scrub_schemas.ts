/** The body about checks of content; `schemas.ts` joins it with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, tagSchema, text, time, timeOrNull } from "./schema_parts.ts";

const count: JsonSchema = { type: "integer", minimum: 0 };

function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const required = Object.keys(properties);
  return { type: "object", required, additionalProperties: false, properties };
}

const roundMembers = {
  from: time,
  to: { ...timeOrNull, description: "Null while it goes on." },
  outcome: {
    enum: ["running", "done", "stopped"],
    description: "`stopped` where the disk could not be read twice within a day.",
  },
  allDigests: { ...count, description: "What there is to check." },
  allBytes: count,
  digests: count,
  bytes: { ...count, description: "Bytes that were read." },
  bad: { ...count, description: "Copies that were found damaged, and are not healed." },
  healed: count,
  failed: { ...count, description: "What could not be looked at." },
  version: text,
} as const;

const round = object(roundMembers);

const damaged = object({
  repository: text,
  digest: digestSchema,
  sizeBytes: count,
  how: { enum: ["wrong", "size", "missing", "unreadable", "no-file"] },
  since: time,
  kept: { type: ["string", "null"], description: "Name of its file in `_zot/damaged`." },
  tags: { type: "array", items: tagSchema, description: "Tags that lead to it, ten at most." },
  untagged: { ...count, description: "Manifests that lead to it and have no tag." },
  isCutOff: { type: "boolean", description: "There may be more tags." },
});

const kept = object({
  name: text,
  sizeBytes: count,
  digest: {
    anyOf: [digestSchema, { type: "null" }],
    description: "Null for a file of another name.",
  },
  isDamaged: { type: "boolean", description: "Some repository has not got the content back." },
});

export const scrubSchemas = {
  Scrub: object({
    state: { enum: ["off", "running", "waiting", "stopped"] },
    nextAt: { ...timeOrNull, description: "When the next round begins." },
    round: {
      ...round,
      type: ["object", "null"],
      description: "The round that goes on.",
    },
    rounds: { type: "array", items: round, description: "The last ten, the newest first." },
    checked: object({ digests: count, bytes: count }),
    coverage: {
      type: "array",
      items: object({
        withinHours: count,
        digests: count,
        bytes: count,
        percent: { type: "number", description: "Of the bytes." },
      }),
    },
    damaged: object({
      copies: count,
      bytes: count,
      list: { type: "array", items: damaged },
    }),
    kept: object({
      files: { ...count, description: "Files in `_zot/damaged`." },
      bytes: count,
      list: { type: "array", items: kept, description: "The first hundred." },
    }),
  }),
  KeptForgotten: object({ digest: digestSchema, files: count, bytes: count }),
} as const;
