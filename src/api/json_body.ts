/** The JSON object of a request: small, strict, and with no members but those that its endpoint knows. */
import type { Call } from "../http/call.ts";
import { parsedBytesPerStep } from "../lib/request_budget.ts";
import { isJsonObject, parseStrictJson, type JsonObject } from "../lib/strict_json.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { shorten, type App } from "./app.ts";

const depthMax = 8;

export interface BodyShape {
  readonly members: readonly string[];
  readonly bytesMax: number;
}

/** Parsing draws on what the request may cost. @throws REQUEST_INVALID, REQUEST_TOO_LARGE, BudgetSpent. */
export async function readObject(call: Call, app: App, shape: BodyShape): Promise<JsonObject> {
  const bytes = await call.readBody({
    bytesMax: shape.bytesMax,
    idleMs: app.uploadIdleMs,
    tooLarge: () => apiError("REQUEST_TOO_LARGE"),
  });
  call.budget.spend(Math.ceil(bytes.length / parsedBytesPerStep));
  const parsed = parseStrictJson(bytes, { depthMax });
  if ("problem" in parsed) throw invalidBody(parsed.problem);
  return checkMembers(parsed.value, shape.members, "a JSON object");
}

/** @throws REQUEST_INVALID. */
export function checkMembers(value: unknown, members: readonly string[], what: string): JsonObject {
  if (!isJsonObject(value)) throw invalidBody(`Expected ${what} with ${members.join(", ")}`);
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown === undefined) return value;
  throw invalidBody(`Expected the members ${members.join(", ")}, got ${shorten(unknown)}`);
}

export function invalidBody(message: string): ApiError {
  return apiError("REQUEST_INVALID", { message });
}
