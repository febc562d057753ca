/**
 * The registry's own tokens: issued to callers who have logged in (or to anonymous ones), valid for a few minutes.
 *
 * A token names the user, the groups that policies mention, and its scope: the intersection of what the client asked
 * for, what the policy grants, and what the API key or token that the caller showed allows. The policy is asked again
 * whenever the token is used, so that a change of the policy applies to it at once. A token that was made from an API
 * key names that key, and ends with it.
 *
 * Only our key, algorithm, issuer and audience verify, and a token is short enough for a request header.
 */
import { jwtVerify, SignJWT, errors } from "jose";
import type { Clock } from "../lib/clock.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { PolicyCaller } from "./caller.ts";
import { isAnonymous, isUserName, losesClaims, type Identity } from "./identity.ts";
import { isLoginMethod } from "./identity.ts";
import { loginMethodOf } from "./named_user.ts";
import type { Action } from "./options.ts";
import {
  isCatalogEntry,
  repositoryActions,
  scopeOf,
  type AccessEntry,
  type ScopeAction,
} from "./scope.ts";
import { tokenAlgorithm, type TokenKeys } from "./token_key.ts";

export interface TokenServiceOptions {
  readonly keys: TokenKeys;
  /** URL of the registry: the issuer. */
  readonly issuer: string;
  /** What clients name the registry: the audience. */
  readonly service: string;
  readonly lifetimeMs: number;
  /** Groups that some policy names: no others are put into tokens. */
  readonly namedGroups: ReadonlySet<string>;
  readonly clock: Clock;
}

export interface IssuedToken {
  readonly token: string;
  readonly lifetimeS: number;
  /** RFC 3339. */
  readonly issuedAt: string;
  readonly access: readonly AccessEntry[];
}

/** A token that is not good, and why, for the log. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

/** An identity that a token proved, and when that ends. */
export interface ProvenToken {
  readonly identity: Identity;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** One of our own tokens: how its user had logged in for it. */
  readonly loginBy?: string;
}

/** The list of scopes and groups in a token: with the rest it must fit a header of 8 KiB. */
const claimsLengthMax = 4096;

/** What the policy must give for an action of a token: any of these. */
const neededFor: Readonly<Record<ScopeAction, readonly Action[]>> = {
  pull: ["read"],
  push: ["create", "update"],
  delete: ["delete"],
};

export class TokenService {
  readonly #options: TokenServiceOptions;

  constructor(options: TokenServiceOptions) {
    this.#options = options;
  }

  get service(): string {
    return this.#options.service;
  }

  /** Whether a token that names this key is ours to judge. */
  isOurs(kid: string | null): boolean {
    return kid !== null && this.#options.keys.verifying.has(kid);
  }

  /** Issues a token for what the caller may do of what it asks. */
  async issue(caller: PolicyCaller, requested: readonly AccessEntry[]): Promise<IssuedToken> {
    const { keys, issuer, service, lifetimeMs, namedGroups, clock } = this.#options;
    const access = grantedAccess(caller, requested);
    const { name, groups, keyId, provenBy, incarnation } = caller.identity;
    const login = loginMethodOf(caller.identity);
    const issuedAtS = Math.floor(clock.now() / 1000);
    const lifetimeS = Math.floor(lifetimeMs / 1000);
    const named = groups.filter((group) => namedGroups.has(group));
    const token = await new SignJWT({
      access,
      ...(named.length === 0 ? {} : { groups: fitting(named) }),
      ...(losesClaims(caller.identity) ? { claims_lost: true } : {}),
      ...(keyId === undefined ? {} : { api_key: keyId }),
      ...(name === "" ? {} : { proven_by: login ?? provenBy }),
      ...(incarnation === undefined ? {} : { incarnation }),
    })
      .setProtectedHeader({ alg: tokenAlgorithm, typ: "JWT", kid: keys.signing.kid })
      .setIssuer(issuer)
      .setSubject(name)
      .setAudience(service)
      .setIssuedAt(issuedAtS)
      // Clocks of machines that share the key may differ by this much.
      .setNotBefore(issuedAtS - 60)
      .setExpirationTime(issuedAtS + lifetimeS)
      .setJti(crypto.randomUUID())
      .sign(keys.signing.key);
    return { token, lifetimeS, issuedAt: new Date(issuedAtS * 1000).toISOString(), access };
  }

