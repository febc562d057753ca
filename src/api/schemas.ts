/**
 * TABLE of the JSON bodies that the registry takes and gives, as JSON Schema 2020-12.
 *
 * Each has a name under which the OpenAPI document lists it; `schemaOf` makes the reference. What the image
 * specification leaves open (annotations, new fields) is open here, too. `oci/manifest.ts` checks what is pushed; these
 * schemas only describe it.
 */
import type { JsonSchema } from "../http/endpoint.ts";
import { apiErrors } from "../oci/errors.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { activitySchemas } from "./activity_schemas.ts";
import { retentionSchemas } from "./retention_schemas.ts";
import { diffSchemas } from "./diff_schemas.ts";
import { auditSchemas } from "./audit_schemas.ts";
import { scrubSchemas } from "./scrub_schemas.ts";
import { usageSchemas } from "./usage_schemas.ts";
import { digestSchema, tagSchema, text, time } from "./schema_parts.ts";

const annotations: JsonSchema = {
  type: "object",
  additionalProperties: text,
  description: "Free text by key.",
};

const mediaTypeSchema: JsonSchema = { type: "string", description: "Media type of the content." };
const schemaVersion: JsonSchema = { const: 2 };

/** The two bytes `{}`, which artifacts without a configuration name (image-spec, manifest.md). */
const empty = {
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
};

/** A key as its owner sees it; a time that is not set is that of the year 1. */
const apiKey = {
  type: "object",
  required: ["createdAt", "expirationDate", "isExpired", "lastUsed", "label", "scopes", "uuid"],
  additionalProperties: false,
  properties: {
    createdAt: time,
    expirationDate: time,
    isExpired: { type: "boolean" },
    creatorUa: { ...text, description: "User-Agent of the request that made it." },
    generatedBy: { const: "manual" },
    lastUsed: time,
    label: text,
    scopes: { type: "array", items: text },
    uuid: { type: "string", format: "uuid" },
  },
};

const textOrNull: JsonSchema = { type: ["string", "null"] };
const digestOrNull: JsonSchema = { anyOf: [digestSchema, { type: "null" }] };
const pinnedUntil: JsonSchema = {
  anyOf: [time, { type: "null" }],
  description: "Until when retention and collection leave it alone.",
};

