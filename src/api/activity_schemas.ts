/** Bodies about what happened lately, and about who asks; `schemas.ts` joins them with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, tagSchema, text, time } from "./schema_parts.ts";

const digestOrNull: JsonSchema = { anyOf: [digestSchema, { type: "null" }] };
const textOrNull: JsonSchema = { type: ["string", "null"] };

export const activitySchemas = {
  Activity: {
    type: "object",
    required: ["activity", "next"],
    additionalProperties: false,
    properties: {
      activity: {
        type: "array",
        items: {
          type: "object",
          required: ["id", "name", "tag", "event", "digest", "previous", "at", "by"],
          additionalProperties: false,
          properties: {
            id: { ...text, description: "Tells it from others, for the caller who asks." },
            name: text,
            tag: {
              anyOf: [tagSchema, { type: "null" }],
              description: "Null for a manifest that was deleted by its digest.",
            },
            event: { enum: ["tagged", "untagged", "deleted"] },
            digest: { ...digestOrNull, description: "What the tag points at afterwards." },
            previous: { ...digestOrNull, description: "Before, or what was deleted." },
            at: time,
            by: { ...textOrNull, description: "For callers who have logged in." },
          },
        },
      },
      next: {
        ...textOrNull,
        description: "`last=` of the next page; null where there is nothing before.",
      },
    },
  },
  Caller: {
    type: "object",
    required: ["name", "isAdministrator"],
    additionalProperties: false,
    properties: {
      name: { ...textOrNull, description: "Null for a caller who has not logged in." },
      isAdministrator: { type: "boolean" },
    },
  },
} as const satisfies Record<string, JsonSchema>;
