/** Small schemas that those of bodies, parameters and answers are made of. */
import type { JsonSchema } from "../http/endpoint.ts";

export const text: JsonSchema = { type: "string" };

/** The digest of no bytes. */
export const exampleDigest =
  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export const digestSchema: JsonSchema = {
  type: "string",
  pattern: "^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$",
  examples: [exampleDigest],
};
export const tagSchema: JsonSchema = {
  type: "string",
  pattern: "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$",
  examples: ["latest"],
};
export const time: JsonSchema = { type: "string", format: "date-time" };
export const timeOrNull: JsonSchema = { type: ["string", "null"], format: "date-time" };
