/** The row of the endpoint table about mirrored upstreams. */
import type { App } from "../../api/app.ts";
import { text, timeOrNull } from "../../api/schema_parts.ts";
import type { Endpoint, JsonSchema } from "../../http/endpoint.ts";
import { jsonReply } from "../../http/reply.ts";
import type { MirrorStatus } from "../../lib/mirror_status.ts";

const noStore = { "cache-control": "no-store" };
const count: JsonSchema = { type: "integer", minimum: 0 };
const countOrNull: JsonSchema = { type: ["integer", "null"], minimum: 0 };

function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return {
    type: "object",
    required: Object.keys(properties),
    additionalProperties: false,
    properties,
  };
}

const mirror = object({
  host: { ...text, description: "As images name it." },
  server: { ...text, description: "Where its clients go without a mirror." },
  atRoot: { type: "boolean", description: "Whether names without a host mean it." },
  mappings: {
    type: "array",
    description: "The beginning of names there, and what stands in its place here; empty is all.",
    items: object({ upstream: text, local: text }),
  },
  state: { enum: ["up", "limited", "down"] },
  since: timeOrNull,
  lastError: {
    oneOf: [{ type: "null" }, object({ words: text, at: { type: "string", format: "date-time" } })],
  },
  budgetLeft: {
    ...countOrNull,
    description: "Requests that it still allows, as its own headers say.",
  },
  reset: { ...timeOrNull, description: "When it may be asked again, while it is limited or down." },
  lastDay: object({
    pulls: count,
    hitRatio: {
      type: ["number", "null"],
      minimum: 0,
      maximum: 1,
      description: "Part of the pulls that was answered from here.",
    },
    oldestStaleS: {
      ...countOrNull,
      description: "Seconds since its last check, of the oldest answer without the upstream.",
    },
  }),
  cached: object({
    repositories: count,
    bytes: count,
    isCutOff: { type: "boolean", description: "There are more than were looked at." },
  }),
});

/** `status` gives the upstreams in the order of the configuration. */
export function mirrorEndpoints(
  status: () => Promise<readonly MirrorStatus[]>,
): readonly Endpoint<App>[] {
  return [
    {
      name: "mirrors.status",
      spec: null,
      methods: ["GET", "HEAD"],
      path: "/v2/_zot/mirrors",
      needs: "admin",
      body: "none",
      answers: [
        {
          status: 200,
          says: "The mirrored upstreams, in the order of the configuration.",
          headers: [
            {
              name: "Content-Length",
              says: "Bytes of the body.",
              schema: { type: "string", pattern: "^[0-9]+$" },
              required: true,
            },
            {
              name: "Cache-Control",
              says: "How long the answer stays true.",
              schema: text,
              required: true,
            },
          ],
          content: [
            {
              types: ["application/json"],
              schema: object({ mirrors: { type: "array", items: mirror } }),
            },
          ],
        },
      ],
      errors: [],
      says: "Tell how the mirrored upstreams are",
      run: async () => jsonReply(200, { mirrors: await status() }, noStore),
    },
  ];
}
