/**
 * API keys over HTTP, as zot has them: made, listed and revoked by their owner.
 *
 * Only a caller who logged in with a first proof (a password, a certificate, an ID token) manages keys. A key or a
 * token cannot make keys, so its rights cannot grow or outlive it. Unknown fields are refused. A key is shown in one
 * answer only, when it is made. `auth/api_keys.ts` keeps the keys.
 */
import { keysMax, type ApiKeys, type NewApiKey } from "../auth/api_keys.ts";
import type { Identity } from "../auth/identity.ts";
import { isLoginMethod } from "../auth/identity.ts";
import { keyScope } from "../auth/scope.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { emptyReply, jsonReply } from "../http/reply.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import type { ApiKeyRecord } from "../metadata/api_keys.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import type { App } from "./app.ts";

const bodyBytesMax = 8 * 1024;
const labelLengthMax = 256;
const scopesMax = 50;
const scopeLengthMax = 300;
const noStore = { "cache-control": "no-store" };
/** How Go writes a time that is not set, which zot's clients expect. */
const never = "0001-01-01T00:00:00Z";
const fields = ["label", "scopes", "expirationDate"];

/** GET of the caller's keys. */
export async function listApiKeys(call: Call, app: App): Promise<Reply> {
  const { keys, owner } = manage(call, app);
  const records = await keys.list(owner.name);
  return jsonReply(200, { apiKeys: records.map((record) => keyBody(record, keys)) }, noStore);
}

/** POST of a key's description: the only answer that holds the key. */
export async function makeApiKey(call: Call, app: App): Promise<Reply> {
  const { keys, owner } = manage(call, app);
  const bytes = await call.readBody({
    bytesMax: bodyBytesMax,
    idleMs: app.uploadIdleMs,
    tooLarge: () => apiError("REQUEST_TOO_LARGE"),
  });
  const wanted = readWanted(bytes, call, app.registry.clock.now());
  const made = await keys.make(owner, wanted);
  if (made === null) {
    throw invalid(`Expected up to ${keysMax} keys, there are as many; revoke one first`);
  }
  const { key, record } = made;
  return jsonReply(201, { ...keyBody(record, keys), apiKey: key }, noStore);
}

/** DELETE of a key, which `id` names. */
export async function revokeApiKey(call: Call, app: App): Promise<Reply> {
  const { keys, owner } = manage(call, app);
  const [id, ...others] = call.query.getAll("id");
  if (id === undefined || others.length > 0) {
    throw apiError("PARAMETER_INVALID", { message: "Expected ?id=<uuid of the key> once" });
  }
  if (!(await keys.revoke(owner.name, id))) throw apiError("NOT_FOUND");
  return emptyReply(200, { "content-length": "0" });
}

/** The keys, and whose they are. @throws NOT_FOUND, DENIED. */
function manage(call: Call, { auth }: App): { keys: ApiKeys; owner: Identity } {
  if (auth === null || auth.apiKeys === null) throw apiError("NOT_FOUND");
  // Browsers say so when another site's page makes them send what a user is logged in with.
  if (call.header("sec-fetch-site") === "cross-site") throw apiError("DENIED");
  const { identity } = call.caller;
  const first = isLoginMethod(identity.provenBy) || identity.provenBy === "session";
  if (first && identity.scope === null) return { keys: auth.apiKeys, owner: identity };
  throw apiError("DENIED", {
    message: "API keys are managed with the password itself, not with a key or a token",
  });
}

function readWanted(bytes: Uint8Array, call: Call, now: number): NewApiKey {
  const parsed = parseStrictJson(bytes, { depthMax: 4 });
  const body = "value" in parsed ? parsed.value : null;
  if (!isJsonObject(body)) throw invalid("Expected a JSON object with a label");
  const unknown = Object.keys(body).find((key) => !fields.includes(key));
  if (unknown !== undefined) {
    throw invalid(`Expected the fields ${fields.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  const { label = "", scopes = [], expirationDate = "" } = body;
  return {
    label: readLabel(label),
    scopes: readScopes(scopes),
    expiresAt: readExpiry(expirationDate, now),
    madeWith: (call.header("user-agent") ?? "").slice(0, labelLengthMax),
  };
}

function readLabel(label: unknown): string {
  const fits =
    typeof label === "string" && label.length <= labelLengthMax && !/\p{Cc}/u.test(label);
  if (fits) return label;
  throw invalid(`Expected a label of up to ${labelLengthMax} printable characters`);
}

function readScopes(scopes: unknown): string[] {
  const list = scopes === null ? [] : scopes;
  const fits =
    Array.isArray(list) &&
    list.length <= scopesMax &&
    list.every((each) => typeof each === "string" && each.length <= scopeLengthMax);
  if (!fits) throw invalid(`Expected a list of up to ${scopesMax} scopes`);
  const read = keyScope(list);
  if ("problem" in read) throw invalid(read.problem);
  return list;
}

function readExpiry(text: unknown, now: number): number | null {
  if (text === "" || text === null) return null;
  const isTime =
    typeof text === "string" &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const at = isTime ? Date.parse(text) : Number.NaN;
  if (at > now) return at;
  throw invalid("Expected an expirationDate in the future, such as 2030-12-31T23:59:59Z");
}

function invalid(message: string): ApiError {
  return apiError("REQUEST_INVALID", { message });
}

/** A key as its owner sees it, in zot's fields. */
function keyBody(record: ApiKeyRecord, keys: ApiKeys) {
  const { createdAt, expiresAt, lastUsedAt, madeWith, label, scopes, id } = record;
  return {
    createdAt: timeText(createdAt),
    expirationDate: timeText(expiresAt),
    isExpired: keys.isExpired(record),
    creatorUa: madeWith,
    generatedBy: "manual",
    lastUsed: timeText(lastUsedAt),
    label,
    scopes,
    uuid: id,
  };
}

function timeText(at: number | null): string {
  return at === null ? never : new Date(at).toISOString();
}
