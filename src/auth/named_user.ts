/**
 * Users as policies name them.
 *
 * `ann` is any user who logs in by that name, by any method, as in zot. `ldap:ann` is only the ann of the LDAP
 * directory: two methods may both have an ann, and the two need not be the same person.
 */
import { isLoginMethod, type Identity, type LoginMethod } from "./identity.ts";

/** How the caller logged in: also for the key or the token that it made then. Null for who never did. */
export function loginMethodOf({ login, provenBy }: Identity): LoginMethod | null {
  return login ?? (isLoginMethod(provenBy) ? provenBy : null);
}

/** A user of a policy: `method` is null where any will do. */
export interface NamedUser {
  readonly method: LoginMethod | null;
  readonly name: string;
}

export function readNamedUser(text: string): NamedUser {
  const colon = text.indexOf(":");
  const method = text.slice(0, Math.max(colon, 0));
  // Names of certificates and workloads hold colons, too: only a method's name before one says how it is proven.
  if (!isLoginMethod(method)) return { method: null, name: text };
  return { method, name: text.slice(colon + 1) };
}

/** What a user of a policy is found by in a set or a map. No method's name is empty, so that no two keys are equal. */
export function userKey(text: string): string {
  const { method, name } = readNamedUser(text);
  return `${method ?? ""} ${name}`;
}

/** Every key that a caller is found by. The anonymous caller has none. */
export function keysOf(identity: Identity): readonly string[] {
  const { name } = identity;
  if (name === "") return [];
  const method = loginMethodOf(identity);
  return method === null ? [` ${name}`] : [` ${name}`, `${method} ${name}`];
}

/** Whether a set of keys names the caller. */
export function namesUser(users: ReadonlySet<string>, identity: Identity): boolean {
  if (users.size === 0 || identity.name === "") return false;
  if (users.has(` ${identity.name}`)) return true;
  const method = loginMethodOf(identity);
  return method !== null && users.has(`${method} ${identity.name}`);
}
