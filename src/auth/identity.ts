/**
 * Who a caller is: a name with groups, the method that proved it, and the scope that narrows it.
 *
 * Identities are plain data and never change. The anonymous caller has no groups and the empty name, which no user can
 * have.
 */
import type { Value } from "../lib/expression/expression.ts";
import type { Scope } from "./scope.ts";

/** The ways in which a person or a program logs in; also what may stand before the colon of a user in a policy. */
export const loginMethods = ["htpasswd", "ldap", "certificate", "workload"] as const;
export type LoginMethod = (typeof loginMethods)[number];

export function isLoginMethod(text: string): text is LoginMethod {
  return loginMethods.some((method) => method === text);
}

export type ProvenBy = LoginMethod | "nothing" | "session" | "api key" | "token" | "outside token";

export interface Identity {
  /** Exactly as it was proven; empty for the anonymous caller. */
  readonly name: string;
  /** Groups that the proof itself tells; those of the configuration are added by the policy. */
  readonly groups: readonly string[];
  readonly provenBy: ProvenBy;
  /** What a token or an API key is good for; null when nothing narrows the identity. */
  readonly scope: Scope | null;
  /** How its user had logged in, where a session, a key or a token stands for that. */
  readonly login?: LoginMethod;
  /** Tells the present user of the name from earlier ones; absent where nothing does (`owners.ts`). */
  readonly incarnation?: string;
  /** Id of the API key that proved it, or that its token was made from. */
  readonly keyId?: string;
  /** The scope alone decides: an outside issuer speaks for the policy. */
  readonly scopeDecides?: true;
  /** What an outside issuer claims, for conditions of policies. */
  readonly claims?: Value;
  /** The user had claims that the token or API key made from them does not carry: they are unknown now. */
  readonly claimsLost?: true;
}

export const anonymous: Identity = {
  name: "",
  groups: [],
  provenBy: "nothing",
  scope: null,
};

/** Whether a key or token made from this identity cannot be checked against conditions on claims. */
export function losesClaims(identity: Identity): boolean {
  return identity.claims !== undefined || identity.claimsLost === true;
}

export function isAnonymous(identity: Identity): boolean {
  return identity.name === "";
}

/** No user has a longer name. */
const nameLengthMax = 256;

/**
 * Whether a text can be a user's name: not empty, bounded, and without control characters, so that it can stand in a
 * log line, a history row and a header.
 */
export function isUserName(text: string): boolean {
  return text.length > 0 && text.length <= nameLengthMax && !/[\p{Cc}\p{Cs}]/u.test(text);
}
