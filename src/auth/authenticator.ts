/**
 * Authenticates a request: from an Authorization header, a session cookie or a client certificate to a caller, by every
 * method that is configured.
 *
 * A password is tried as an API key, as an ID token of a workload, against the htpasswd file, then against the LDAP
 * directory; a bearer token is tried against our own key, then against the outside issuers' keys. A verified header is
 * remembered for a minute, so that the next request with it costs one hash and no promise; equal logins that arrive
 * together are verified once.
 *
 * A failed login does not say which part was wrong, takes as long for an unknown name as for a wrong password, and is
 * counted and slowed down (`throttle.ts`). A directory or an issuer that does not answer fails only the logins that
 * need it.
 */
import { decodeProtectedHeader } from "jose";
import type { Clock } from "../lib/clock.ts";
import { GateFull } from "../lib/gate.ts";
import type { ApiKeyRecord } from "../metadata/api_keys.ts";
import { keyPrefix, type ApiKeys } from "./api_keys.ts";
import { passwordCredentials, readCredentials, type Credentials } from "./basic.ts";
import { IssuerUnavailable } from "./bearer.ts";
import { PolicyCaller } from "./caller.ts";
import { certificateIdentity, type CertificateNames } from "./client_certificate.ts";
import type { CompiledPolicy } from "./compile_policy.ts";
import { CredentialCache } from "./credential_cache.ts";
import { anonymous, isUserName, type Identity } from "./identity.ts";
import type { Ldap } from "./ldap.ts";
import { LdapUnavailable } from "./ldap_connection.ts";
import { LoginFailed } from "./login_failed.ts";
import { Owners, type Owner, type PresentOwner } from "./owners.ts";
import { emptyScope, keyScope } from "./scope.ts";
import type { Methods, Proof } from "./methods.ts";
import type { Presented, Origin } from "./presented.ts";
import { networkOf, type Throttle } from "./throttle.ts";
import { TokenRefused, type ProvenToken } from "./token_service.ts";

export interface AuthenticatorOptions {
  readonly methods: Methods;
  /** Null when no access control is configured. */
  readonly policy: CompiledPolicy | null;
  readonly throttle: Throttle;
  readonly clock: Clock;
  readonly failDelayMs: number;
  /** A login that failed, for the log. Never holds a secret. */
  readonly onFailure: (failure: FailedLogin) => void;
}

export interface FailedLogin {
  readonly name: string | null;
  readonly network: string;
  readonly reason: string;
}

/** Answers that are held back at a time; beyond it they are not. */
const delayedMax = 1_000;
/** A cookie's place among remembered credentials: no header holds a NUL. */
const cookieText = (cookie: string): string => `\0cookie\0${cookie}`;

/** What clients without credentials send for Basic. */
const emptyBasic = "Basic Og==";

