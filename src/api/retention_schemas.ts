/** Bodies about what stays, what goes, and why; `schemas.ts` joins them with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, tagSchema, text, time, timeOrNull } from "./schema_parts.ts";

const decision: JsonSchema = { enum: ["keep", "delete"] };
const removalKind: JsonSchema = { enum: ["tag", "manifest", "blob"] };
const removal: Readonly<Record<string, JsonSchema>> = {
  kind: removalKind,
  repository: text,
  tag: tagSchema,
  digest: digestSchema,
  since: { type: "number", description: "Since when nothing names it, as the plan has it." },
  reason: text,
};

export const retentionSchemas = {
  Retention: {
    type: "object",
    required: ["name", "subPath", "policy", "dryRun", "tags"],
    additionalProperties: false,
    properties: {
      name: text,
      policy: {
        type: ["integer", "null"],
        description: "Place of the policy in `retention.policies`; null where none fits.",
      },
      subPath: {
        type: ["string", "null"],
        description:
          "Key of `storage.subPaths` whose `retention` decides; null for that of `storage` itself.",
      },
      dryRun: { type: "boolean" },
      tags: {
        type: "array",
        items: {
          type: "object",
          required: ["tag", "digest", "pushedAt", "pulledAt", "decision", "reason", "until"],
          additionalProperties: false,
          properties: {
            tag: tagSchema,
            digest: digestSchema,
            pushedAt: time,
            pulledAt: timeOrNull,
            decision,
            step: { ...text, description: "Which step of the evaluation decided." },
            reason: text,
            entry: { type: ["integer", "null"], description: "The entry of `keepTags` that fits." },
            rules: {
              type: "array",
              items: {
                type: "object",
                required: ["rule", "holds"],
                additionalProperties: false,
                properties: { rule: text, holds: { type: "boolean" } },
              },
            },
            until: { ...timeOrNull, description: "When time alone may change the decision." },
          },
        },
      },
    },
  },
  Untagged: {
    type: "object",
    required: ["name", "dryRun", "manifests", "isCutOff"],
    additionalProperties: false,
    properties: {
      name: text,
      dryRun: { type: "boolean" },
      manifests: {
        type: "array",
        description: "Without tag, index and subject; what lost its name last comes first.",
        items: {
          type: "object",
          required: [
            "digest",
            "mediaType",
            "artifactType",
            "bytes",
            "pushedAt",
            "pushedBy",
            "pulledAt",
            "since",
            "decision",
            "reason",
            "until",
          ],
          additionalProperties: false,
          properties: {
            digest: digestSchema,
            mediaType: text,
            artifactType: { type: ["string", "null"] },
            bytes: { type: "integer", description: "Of it and of what it names." },
            pushedAt: time,
            pushedBy: { type: ["string", "null"], description: "For callers who have logged in." },
            pulledAt: timeOrNull,
            since: { ...time, description: "When it lost its last name." },
            decision,
            reason: text,
            until: { ...timeOrNull, description: "When time alone may change the decision." },
          },
        },
      },
      isCutOff: { type: "boolean", description: "There are more than these." },
    },
  },
  Collection: {
    type: "object",
    required: ["last", "nextAt", "dryRun"],
    additionalProperties: false,
    properties: {
      last: {
        type: ["object", "null"],
        description: "The last round that removed anything.",
        required: ["at", "manifests", "blobs", "repositories", "sizeBytes"],
        additionalProperties: false,
        properties: {
          at: time,
          manifests: { type: "integer" },
          blobs: { type: "integer" },
          repositories: { type: "integer" },
          sizeBytes: { type: "integer" },
        },
      },
      nextAt: {
        ...timeOrNull,
        description: "When the next content may go; null where none waits.",
      },
      dryRun: { type: "boolean" },
    },
  },
  Why: {
    type: "object",
    required: [
      "name",
      "digest",
      "kind",
      "ways",
      "isCutOff",
      "protection",
      "unnamedSince",
      "verdict",
    ],
    additionalProperties: false,
    properties: {
      name: text,
      digest: digestSchema,
      kind: { enum: ["manifest", "blob"] },
      ways: {
        type: "array",
        description: "Each from what keeps it down to it; empty when nothing names it.",
        items: {
          type: "array",
          items: {
            type: "object",
            required: ["kind", "name"],
            additionalProperties: false,
            properties: {
              kind: { enum: ["tag", "subject", "index", "manifest", "blob"] },
              name: text,
            },
          },
        },
      },
      isCutOff: { type: "boolean", description: "There are more ways than these." },
      protection: { type: ["string", "null"] },
      unnamedSince: timeOrNull,
      verdict: {
        type: ["object", "null"],
        required: ["decision", "reason", "until"],
        additionalProperties: false,
        properties: { decision, reason: text, until: timeOrNull },
      },
    },
  },
  PlanLines: {
    type: "object",
    required: ["lines"],
    additionalProperties: false,
    properties: {
      lines: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          required: ["kind", "repository", "digest"],
          additionalProperties: false,
          properties: { ...removal, bytesFreed: { type: "number" } },
        },
      },
    },
  },
  PlanApplied: {
    type: "object",
    required: ["removed", "skipped"],
    additionalProperties: false,
    properties: {
      removed: { type: "integer" },
      skipped: {
        type: "array",
        items: {
          type: "object",
          required: ["kind", "repository", "digest", "reason"],
          additionalProperties: false,
          properties: removal,
        },
      },
    },
  },
} as const satisfies Record<string, JsonSchema>;
