/** Requests as Google Cloud Storage wants them: with a token, to its JSON API; and what its answers mean. */
import type { GoogleToken } from "../../../lib/cloud/google_token.ts";
import { jsonOf } from "../../../lib/cloud/cloud_login.ts";
import type { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { isJsonObject } from "../../../lib/strict_json.ts";
import { loginOf } from "../http/login_of.ts";
import type { StoreClock } from "../http/store_clock.ts";
import type {
  Lesson,
  SignedRequest,
  StoreAnswer,
  StoreDialect,
  StoreRequest,
  Verdict,
} from "../http/store_dialect.ts";
import { encodeStrictly } from "../object_key.ts";
import { adviceOn } from "../store_advice.ts";
import { operations } from "./gcs_operations.ts";

export interface DialectParts {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly token: KeptSecret<GoogleToken["token"]>;
  readonly clock: StoreClock;
  readonly userAgent: string;
}

const again = new Set([408, 429, 500, 502, 503, 504]);
/** A 404 of the store, by its JSON or by what it says to who asks for bytes; any other is of somebody else. */
const isAbsence = /"notFound"|no such object|not ?found/i;
/** Reasons of a 403 that is a 429. */
const limits = new Set(["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"]);

export class GcsDialect implements StoreDialect {
  readonly store = "gcs";
  readonly name: string;
  readonly #parts: DialectParts;

  constructor(parts: DialectParts) {
    this.#parts = parts;
    this.name = `gcs bucket ${parts.bucket} at ${parts.endpoint}`;
  }

  async sign(request: StoreRequest, lessons: ReadonlySet<Lesson>): Promise<SignedRequest> {
    const token = await loginOf(this.#parts.token, lessons.has("login"), this.name);
    const headers = new Headers(request.headers);
    headers.set("User-Agent", this.#parts.userAgent);
    headers.set("Authorization", `Bearer ${token}`);
    return { url: this.#urlOf(request), headers };
  }

  verdict({ operation }: StoreRequest, { status, headers, text }: StoreAnswer): Verdict {
    this.#parts.clock.see(headers, this.name);
    if (status < 300) return { kind: "fine" };
    const reason = reasonIn(text);
    const says = reason === null ? `${status}` : `${status} (${reason})`;
    if (again.has(status) || (reason !== null && limits.has(reason)))
      return { kind: "again", says };
    const isBucket = status === 404 && text.includes("bucket does not exist");
    if (status === 404 && !isBucket && isAbsence.test(text)) return { kind: "absent" };
    const words = [isBucket ? "no such bucket" : (reason ?? ""), `${status}`];
    const help = adviceOn(words, { store: this.store, permission: operation.permission });
    const line = help === null ? says : `${says}: ${help}`;
    return status === 401
      ? { kind: "learned", what: "login", says: line }
      : { kind: "refused", says: line };
  }

  #urlOf({ operation, key, query = {} }: StoreRequest): string {
    const { endpoint, bucket, prefix } = this.#parts;
    const name = encodeStrictly(`${prefix}${key ?? ""}`);
    const base = `/storage/v1/b/${encodeStrictly(bucket)}`;
    const isUpload = operation === operations.put;
    const paths: Readonly<Record<string, string>> = {
      [operations.put.says]: `/upload${base}/o`,
      [operations.list.says]: `${base}/o`,
      [operations.bucket.says]: base,
      [operations.compose.says]: `${base}/o/${name}/compose`,
    };
    const path = paths[operation.says] ?? `${base}/o/${name}`;
    const pairs = Object.entries(query).map(([each, value]) => `${each}=${encodeStrictly(value)}`);
    const all = [...(isUpload ? ["uploadType=media", `name=${name}`] : []), ...pairs];
    return `${endpoint}${path}${all.length === 0 ? "" : `?${all.join("&")}`}`;
  }
}

/** Why it is an error, in a word. */
function reasonIn(text: string): string | null {
  const body = jsonOf(text);
  const error = isJsonObject(body) ? body["error"] : null;
  const list = isJsonObject(error) ? error["errors"] : null;
  const first: unknown = Array.isArray(list) ? list[0] : null;
  const reason = isJsonObject(first) ? first["reason"] : null;
  return typeof reason === "string" && /^\w{1,80}$/.test(reason) ? reason : null;
}
