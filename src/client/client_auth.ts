// Logs a client in: answers a registry's challenge with Basic, or with a Bearer token it fetches.
//
// What worked is remembered per repository and action, so that one challenge serves many requests.
// Secrets go to the registry's own origin and to the token service that its challenge names, never
// anywhere else; a token service without TLS is refused when the registry has TLS. Sending is left
// to exchange.ts, which asks `unasked` before a request and `answer` after a 401.
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../lib/clock.ts";
import { type Challenge, challengeScopes, parseChallenges } from "./challenge.ts";
import { ClientError } from "./client_error.ts";
import type { HeaderLine } from "./http_message.ts";
import {
  type Address,
  formatHost,
  type Origin,
  resolveAddress,
  withQuery,
} from "./registry_url.ts";

export type Credentials =
  | { kind: "anonymous" }
  | { kind: "password"; user: string; password: string }
  /** A token that the user already has; sent as it is. */
  | { kind: "token"; token: string }
  /** What a token service gives tokens for (OAuth 2.0 refresh token, Docker's identity token). */
  | { kind: "refreshToken"; token: string };

/** Credentials that change: files, helpers, cloud tokens. Keeps what it has until it is asked to look `anew`. */
export type CredentialSource = (anew: boolean) => Promise<Credentials>;

/** A request to a token service, and what is needed of its answer. */
export interface TokenRequest {
  method: "GET" | "POST";
  address: Address;
  headers: HeaderLine[];
  form: string | null;
}
export interface TokenAnswer {
  status: number;
  body: Uint8Array;
  retryAfter: string | null;
}
export type SendTokenRequest = (request: TokenRequest) => Promise<TokenAnswer>;

interface HeldToken {
  value: string;
  untilMs: number;
}

const assumedLifeMs = 60_000; // The token specification's default when expires_in is missing.
const renewBeforeMs = 5000;
const heldTokensMax = 1000;
const clientId = "zot";
const repositoryPath =
  /^\/v2\/(.+?)\/(blobs|manifests|tags|referrers|_[a-z][^/]*)\/[^?]*?(?:\?(.*))?$/;

/** The login state of one registry. */
export class ClientAuth {
  readonly #origin: Origin;
  readonly #source: CredentialSource | null;
  #credentials: Credentials;
  readonly #send: SendTokenRequest;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, HeldToken>();
  readonly #fetching = new Map<string, Promise<HeldToken | null>>();
  #basicAsked = false;

  constructor(
    origin: Origin,
    credentials: Credentials | CredentialSource,
    send: SendTokenRequest,
    clock: Clock,
  ) {
    this.#origin = origin;
    this.#source = typeof credentials === "function" ? credentials : null;
    this.#credentials = typeof credentials === "function" ? { kind: "anonymous" } : credentials;
    this.#send = send;
    this.#clock = clock;
  }

  get hasLogin(): boolean {
    return this.#credentials.kind !== "anonymous";
  }

  /** Whether the credentials can change, so that `renew` has to be called before a request. */
  get canChange(): boolean {
    return this.#source !== null;
  }

