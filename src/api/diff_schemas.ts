/** The body about what differs between two images; `schemas.ts` joins it with the others. */
import type { JsonSchema } from "../http/endpoint.ts";
import { digestSchema, text } from "./schema_parts.ts";

const count: JsonSchema = { type: "integer", minimum: 0 };
const textOrNull: JsonSchema = { type: ["string", "null"] };

function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const required = Object.keys(properties);
  return { type: "object", required, additionalProperties: false, properties };
}

const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const texts = list(text);

const side = object({
  name: text,
  reference: text,
  digest: digestSchema,
  kind: { ...text, description: "Id of its kind, such as `image` or `helm-chart`." },
  label: text,
  imageDigest: { ...digestSchema, description: "The image that is compared, of an index one." },
  platform: textOrNull,
  sizeBytes: count,
});

const values = list(object({ path: text, before: textOrNull, after: textOrNull }));
const named = { name: text, type: textOrNull };
const packages = list(object({ ...named, version: text }));
const counts = object({ added: count, removed: count, changed: count, same: count });
const fileMembers = { path: text, type: text, sizeBytes: count };
const files = list(object(fileMembers));

export const diffSchemas = {
  Diff: object({
    a: side,
    b: side,
    isSame: { type: "boolean", description: "They are the same manifest." },
    platforms: {
      ...object({ added: texts, removed: texts, changed: texts, same: texts }),
      type: ["object", "null"],
      description: "Of two indexes.",
    },
    config: values,
    annotations: values,
    layers: list(
      object({
        digest: digestSchema,
        mediaType: text,
        sizeBytes: count,
        from: textOrNull,
        in: { enum: ["both", "a", "b"] },
      }),
    ),
    layerBytes: object({ both: count, a: count, b: count }),
    packages: {
      ...object({
        added: packages,
        removed: packages,
        changed: list(object({ ...named, before: text, after: text })),
        counts,
        sboms: object({ a: digestSchema, b: digestSchema }),
      }),
      type: ["object", "null"],
      description: "Null where one of them has no SBOM that is read.",
    },
    files: {
      description: "Null unless it is asked for.",
      anyOf: [
        { type: "null" },
        object({ state: { const: "pending" } }),
        object({ state: { const: "failed" }, problem: text }),
        object({
          state: { const: "done" },
          added: files,
          removed: files,
          changed: list(object({ ...fileMembers, sizeBytesBefore: count, what: texts })),
          counts,
          addedBytes: count,
          removedBytes: count,
          grownBytes: { type: "integer" },
          isCutOff: { type: "boolean", description: "Not all are listed; counts are of all." },
        }),
      ],
    },
  }),
} as const;
