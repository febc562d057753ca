/** Bodies about what content takes; `schemas.ts` joins them with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, tagSchema, text } from "./schema_parts.ts";

const count: JsonSchema = { type: "integer", minimum: 0 };
const bytes = (description: string): JsonSchema => ({ ...count, description });
const bytesOrNull = (description: string): JsonSchema => ({
  type: ["integer", "null"],
  minimum: 0,
  description,
});
const isCounted: JsonSchema = {
  type: "boolean",
  description: "False while content from before there were totals is being counted.",
};
const ownBytes = bytesOrNull(
  "Of content that no repository outside has: what is freed with it. For administrators.",
);
const sharedBytes = bytesOrNull("The rest: content that others have, too. For administrators.");
const freed = {
  freedHereBytes: bytes("What goes from the repository."),
  freedBytes: bytesOrNull("What goes from the registry. For administrators."),
};

function figures(kind: "integer" | "null"): JsonSchema {
  const figure: JsonSchema = {
    type: kind === "null" ? ["integer", "null"] : "integer",
    minimum: 0,
  };
  return {
    type: "object",
    required: ["bytes", "tags", "manifests", "repositories"],
    additionalProperties: false,
    properties: { bytes: figure, tags: figure, manifests: figure, repositories: figure },
  };
}

const quotas: JsonSchema = {
  type: "array",
  description: "Those that are about it; for who may push there, and administrators.",
  items: {
    type: "object",
    required: ["scope", "count", "warnAt", "isCounted", "limits", "used"],
    additionalProperties: false,
    properties: {
      scope: text,
      count: { enum: ["linked", "own"] },
      warnAt: { type: "number" },
      isCounted,
      limits: figures("null"),
      used: figures("integer"),
    },
  },
};

const ofRepository = {
  name: text,
  isCounted,
  linkedBytes: bytes("Each digest once, manifests included."),
  ownBytes,
  sharedBytes,
  digests: count,
  manifests: count,
  tagCount: count,
};
const requiredOfRepository = Object.keys(ofRepository);

export const usageSchemas = {
  RepositoryUsage: {
    type: "object",
    required: [...requiredOfRepository, "waitingBytes", "heldBytes", "quotas"],
    additionalProperties: false,
    properties: {
      ...ofRepository,
      waitingBytes: bytesOrNull("What nothing names, and collection will remove."),
      heldBytes: bytes("What was removed, and is held for an undo: it counts nowhere else."),
      quotas,
      tags: {
        type: "array",
        description: "The tags of the query: what goes with each when it alone is removed.",
        items: {
          type: "object",
          required: ["tag", "digest", "linkedBytes", "freedHereBytes", "freedBytes"],
          additionalProperties: false,
          properties: {
            tag: tagSchema,
            digest: digestSchema,
            linkedBytes: bytes("Of all that it names."),
            ...freed,
          },
        },
      },
      together: {
        type: "object",
        description: "What goes when all of these tags are removed.",
        required: ["freedHereBytes", "freedBytes"],
        additionalProperties: false,
        properties: freed,
      },
    },
  },
  Usage: {
    type: "object",
    required: ["prefix", "repositories"],
    additionalProperties: false,
    properties: {
      prefix: text,
      total: {
        type: "object",
        description:
          "Of all repositories below the prefix that the caller may read. On the first page.",
        required: ["linkedBytes", "ownBytes", "repositories", "manifests", "tagCount", "isCounted"],
        additionalProperties: false,
        properties: {
          linkedBytes: bytesOrNull("Each digest once; null where there are too many to look at."),
          ownBytes,
          sharedBytes,
          repositories: { ...count, description: "Those with a manifest." },
          manifests: count,
          tagCount: count,
          isCounted,
          waitingBytes: bytesOrNull("As of a repository; of all of them, for administrators."),
          heldBytes: bytes("What only undo holds; of all of them, for administrators."),
          uploadBytes: bytes("Of uploads that are open; for administrators."),
          physicalBytes: bytes("What all content takes on the disk; for administrators."),
        },
      },
      quotas,
      repositories: {
        type: "array",
        items: {
          type: "object",
          required: requiredOfRepository,
          additionalProperties: false,
          properties: ofRepository,
        },
      },
    },
  },
} as const satisfies Readonly<Record<string, JsonSchema>>;