  /** Takes the credentials as they are now; true when they are others than before. Tokens of the old ones are dropped. */
  async renew(anew = false): Promise<boolean> {
    if (this.#source === null) return false;
    const found = await this.#source(anew);
    if (isDeepStrictEqual(found, this.#credentials)) return false;
    this.#credentials = found;
    this.#tokens.clear();
    this.#basicAsked = false;
    return true;
  }

  /** The Authorization value to send before anyone asked, from what worked earlier; null for none. */
  unasked(method: string, target: string): string | null {
    if (this.#credentials.kind === "token") return `Bearer ${this.#credentials.token}`;
    if (this.#basicAsked) return this.#basic();
    const held = this.#tokens.get(scopeKey(method, target));
    return held !== undefined && this.#lasts(held) ? `Bearer ${held.value}` : null;
  }

  #lasts(held: HeldToken): boolean {
    return held.untilMs - renewBeforeMs > this.#clock.monotonicMs();
  }

  /**
   * The Authorization value that answers the `WWW-Authenticate` lines of a 401, or null when there is
   * no answer (no login, unknown scheme, `sent` was it already). Throws loginRefused when the token
   * service refuses us.
   */
  async answer(
    lines: readonly string[],
    method: string,
    target: string,
    sent: string | null,
  ): Promise<string | null> {
    let answer: string | null;
    try {
      answer = await this.#answerWith(lines, method, target, sent);
    } catch (error) {
      const refused = error instanceof ClientError && error.kind === "loginRefused";
      if (!refused || !(await this.renew(true))) throw error;
      return this.#answerWith(lines, method, target, sent);
    }
    // What we have was sent and refused: there may be something newer.
    if (answer !== null || sent === null || !(await this.renew(true))) return answer;
    return this.#answerWith(lines, method, target, sent);
  }

  async #answerWith(
    lines: readonly string[],
    method: string,
    target: string,
    sent: string | null,
  ): Promise<string | null> {
    if (this.#credentials.kind === "token") {
      const value = `Bearer ${this.#credentials.token}`;
      return value === sent ? null : this.canChange ? value : null;
    }
    const challenges = parseChallenges(lines);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer !== undefined) return this.#bearer(bearer, scopeKey(method, target), sent);
    const basic = challenges.some((challenge) => challenge.scheme === "basic");
    const login = this.#basic();
    if (!basic || sent === login) return null;
    this.#basicAsked = this.hasLogin;
    return login;
  }

  #basic(): string | null {
    if (this.#credentials.kind !== "password") return null;
    return basicAuthorization(this.#credentials.user, this.#credentials.password);
  }

  /** Fetches a token; requests that need the same one at the same time share one fetch. */
  async #bearer(challenge: Challenge, key: string, sent: string | null): Promise<string | null> {
    const known = this.#tokens.get(key);
    // Another request has fetched a new one meanwhile.
    if (known !== undefined && this.#lasts(known) && `Bearer ${known.value}` !== sent) {
      return `Bearer ${known.value}`;
    }
    const running = this.#fetching.get(key);
    const fetching = running ?? this.#fetch(challenge);
    this.#fetching.set(key, fetching);
    try {
      const held = await fetching;
      if (held === null) return null;
      if (this.#tokens.size >= heldTokensMax) this.#tokens.clear();
      this.#tokens.set(key, held);
      return `Bearer ${held.value}`;
    } finally {
      this.#fetching.delete(key);
    }
  }

  async #fetch(challenge: Challenge): Promise<HeldToken | null> {
    const realm = this.#realm(challenge);
    if (realm === null) return null;
    const service = challenge.parameters.get("service") ?? "";
    const scopes = challengeScopes(challenge);
    // A refresh token goes into a form, never into a URL.
    const byForm = this.#credentials.kind === "refreshToken";
    let answer = await this.#send(
      byForm ? this.#postRequest(realm, service, scopes) : this.#getRequest(realm, service, scopes),
    );
    if (!byForm && (answer.status === 404 || answer.status === 405) && this.hasLogin) {
      answer = await this.#send(this.#postRequest(realm, service, scopes));
    }
    if (answer.status === 200) return this.#held(answer.body, realm);
    const { status, retryAfter } = answer;
    const detail = `token service answered ${status}`;
    if (status === 429 || status >= 500) {
      throw new ClientError("tokenService", formatHost(realm.origin), {
        detail,
        status,
        retryAfter,
      });
    }
    if (!this.hasLogin) return null;
    throw new ClientError("loginRefused", formatHost(realm.origin), { detail, status });
  }

  #realm(challenge: Challenge): Address | null {
    const base: Address = { origin: this.#origin, target: "/v2/" };
    const realm = resolveAddress(challenge.parameters.get("realm") ?? "", base);
    if (realm !== null && this.#origin.tls && !realm.origin.tls && this.hasLogin) {
      throw new ClientError("loginRefused", formatHost(realm.origin), {
        detail: "token service without TLS; the password was not sent",
      });
    }
    return realm;
  }

  #getRequest(realm: Address, service: string, scopes: readonly string[]): TokenRequest {
    const parameters: [string, string][] = [];
    if (service !== "") parameters.push(["service", service]);
    for (const scope of scopes) parameters.push(["scope", scope]);
    if (this.#credentials.kind === "password") parameters.push(["account", this.#credentials.user]);
    const basic = this.#basic();
    return {
      method: "GET",
      address: { origin: realm.origin, target: withQuery(realm.target, parameters) },
      headers: basic === null ? [] : [["Authorization", basic]],
      form: null,
    };
  }

  #postRequest(realm: Address, service: string, scopes: readonly string[]): TokenRequest {
    const form = new URLSearchParams({ grant_type: "password", client_id: clientId, service });
    if (this.#credentials.kind === "refreshToken") {
      form.set("grant_type", "refresh_token");
      form.set("refresh_token", this.#credentials.token);
    }
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    if (this.#credentials.kind === "password") {
      form.set("username", this.#credentials.user);
      form.set("password", this.#credentials.password);
    }
    return {
      method: "POST",
      address: realm,
      headers: [["Content-Type", "application/x-www-form-urlencoded"]],
      form: form.toString(),
    };
  }

  #held(body: Uint8Array, realm: Address): HeldToken {
    const answer = parseTokenAnswer(body);
    if (answer === null) {
      throw new ClientError("loginRefused", formatHost(realm.origin), {
        detail: "token service answered 200 without a token",
      });
    }
    return { value: answer.token, untilMs: this.#clock.monotonicMs() + answer.lifeMs };
  }
}

/** The value of a Basic login (RFC 7617), UTF-8. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}

function parseTokenAnswer(body: Uint8Array): { token: string; lifeMs: number } | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const fields = new Map<string, unknown>(Object.entries(parsed));
  const token = fields.get("access_token") ?? fields.get("token");
  if (typeof token !== "string" || token === "" || /[\r\n]/.test(token)) return null;
  const seconds = fields.get("expires_in");
  return { token, lifeMs: typeof seconds === "number" ? seconds * 1000 : assumedLifeMs };
}

/** Requests with the same key need the same token: repository, mount source, kind of action. */
function scopeKey(method: string, target: string): string {
  const match = repositoryPath.exec(target.slice(Math.max(0, target.indexOf("/v2/"))));
  if (match === null) return method === "GET" || method === "HEAD" ? "read" : "write";
  const from = new URLSearchParams(match[3] ?? "").get("from") ?? "";
  const upload = target.includes("/blobs/uploads/");
  const action =
    method === "DELETE" && !upload
      ? "delete"
      : method === "GET" || method === "HEAD"
        ? "pull"
        : "push";
  return `${action} ${match[1] ?? ""} ${from}`;
}
