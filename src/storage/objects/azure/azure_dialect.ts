/** Requests as Azure Blob Storage wants them, signed by the account's key or with a token; and what its answers mean. */
import type { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
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
import { elementText } from "../http/xml_text.ts";
import { encodeStrictly, keyInPath } from "../object_key.ts";
import type { SignedUrl } from "../object_store.ts";
import { adviceOn } from "../store_advice.ts";
import { type AccountKey, sharedAccessUrl, sharedKey } from "./shared_key.ts";

export interface DialectParts {
  /** Of the account. */
  readonly endpoint: string;
  readonly redirectEndpoint: string | null;
  readonly container: string;
  readonly prefix: string;
  readonly login: AccountKey | KeptSecret<string>;
  readonly clock: StoreClock;
  readonly userAgent: string;
}

const version = "2022-11-02";
const again = new Set([408, 429, 500, 502, 503, 504]);
const unknownLogin = new Set(["AuthenticationFailed", "InvalidAuthenticationInfo"]);
const absent = new Set(["BlobNotFound", "ResourceNotFound", "BlobAlreadyExists"]);

export class AzureDialect implements StoreDialect {
  readonly store = "azure";
  readonly name: string;
  readonly #parts: DialectParts;

  constructor(parts: DialectParts) {
    this.#parts = parts;
    this.name = `azure container ${parts.container} at ${parts.endpoint}`;
  }

  async sign(request: StoreRequest, lessons: ReadonlySet<Lesson>): Promise<SignedRequest> {
    const { clock, userAgent, login } = this.#parts;
    const url = this.#urlOf(request);
    const headers = new Headers(request.headers);
    headers.set("User-Agent", userAgent);
    headers.set("x-ms-version", version);
    headers.set("x-ms-date", new Date(clock.now()).toUTCString());
    // The runtime names a type of its own for slices of files, and what is sent is signed.
    if (request.body !== undefined) headers.set("Content-Type", "application/octet-stream");
    const { method } = request.operation;
    const authorization =
      "get" in login
        ? `Bearer ${await loginOf(login, lessons.has("login"), this.name)}`
        : sharedKey(method, new URL(url), headers, login);
    headers.set("Authorization", authorization);
    return { url, headers };
  }

  /** A URL for GET that needs no login; null where there is no key to sign it with. */
  signUrl(key: string, how: SignedUrl): string | null {
    const { login, endpoint, redirectEndpoint, container, prefix, clock } = this.#parts;
    if ("get" in login) return null;
    const blob = `${prefix}${key}`;
    const url = `${redirectEndpoint ?? endpoint}/${container}/${keyInPath(blob)}`;
    return sharedAccessUrl({ ...how, url, container, blob, nowMs: clock.now() }, login);
  }

  verdict({ operation }: StoreRequest, { status, headers, text }: StoreAnswer): Verdict {
    const { clock, login } = this.#parts;
    clock.see(headers, this.name);
    if (status < 300) return { kind: "fine" };
    const code = headers.get("x-ms-error-code") ?? elementText(text, "Code") ?? "";
    const says = /^\w{1,80}$/.test(code) ? `${status} (${code})` : `${status}`;
    if (again.has(status)) return { kind: "again", says };
    if (absent.has(code)) return { kind: "absent" };
    const { permission } = operation;
    const isToken = "get" in login;
    const words = [isToken && unknownLogin.has(code) ? "401" : code, `${status}`];
    const help = adviceOn(words, { store: this.store, permission });
    const line = help === null ? says : `${says}: ${help}`;
    if (status === 401 || unknownLogin.has(code)) {
      return { kind: "learned", what: isToken ? "login" : "time", says: line };
    }
    return { kind: "refused", says: line };
  }

  #urlOf({ key, query = {} }: StoreRequest): string {
    const { endpoint, container, prefix } = this.#parts;
    const path = key === null ? container : `${container}/${keyInPath(`${prefix}${key}`)}`;
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeStrictly(value)}`);
    return `${endpoint}/${path}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`;
  }
}
