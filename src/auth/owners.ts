/**
 * Checks whether the user of an API key or a token still is the same user, and finds the user's present groups.
 *
 * What tells two users of one name apart depends on where names come from: for the htpasswd file a number that goes
 * with the name (`file_users.ts`), for an LDAP directory the entry's unique id, for an OpenID issuer the subject.
 * Certificates have no such id: the user is the one whose certificate carries the name now.
 */
import { createHash } from "node:crypto";
import type { FileUsers } from "./file_users.ts";
import type { Htpasswd } from "./htpasswd.ts";
import type { Ldap } from "./ldap.ts";

/** Whom something was made for. */
export interface Owner {
  readonly name: string;
  /** How the user had logged in, such as `htpasswd`. */
  readonly provenBy: string;
  /** Null for what was made before incarnations were kept, and where there are none. */
  readonly incarnation: string | null;
}

/** What is known of an owner now. */
export interface PresentOwner {
  readonly groups: readonly string[];
  readonly incarnation: string | null;
}

export class Owners {
  readonly #htpasswd: Htpasswd | null;
  readonly #ldap: Ldap | null;
  readonly #fileUsers: FileUsers | null;

  constructor(methods: {
    readonly htpasswd: Htpasswd | null;
    readonly ldap: Ldap | null;
    readonly fileUsers: FileUsers | null;
  }) {
    this.#htpasswd = methods.htpasswd;
    this.#ldap = methods.ldap;
    this.#fileUsers = methods.fileUsers;
  }

  /** The user now; null when the user is gone, or another user has the name. @throws LdapUnavailable. */
  async find(owner: Owner): Promise<PresentOwner | null> {
    if (owner.provenBy === "htpasswd") return await this.#findInFile(owner);
    if (owner.provenBy === "ldap") return await this.#findInDirectory(owner);
    // Groups from a token ended with it: we would not learn that its issuer has removed them.
    return { groups: [], incarnation: owner.incarnation };
  }

  async #findInFile({ name, incarnation }: Owner): Promise<PresentOwner | null> {
    if (this.#htpasswd?.has(name) !== true) return null;
    if (this.#fileUsers === null) return { groups: [], incarnation };
    if (incarnation === null) {
      return { groups: [], incarnation: await this.#fileUsers.incarnationOf(name) };
    }
    return (await this.#fileUsers.isStill(name, incarnation)) ? { groups: [], incarnation } : null;
  }

  async #findInDirectory({ name, incarnation }: Owner): Promise<PresentOwner | null> {
    const user = (await this.#ldap?.find(name)) ?? null;
    if (user === null || (incarnation !== null && user.id !== incarnation)) return null;
    return { groups: user.groups, incarnation: user.id };
  }
}

/** What tells a subject of an issuer from another that its claims give the same name. */
export function subjectIncarnation(
  issuer: string | undefined,
  subject: string | undefined,
): string {
  return createHash("sha256")
    .update(JSON.stringify([issuer ?? "", subject ?? ""]))
    .digest("base64url");
}
