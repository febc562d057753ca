/**
 * Verifies tokens of outside issuers.
 *
 * A *token service* of the distribution specification (`http.auth.bearer` with a key) says itself what its tokens
 * allow: their `access` claim decides, and no policy is asked, as in zot. An *OpenID issuer* (`bearer.oidc`) says who
 * the caller is: claims become a user with groups (`claim_mapping.ts`), and the policy decides.
 *
 * Signature, algorithm, issuer, audience, expiry and "not before" are checked, with a minute of tolerance for clocks
 * that differ. A token without an expiry is rejected, and expired entries of `access` grant nothing.
 */
import { decodeJwt, errors, jwtVerify, type JWTPayload } from "jose";
import { valueOf } from "../lib/expression/expression.ts";
import type { Clock } from "../lib/clock.ts";
import { isJsonObject } from "../lib/strict_json.ts";
import { WatchedFile } from "../lib/watched_file.ts";
import { compileMapping, mapClaims } from "./claim_mapping.ts";
import { isUserName } from "./identity.ts";
import type { BearerOptions, OidcIssuer } from "./options.ts";
import {
  allAlgorithms,
  discoveredKeys,
  limitedFetch,
  parseKeyFile,
  remoteKeys,
  type KeySource,
} from "./outside_keys.ts";
import { subjectIncarnation } from "./owners.ts";
import { scopeOf } from "./scope.ts";
import { readAccess, TokenRefused, type ProvenToken } from "./token_service.ts";

export { IssuerUnavailable } from "./outside_keys.ts";

export interface BearerSetup {
  readonly options: BearerOptions;
  readonly clock: Clock;
  /** A file changed and was read (null), or could not be. */
  readonly onChange: (problem: string | null) => void;
}

/** Clocks of issuers may differ from ours by this much. */
const leewayS = 60;

type Verify = (token: string) => Promise<ProvenToken>;

/** What proves tokens: null where nothing of the kind is configured. @throws with one line for the operator. */
export function openBearer(setup: BearerSetup): {
  readonly access: Verify | null;
  readonly workload: Verify | null;
} {
  const { options } = setup;
  const hasKey = options.cert !== null || options.jwksUrl !== null;
  return {
    access: hasKey ? accessTokens(setup) : null,
    workload: options.oidc.length > 0 ? workloadTokens(setup) : null,
  };
}

/** Tokens whose `access` claim decides. */
function accessTokens({ options, clock, onChange }: BearerSetup): Verify {
  const { cert, jwksUrl } = options;
  const file =
    cert === null
      ? null
      : new WatchedFile({
          path: cert,
          clock,
          onChange,
          parse: (bytes) => parseKeyFile(bytes, cert),
        });
  const remote: KeySource = {
    getKeys: [
      remoteKeys(
        jwksUrl ?? "http://localhost/",
        limitedFetch(() => null),
        clock,
      ),
    ],
    algorithms: allAlgorithms,
  };
  return async (token) => {
    const { getKeys, algorithms } = file?.content ?? remote;
    const payload = await verified(token, getKeys, {
      algorithms: allowed(algorithms, options.algorithms),
      audience: options.service ?? "",
      ...(options.issuer === null ? {} : { issuer: options.issuer }),
      currentDate: new Date(clock.now()),
    });
    return accessIdentity(payload, clock.now());
  };
}

function accessIdentity(payload: JWTPayload, now: number): ProvenToken {
  const list = Array.isArray(payload["access"]) ? payload["access"] : [];
  const live = list.filter((entry) => expiryOf(entry) > now);
  const ends = live.map(expiryOf);
  const sub: unknown = payload.sub;
  const name = typeof sub === "string" && isUserName(sub) ? sub : "";
  return {
    identity: {
      name,
      groups: [],
      provenBy: "outside token",
      scope: scopeOf(readAccess(live)),
      scopeDecides: true,
    },
    expiresAt: Math.min((payload.exp ?? 0) * 1000, ...ends),
  };
}