  /** Whom one of our tokens stands for. @throws TokenRefused. */
  async verify(token: string): Promise<ProvenToken> {
    const { keys, issuer, service, clock } = this.#options;
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = kid === undefined ? undefined : keys.verifying.get(kid);
          if (key === undefined) throw new TokenRefused("the key is not ours");
          return key;
        },
        {
          algorithms: [tokenAlgorithm],
          issuer,
          audience: service,
          typ: "JWT",
          requiredClaims: ["exp", "iat", "nbf"],
          currentDate: new Date(clock.now()),
        },
      );
      const identity = identityOf(payload);
      const { proven_by: provenBy } = payload;
      return {
        identity,
        expiresAt: (payload.exp ?? 0) * 1000,
        ...(typeof provenBy === "string" ? { loginBy: provenBy } : {}),
      };
    } catch (error) {
      if (error instanceof errors.JOSEError)
        throw new TokenRefused(error.message, { cause: error });
      throw error;
    }
  }
}

/** The intersection of what is asked and what the caller may, each repository once. */
export function grantedAccess(
  caller: PolicyCaller,
  requested: readonly AccessEntry[],
): AccessEntry[] {
  const granted = new Map<string, Set<string>>();
  let length = 0;
  for (const entry of requested) {
    const isCatalog = isCatalogEntry(entry);
    if (!isCatalog && (entry.type !== "repository" || !isRepositoryName(entry.name))) continue;
    const allowed = isCatalog
      ? caller.mayList()
        ? ["*"]
        : []
      : repositoryActions(entry).filter((action) => mayBeGiven(caller, action, entry.name));
    if (allowed.length === 0) continue;
    const key = `${entry.type}:${entry.name}`;
    const known = granted.get(key);
    length += known === undefined ? entry.name.length + 64 : 0;
    if (length > claimsLengthMax) break;
    granted.set(key, new Set([...(known ?? []), ...allowed]));
  }
  return [...granted].map(([key, actions]) => {
    const colon = key.indexOf(":");
    return { type: key.slice(0, colon), name: key.slice(colon + 1), actions: [...actions] };
  });
}

function mayBeGiven(caller: PolicyCaller, action: ScopeAction, repository: string): boolean {
  return neededFor[action].some((needed) => caller.mightEver(needed, repository));
}

/** As many groups as fit; who has more has nothing that is not named by a policy. */
function fitting(groups: readonly string[]): string[] {
  let length = 0;
  return groups.filter((group) => {
    length += group.length + 4;
    return length <= claimsLengthMax / 2;
  });
}

function identityOf(payload: Record<string, unknown>): Identity {
  const { sub, access, groups, api_key: keyId, incarnation, proven_by: login } = payload;
  if (typeof sub !== "string" || (sub !== "" && !isUserName(sub)) || !Array.isArray(access)) {
    throw new TokenRefused("the claims are not ours");
  }
  const identity: Identity = {
    name: sub,
    groups: Array.isArray(groups) ? groups.filter((each) => typeof each === "string") : [],
    provenBy: "token",
    scope: scopeOf(readAccess(access)),
    ...(typeof keyId === "string" ? { keyId } : {}),
    ...(typeof incarnation === "string" ? { incarnation } : {}),
    ...(typeof login === "string" && isLoginMethod(login) ? { login } : {}),
  };
  if (isAnonymous(identity)) return { ...identity, groups: [] };
  return payload["claims_lost"] === true ? { ...identity, claimsLost: true } : identity;
}

/** The entries of an `access` claim that have the right shape. */
export function readAccess(access: readonly unknown[]): AccessEntry[] {
  const entries: AccessEntry[] = [];
  for (const each of access) {
    if (typeof each !== "object" || each === null) continue;
    const [type, name, actions] = ["type", "name", "actions"].map((key): unknown =>
      Object.hasOwn(each, key) ? Reflect.get(each, key) : undefined,
    );
    if (typeof type !== "string" || typeof name !== "string" || !Array.isArray(actions)) continue;
    entries.push({ type, name, actions: actions.filter((action) => typeof action === "string") });
  }
  return entries;
}