/** A tag that goes back, or a manifest that had none. */
const undoStep = {
  repository: text,
  tag: { anyOf: [tagSchema, { type: "null" }] },
  from: { ...digestOrNull, description: "What the tag points at now; null for nothing." },
  to: { ...digestOrNull, description: "What it points at afterwards; null removes it." },
};
const stepMembers = ["repository", "tag", "from", "to"] as const;
/** By the name in `components.schemas`. */
export const schemas = {
  ...activitySchemas,
  ...retentionSchemas,
  ...scrubSchemas,
  ...auditSchemas,
  ...diffSchemas,
  ...usageSchemas,
  Errors: {
    type: "object",
    description: 'distribution-spec, "Error codes".',
    required: ["errors"],
    additionalProperties: false,
    properties: {
      errors: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          required: ["code", "message"],
          additionalProperties: false,
          properties: {
            code: {
              enum: [...new Set(Object.values(apiErrors).map(({ code }) => code))],
              description: "What clients act on.",
            },
            message: { ...text, description: "What was expected, what came, what to do." },
            detail: { description: "More about it, as any JSON value." },
          },
        },
      },
    },
  },
  Version: { type: "object", description: "An empty object.", additionalProperties: false },
  Catalog: {
    type: "object",
    required: ["repositories"],
    additionalProperties: false,
    properties: { repositories: { type: "array", items: text } },
  },
  Tags: {
    type: "object",
    required: ["name", "tags"],
    additionalProperties: false,
    properties: { name: text, tags: { type: "array", items: tagSchema } },
  },
  Extensions: {
    type: "object",
    required: ["extensions"],
    additionalProperties: false,
    properties: {
      extensions: {
        type: "array",
        items: {
          type: "object",
          required: ["name", "url", "description", "endpoints"],
          additionalProperties: false,
          properties: {
            name: text,
            url: { type: "string", format: "uri" },
            description: text,
            endpoints: { type: "array", items: text },
          },
        },
      },
    },
  },
  Descriptor: {
    type: "object",
    description: "image-spec, descriptor.md.",
    required: ["mediaType", "digest", "size"],
    properties: {
      mediaType: mediaTypeSchema,
      digest: digestSchema,
      size: { type: "integer", minimum: 0, description: "Bytes." },
      urls: { type: "array", items: text },
      annotations,
      data: { ...text, description: "The content itself, in base64." },
      artifactType: text,
      platform: {
        type: "object",
        required: ["architecture", "os"],
        properties: { architecture: text, os: text, variant: text },
      },
    },
  },
  Image: {
    type: "object",
    description: "image-spec, manifest.md; Docker's image manifest has the same shape.",
    required: ["schemaVersion", "config", "layers"],
    examples: [
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociImage,
        artifactType: "application/vnd.example+type",
        config: empty,
        layers: [empty],
      },
    ],
    properties: {
      schemaVersion,
      mediaType: mediaTypeSchema,
      artifactType: text,
      config: { $ref: "#/components/schemas/Descriptor" },
      layers: { type: "array", items: { $ref: "#/components/schemas/Descriptor" } },
      subject: { $ref: "#/components/schemas/Descriptor" },
      annotations,
    },
  },
  Index: {
    type: "object",
    description: "image-spec, image-index.md; Docker's manifest list has the same shape.",
    required: ["schemaVersion", "manifests"],
    examples: [{ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }],
    properties: {
      schemaVersion,
      mediaType: mediaTypeSchema,
      artifactType: text,
      manifests: { type: "array", items: { $ref: "#/components/schemas/Descriptor" } },
      subject: { $ref: "#/components/schemas/Descriptor" },
      annotations,
    },
  },
  Token: {
    type: "object",
    description: 'distribution, "Token Authentication Specification".',
    required: ["token", "access_token", "expires_in", "issued_at"],
    additionalProperties: false,
    properties: {
      token: text,
      access_token: { ...text, description: "The same." },
      expires_in: { type: "integer", minimum: 60, description: "Seconds." },
      issued_at: { type: "string", format: "date-time" },
      scope: { ...text, description: "What it is good for; only where it was asked by POST." },
    },
  },
  TokenRequest: {
    type: "object",
    required: ["grant_type", "username", "password"],
    properties: {
      grant_type: { const: "password" },
      username: text,
      password: text,
      service: text,
      scope: text,
      client_id: text,
    },
  },
  TokenRefusal: {
    type: "object",
    required: ["error"],
    additionalProperties: false,
    properties: { error: { enum: ["unsupported_grant_type", "invalid_request"] } },
  },
  ApiKeyRequest: {
    type: "object",
    additionalProperties: false,
    properties: {
      label: { ...text, description: "For the owner to know it by." },
      scopes: {
        type: "array",
        items: text,
        description:
          "What it is good for: globs of repositories, or `repository:<glob>:<actions>`; empty for all that the owner may.",
      },
      expirationDate: {
        anyOf: [{ type: "string", format: "date-time" }, { const: "" }],
        description: "When it ends; empty for never.",
      },
    },
  },
  ApiKey: apiKey,
  NewApiKey: {
    ...apiKey,
    required: [...apiKey.required, "apiKey"],
    properties: {
      ...apiKey.properties,
      apiKey: { type: "string", pattern: "^zak_[0-9a-f]{32}$" },
    },
  },
  ApiKeys: {
    type: "object",
    required: ["apiKeys"],
    additionalProperties: false,
    properties: { apiKeys: { type: "array", items: { $ref: "#/components/schemas/ApiKey" } } },
  },
  TagRestore: {
    type: "object",
    required: ["digest"],
    additionalProperties: false,
    properties: {
      digest: {
        ...digestOrNull,
        description: "What the tag points at afterwards; null removes it.",
      },
      expect: {
        ...digestOrNull,
        description: "What it points at now, null for nothing; if it does not, nothing changes.",
      },
    },
  },
  TagRestored: {
    type: "object",
    required: ["name", "tag", "digest", "pinnedUntil"],
    additionalProperties: false,
    properties: { name: text, tag: tagSchema, digest: digestOrNull, pinnedUntil },
  },
  TagsToSet: {
    type: "object",
    required: ["tags"],
    additionalProperties: false,
    properties: {
      tags: {
        type: "array",
        minItems: 1,
        maxItems: 10_000,
        items: {
          type: "object",
          required: ["tag", "digest"],
          additionalProperties: false,
          properties: {
            tag: tagSchema,
            digest: digestSchema,
            expect: {
              type: "array",
              minItems: 1,
              maxItems: 2,
              items: digestOrNull,
              description:
                "What it points at before is one of these, null for nothing; if not, no tag is set.",
            },
          },
        },
      },
    },
  },
  TagsSet: {
    type: "object",
    required: ["name", "set"],
    additionalProperties: false,
    properties: { name: text, set: { type: "integer", description: "Tags." } },
  },
  Undelete: {
    type: "object",
    required: ["digest"],
    additionalProperties: false,
    properties: { digest: digestSchema },
  },
  Undeleted: {
    type: "object",
    required: ["name", "digest", "pinnedUntil"],
    additionalProperties: false,
    properties: { name: text, digest: digestSchema, pinnedUntil },
  },
  Purge: {
    type: "object",
    required: ["digest", "reason"],
    additionalProperties: false,
    properties: {
      digest: digestSchema,
      reason: { type: "string", minLength: 1, maxLength: 500, description: "For history." },
    },
  },
  Purged: {
    type: "object",
    required: ["name", "digest", "alsoIn"],
    additionalProperties: false,
    properties: {
      name: text,
      digest: digestSchema,
      alsoIn: {
        type: "array",
        items: text,
        description: "Other repositories that have this blob and that the caller may read.",
      },
    },
  },
  UndoPlan: {
    type: "object",
    required: ["since", "steps"],
    additionalProperties: false,
    properties: {
      since: time,
      steps: {
        type: "array",
        items: {
          type: "object",
          required: [...stepMembers, "at", "problem"],
          additionalProperties: false,
          properties: {
            ...undoStep,
            at: time,
            by: { ...textOrNull, description: "Who did what the step undoes." },
            problem: { ...textOrNull, description: "Why it cannot be undone; null when it can." },
          },
        },
      },
    },
  },
  UndoSteps: {
    type: "object",
    required: ["steps"],
    additionalProperties: false,
    properties: {
      steps: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          required: stepMembers,
          additionalProperties: false,
          properties: undoStep,
        },
      },
    },
  },
  Undone: {
    type: "object",
    required: ["undone", "pinnedUntil"],
    additionalProperties: false,
    properties: { undone: { type: "integer", description: "Steps." }, pinnedUntil },
  },
  OpenApi: {
    type: "object",
    description: "An OpenAPI document.",
    required: ["openapi", "info", "paths"],
    properties: { openapi: { type: "string", pattern: "^3\\.1\\." } },
  },
} as const satisfies Record<string, JsonSchema>;

export type SchemaName = keyof typeof schemas;

/** A reference to a schema of the table. */
export function schemaOf(name: SchemaName): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