/** When an entry of `access` ends by itself, in milliseconds: zot's own `exp` in an entry. */
function expiryOf(entry: unknown): number {
  if (!isJsonObject(entry) || entry["exp"] === undefined) return Number.POSITIVE_INFINITY;
  return typeof entry["exp"] === "number" ? entry["exp"] * 1000 : 0;
}

/** Tokens that say who the caller is. */
function workloadTokens({ options, clock, onChange }: BearerSetup): Verify {
  const issuers = options.oidc.map((issuer) => {
    const keys = discoveredKeys(issuer.issuer, {
      fetchJson: limitedFetch(authoritiesOf(issuer, clock, onChange)),
      checkIssuer: !issuer.skipIssuerVerification,
      clock,
    });
    return { issuer, keys, mapping: compileMapping(issuer.claimMapping) };
  });
  return async (token) => {
    const named = issuerOf(token);
    const found =
      issuers.find(({ issuer }) => issuer.issuer === named) ??
      issuers.find(({ issuer }) => issuer.skipIssuerVerification);
    if (found === undefined) throw new TokenRefused("the issuer is not one of ours");
    const { issuer, keys, mapping } = found;
    const payload = await verified(token, [keys], {
      algorithms: allowed(allAlgorithms, options.algorithms),
      audience: [...issuer.audiences],
      ...(issuer.skipIssuerVerification ? {} : { issuer: issuer.issuer }),
      currentDate: new Date(clock.now()),
    });
    const mapped = mapClaims(mapping, payload);
    if ("problem" in mapped) throw new TokenRefused(mapped.problem);
    const { name, groups } = mapped.user;
    return {
      identity: {
        name,
        groups,
        provenBy: "workload",
        scope: null,
        claims: valueOf(payload),
        incarnation: subjectIncarnation(payload.iss, payload.sub),
      },
      expiresAt: (payload.exp ?? 0) * 1000,
    };
  };
}

function authoritiesOf(
  { certificateAuthority, certificateAuthorityFile }: OidcIssuer,
  clock: Clock,
  onChange: (problem: string | null) => void,
): () => string | null {
  if (certificateAuthority !== "") return () => certificateAuthority;
  if (certificateAuthorityFile === "") return () => null;
  const file = new WatchedFile({
    path: certificateAuthorityFile,
    clock,
    onChange,
    parse: (bytes) => new TextDecoder().decode(bytes),
  });
  return () => file.content;
}

/** The issuer that a token claims, not verified: it only chooses the key. */
function issuerOf(token: string): string | null {
  try {
    return decodeJwt(token).iss ?? null;
  } catch {
    throw new TokenRefused("the token is no JSON Web Token");
  }
}

function allowed(byKey: readonly string[], configured: readonly string[]): string[] {
  return byKey.filter((each) => configured.length === 0 || configured.includes(each));
}

interface VerifyOptions {
  readonly algorithms: string[];
  readonly audience: string | string[];
  readonly issuer?: string;
  readonly currentDate: Date;
}

async function verified(
  token: string,
  getKeys: KeySource["getKeys"],
  options: VerifyOptions,
): Promise<JWTPayload> {
  try {
    const payload = await verifiedByAny(token, getKeys, options);
    const nowS = options.currentDate.getTime() / 1000;
    if (payload.iat !== undefined && payload.iat > nowS + leewayS) {
      throw new TokenRefused("the token is from the future");
    }
    return payload;
  } catch (error) {
    // A key that does not fit the algorithm is a TypeError of the runtime.
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      throw new TokenRefused(error.message, { cause: error });
    }
    throw error;
  }
}

/** By the first key that made the signature. */
async function verifiedByAny(
  token: string,
  getKeys: KeySource["getKeys"],
  options: VerifyOptions,
): Promise<JWTPayload> {
  let failure: unknown = new errors.JWKSNoMatchingKey();
  for (const getKey of getKeys) {
    try {
      const { payload } = await jwtVerify(token, getKey, {
        ...options,
        clockTolerance: leewayS,
        requiredClaims: ["exp", "aud"],
      });
      return payload;
    } catch (error) {
      if (!isOfOtherKey(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function isOfOtherKey(error: unknown): boolean {
  return (
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey
  );
}
