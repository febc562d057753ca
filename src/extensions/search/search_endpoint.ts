/** Answers of `/v2/_zot/ext/search`: a query in the URL, or as JSON in the body. */
import type { App } from "../../api/app.ts";
import { shownTags } from "../../api/shown_tags.ts";
import type { Call } from "../../http/call.ts";
import type { Reply } from "../../http/endpoint.ts";
import { textReply } from "../../http/reply.ts";
import { KiB } from "../../lib/bytes.ts";
import { GateFull } from "../../lib/gate.ts";
import { isJsonObject, parseStrictJson } from "../../lib/strict_json.ts";
import { apiError, type ApiError } from "../../oci/errors.ts";
import type { QueryEngine, QueryRequest } from "./execute_query.ts";
import { Searching } from "./searching.ts";
import type { Sights } from "./sight.ts";

/** Bytes of a query in a body. */
const bodyBytesMax = 64 * KiB;
const depthMax = 32;
/** Who asks decides what the answer is. */
const headers = { "cache-control": "no-store" };

export interface SearchParts {
  readonly engine: QueryEngine;
  readonly sights: Sights;
}

export async function getSearch(call: Call, app: App, parts: SearchParts): Promise<Reply> {
  const { query } = call;
  const variables = query.get("variables");
  return answer(call, app, parts, {
    query: query.get("query") ?? "",
    variables: variables === null || variables === "" ? null : readVariables(variables),
    operationName: query.get("operationName") || null,
  });
}

export async function postSearch(call: Call, app: App, parts: SearchParts): Promise<Reply> {
  const bytes = await call.readBody({
    bytesMax: bodyBytesMax,
    idleMs: app.uploadIdleMs,
    tooLarge: () => apiError("REQUEST_TOO_LARGE"),
  });
  const parsed = parseStrictJson(bytes, { depthMax });
  if ("problem" in parsed) throw apiError("REQUEST_INVALID", { message: parsed.problem });
  const body = isJsonObject(parsed.value) ? parsed.value : {};
  const { query, variables = null, operationName = null } = body;
  return answer(call, app, parts, {
    query: typeof query === "string" ? query : "",
    variables: isJsonObject(variables) ? variables : null,
    operationName: typeof operationName === "string" ? operationName : null,
  });
}

async function answer(
  call: Call,
  { registry, auth }: App,
  { engine, sights }: SearchParts,
  request: QueryRequest,
): Promise<Reply> {
  const run = engine.run(request, async () => {
    const sight = await sights.of(call, registry.clock.monotonicMs());
    const showsWho = auth === null || call.by !== null;
    const showsTag = shownTags(call);
    return new Searching(registry, { caller: call.caller, showsWho, sight, showsTag });
  });
  const { status, text } = await run.catch((error: unknown) => {
    throw error instanceof GateFull ? busy() : error;
  });
  return textReply(status, text, "application/json", headers);
}

function busy(): ApiError {
  return apiError("TOO_MANY_REQUESTS", {
    message: "Too many searches at once; try again later",
    headers: { "retry-after": "1" },
  });
}

function readVariables(text: string): Readonly<Record<string, unknown>> {
  const parsed = parseStrictJson(Buffer.from(text), { depthMax });
  if ("problem" in parsed || !isJsonObject(parsed.value)) {
    throw apiError("PARAMETER_INVALID", { message: "Expected variables as a JSON object" });
  }
  return parsed.value;
}