export class Authenticator {
  readonly anonymous: PolicyCaller;
  readonly #options: AuthenticatorOptions;
  readonly #cache: CredentialCache;
  readonly #running = new Map<string, Promise<PolicyCaller>>();
  readonly #holders = new WeakMap<CertificateNames, PolicyCaller>();
  readonly #owners: Owners;
  /** Without any method of login, credentials that clients send are ignored. */
  readonly #canLogIn: boolean;
  #delayed = 0;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#cache = new CredentialCache(options.clock);
    this.#owners = new Owners(options.methods);
    const { htpasswd, ldap, apiKeys, tokens, access, workload } = options.methods;
    this.#canLogIn = [htpasswd, ldap, apiKeys, tokens, access, workload].some(
      (method) => method !== null,
    );
    this.anonymous = this.#callerOf(anonymous);
  }

  /**
   * The caller: at once when what is presented is known. Credentials in a header come before a session, and both
   * before a certificate. @throws LoginFailed.
   */
  authenticate(presented: Presented): PolicyCaller | Promise<PolicyCaller> {
    const header = this.#headerOf(presented);
    if (header !== null) {
      return this.#recall(header, () => readCredentials(header), presented);
    }
    const cookie = this.#cookieOf(presented);
    if (cookie === null) return this.#withoutHeader(presented);
    return this.#recall(cookieText(cookie), () => ({ kind: "session", cookie }), presented);
  }

  /** The header, unless it is empty or no method uses it. */
  #headerOf({ authorization }: Presented): string | null {
    return authorization === emptyBasic || !this.#canLogIn ? null : authorization;
  }

  #cookieOf({ cookie, origin }: Presented): string | null {
    return this.#options.methods.sessions !== null && origin.ownPage ? cookie : null;
  }

  /** Whose credentials these were when they were verified lately; null when they were not. Verifies nothing. */
  knownName(presented: Presented): string | null {
    const header = this.#headerOf(presented);
    if (header !== null) return this.#rememberedName(header);
    const cookie = this.#cookieOf(presented);
    const name = cookie === null ? null : this.#rememberedName(cookieText(cookie));
    const { certificate } = presented;
    if (name !== null || certificate === null) return name;
    return this.#holders.get(certificate)?.name ?? null;
  }

  #rememberedName(text: string): string | null {
    const { clock } = this.#options;
    const known = this.#cache.peek(this.#cache.keyOf(text), clock.monotonicMs(), clock.now());
    return known?.name ?? null;
  }

  /** A name and password that came otherwise than in a header. @throws LoginFailed. */
  async login(name: string, password: string, presented: Presented): Promise<PolicyCaller> {
    // No header holds a NUL, so that none is taken for this.
    const text = `\0${name}\0${password}`;
    return await this.#recall(text, () => passwordCredentials(name, password), presented);
  }

  /** The caller whom these credentials proved lately, else whom they prove now. `text` tells them from all others. */
  #recall(
    text: string,
    read: () => Credentials,
    presented: Presented,
  ): PolicyCaller | Promise<PolicyCaller> {
    const { clock } = this.#options;
    const key = this.#cache.keyOf(text);
    const hit = this.#cache.find(key, clock.monotonicMs(), clock.now());
    if (hit === null) return this.#loginOnce(key, read(), presented);
    if (hit.kind === "hit") return hit.caller;
    return hit.answer.then((caller) => caller ?? this.#loginOnce(key, read(), presented));
  }

  #callerOf(identity: Identity): PolicyCaller {
    return new PolicyCaller(identity, this.#options.policy);
  }

  #withoutHeader({ certificate }: Presented): PolicyCaller {
    if (certificate === null) return this.anonymous;
    const known = this.#holders.get(certificate);
    if (known !== undefined) return known;
    const identity = certificateIdentity(certificate, this.#options.methods.certificates);
    if (identity === null) throw new LoginFailed("invalid", "the certificate names no user");
    const caller = this.#callerOf(identity);
    this.#holders.set(certificate, caller);
    return caller;
  }

  #loginOnce(
    key: string,
    credentials: Credentials,
    presented: Presented,
  ): PolicyCaller | Promise<PolicyCaller> {
    if (credentials.kind === "none") return this.#withoutHeader(presented);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const login = (
      credentials.kind === "session"
        ? this.#resume(key, credentials.cookie, presented)
        : this.#login(key, credentials, presented.origin)
    ).finally(() => this.#running.delete(key));
    this.#running.set(key, login);
    return login;
  }

  /** A cookie that names no living session is no failed login: the page was open for long. */
  async #resume(key: string, cookie: string, presented: Presented): Promise<PolicyCaller> {
    const proof = (await this.#options.methods.sessions?.find(cookie)) ?? null;
    if (proof === null) return this.#withoutHeader(presented);
    const caller = this.#callerOf(proof.identity);
    this.#cache.set(key, { ...proof, caller }, this.#options.clock.monotonicMs());
    return caller;
  }

  async #login(key: string, credentials: Credentials, origin: Origin): Promise<PolicyCaller> {
    const network = networkOf(origin.address);
    const name = credentials.kind === "password" ? credentials.name : null;
    try {
      const { identity, ...proof } = await this.#prove(credentials, network);
      await this.#endOthers(identity);
      const caller = this.#callerOf(identity);
      this.#cache.set(key, { ...proof, caller }, this.#options.clock.monotonicMs());
      return caller;
    } catch (error) {
      const failed = asLoginFailed(error);
      this.#options.onFailure({ name, network, reason: failed.message });
      if (failed.kind === "invalid" || failed.kind === "invalid-token") await this.#delay();
      throw failed;
    }
  }

  async #prove(credentials: Credentials, network: string): Promise<Proof> {
    switch (credentials.kind) {
      case "password":
        return await this.#provePassword(credentials.name, credentials.password, network);
      case "bearer":
        return await this.#proveToken(credentials.token);
      case "malformed":
        throw new LoginFailed("invalid", credentials.reason);
      default:
        throw new LoginFailed("invalid", "no credentials");
    }
  }

  async #provePassword(name: string, password: string, network: string): Promise<Proof> {
    const { throttle, clock } = this.#options;
    const attempt = { network, account: name };
    const advice = await throttle.begin(attempt, () => clock.monotonicMs());
    if (advice.kind === "wait") throw new LoginFailed("throttled", "too many", advice.retryAfterS);
    try {
      if (advice.delayMs > 0) await clock.sleep(advice.delayMs);
      const proof = isUserName(name) ? await this.#tryPassword(name, password) : null;
      throttle.record({ ...attempt, failed: proof === null }, clock.monotonicMs());
      if (proof === null) throw new LoginFailed("invalid", "wrong name or password");
      return proof;
    } finally {
      throttle.end(attempt);
    }
  }

  /** The methods in their order. A password that looks like a key or a token is shown to no other method. */
  async #tryPassword(name: string, password: string): Promise<Proof | null> {
    const { htpasswd, ldap, apiKeys, workload } = this.#options.methods;
    if (apiKeys !== null && password.startsWith(keyPrefix)) {
      return await this.#tryApiKey(apiKeys, name, password);
    }
    if (workload !== null && /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(password)) {
      return await workload(password).then(tokenProof, nullIfRefused);
    }
    if (htpasswd !== null) {
      const { version } = htpasswd;
      if ((await htpasswd.verify(name, password)) && htpasswd.version === version) {
        const identity = await this.#fileIdentity(name);
        const isCurrent = this.#sameFile("htpasswd", version);
        return { identity, isCurrent, isKept: null, recheck: null, expiresAt: null };
      }
    }
    return ldap === null ? null : await this.#tryDirectory(ldap, name, password);
  }

  /** Whether the file that has the user is unchanged: in a newer one the name may be another user's. */
  #sameFile(
    provenBy: string,
    version = this.#options.methods.htpasswd?.version,
  ): (() => boolean) | null {
    const { htpasswd } = this.#options.methods;
    return provenBy === "htpasswd" ? () => htpasswd?.version === version : null;
  }

  async #fileIdentity(name: string): Promise<Identity> {
    const incarnation = (await this.#options.methods.fileUsers?.incarnationOf(name)) ?? null;
    const identity: Identity = { name, groups: [], provenBy: "htpasswd", scope: null };
    return incarnation === null ? identity : { ...identity, incarnation };
  }

  async #tryDirectory(ldap: Ldap, name: string, password: string): Promise<Proof | null> {
    const user = await ldap.verify(name, password);
    if (user === null) return null;
    const identity: Identity = {
      name: user.name,
      groups: user.groups,
      provenBy: "ldap",
      scope: null,
      incarnation: user.id,
    };
    // While the directory is silent what it said a moment ago holds.
    const recheck = (): Promise<boolean> =>
      ldap.find(user.name).then(
        (now) => now?.stamp === user.stamp,
        (error: unknown) => error instanceof LdapUnavailable,
      );
    return { identity, isCurrent: null, isKept: null, recheck, expiresAt: null };
  }

  async #tryApiKey(apiKeys: ApiKeys, name: string, password: string): Promise<Proof | null> {
    const { version } = this.#options.methods.htpasswd ?? {};
    const record = await apiKeys.find(name, password);
    const owner = record === null ? null : await this.#owners.find(ownerOfKey(record));
    if (record === null || owner === null) return null;
    void apiKeys.touch(record);
    const recheck = async (): Promise<boolean> => {
      const now = await apiKeys.find(name, password);
      const found =
        now === null ? null : await this.#owners.find(ownerOfKey(now)).catch(keepIfSilent);
      return found === "silent" || isSameOwner(found, owner);
    };
    return {
      identity: apiKeys.identityOf(record, owner),
      isCurrent: this.#sameFile(record.provenBy, version),
      isKept: async () => (await apiKeys.find(name, password)) !== null,
      recheck,
      expiresAt: record.expiresAt,
    };
  }

  /** A login ends the keys of an earlier user of the name: issuers and directories report no change before. */
  async #endOthers(identity: Identity): Promise<void> {
    const { apiKeys } = this.#options.methods;
    if (apiKeys === null || !["ldap", "workload"].includes(identity.provenBy)) return;
    await apiKeys.endOfOthers(identity);
  }

  /** One of our own tokens ends with its user, and with the API key that it was made from. */
  async #proveToken(token: string): Promise<Proof> {
    const proven = await this.#verifyToken(token);
    const { loginBy } = proven;
    const { version } = this.#options.methods.htpasswd ?? {};
    if (loginBy === undefined) return tokenProof(proven);
    if (proven.identity.keyId !== undefined) return await this.#proveKeyToken(proven);
    const { name, incarnation = null } = proven.identity;
    const owner: Owner = { name, provenBy: loginBy, incarnation };
    // The token is short-lived, and signed by us: while the directory is silent it holds.
    const isStill = async (): Promise<boolean> =>
      (await this.#owners.find(owner).catch(keepIfSilent)) !== null;
    if (!(await isStill())) throw new TokenRefused("its user is gone");
    // A directory is asked once for each token, not every second.
    const recheck = loginBy === "htpasswd" ? isStill : null;
    return { ...tokenProof(proven), isCurrent: this.#sameFile(loginBy, version), recheck };
  }

  /** A token that was made from an API key lists no more than the key. */
  async #proveKeyToken(proven: ProvenToken): Promise<Proof> {
    const { keyId = "", scope } = proven.identity;
    const { version } = this.#options.methods.htpasswd ?? {};
    const findKey = async (): Promise<ApiKeyRecord | null> => {
      const record = (await this.#options.methods.apiKeys?.byId(keyId)) ?? null;
      if (record === null || record.owner !== proven.identity.name) return null;
      const owner = await this.#owners.find(ownerOfKey(record)).catch(keepIfSilent);
      return owner === null ? null : record;
    };
    const record = await findKey();
    if (record === null || scope === null) {
      throw new TokenRefused("the API key that it was made from is gone");
    }
    const key = keyScope(record.scopes);
    const lists = "problem" in key ? emptyScope.lists : (key.scope?.lists ?? scope.lists);
    const identity = { ...proven.identity, scope: { ...scope, lists } };
    const isCurrent = this.#sameFile(record.provenBy, version);
    const recheck = async (): Promise<boolean> => (await findKey()) !== null;
    const isKept = async (): Promise<boolean> =>
      ((await this.#options.methods.apiKeys?.byId(keyId)) ?? null) !== null;
    return { ...tokenProof(proven), identity, isCurrent, isKept, recheck };
  }

  async #verifyToken(token: string): Promise<ProvenToken> {
    const { tokens, access, workload } = this.#options.methods;
    if (tokens?.isOurs(keyIdOf(token)) === true) return await tokens.verify(token);
    if (workload !== null && access !== null) {
      // Each issuer is known by its name, so that only one of the two can accept a token.
      return await workload(token).catch(async (error: unknown) => {
        if (error instanceof TokenRefused) return await access(token);
        throw error;
      });
    }
    const verify = workload ?? access;
    if (verify === null) throw new TokenRefused("nobody here issues such tokens");
    return await verify(token);
  }

  async #delay(): Promise<void> {
    const { failDelayMs, clock } = this.#options;
    if (failDelayMs === 0 || this.#delayed >= delayedMax) return;
    this.#delayed += 1;
    await clock.sleep(failDelayMs);
    this.#delayed -= 1;
  }
}

function tokenProof({ identity, expiresAt }: ProvenToken): Proof {
  return { identity, isCurrent: null, isKept: null, recheck: null, expiresAt };
}

function nullIfRefused(error: unknown): null {
  if (error instanceof TokenRefused) return null;
  throw error;
}

function keepIfSilent(error: unknown): "silent" {
  if (error instanceof LdapUnavailable) return "silent";
  throw error;
}

function ownerOfKey({ owner: name, provenBy, incarnation }: ApiKeyRecord): Owner {
  return { name, provenBy, incarnation };
}

function isSameOwner(now: PresentOwner | null, then: PresentOwner): boolean {
  return (
    now !== null &&
    now.incarnation === then.incarnation &&
    now.groups.length === then.groups.length &&
    now.groups.every((each, at) => each === then.groups[at])
  );
}

function keyIdOf(token: string): string | null {
  try {
    return decodeProtectedHeader(token).kid ?? null;
  } catch {
    throw new TokenRefused("the token is no JSON Web Token");
  }
}

function asLoginFailed(error: unknown): LoginFailed {
  if (error instanceof LoginFailed) return error;
  if (error instanceof TokenRefused) {
    return new LoginFailed("invalid-token", error.message, null, error);
  }
  if (
    error instanceof GateFull ||
    error instanceof LdapUnavailable ||
    error instanceof IssuerUnavailable
  ) {
    return new LoginFailed("unavailable", error.message, 2, error);
  }
  throw error;
}
