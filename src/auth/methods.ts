/** The methods of authentication, and what each of them proves. */
import type { ApiKeys } from "./api_keys.ts";
import type { Verified } from "./credential_cache.ts";
import type { FileUsers } from "./file_users.ts";
import type { Htpasswd } from "./htpasswd.ts";
import type { Identity } from "./identity.ts";
import type { Ldap } from "./ldap.ts";
import type { MtlsOptions } from "./options.ts";
import type { ProvenToken, TokenService } from "./token_service.ts";

/** What was proven, before it is bound to the policy. */
export type Proof = Omit<Verified, "caller"> & { readonly identity: Identity };

/** Logins that browsers keep in a cookie. */
export interface Sessions {
  /** Whose session the Cookie header names; null when it names none that lives. */
  find(cookie: string): Promise<Proof | null>;
}

/** The configured methods; null for the others. */
export interface Methods {
  readonly htpasswd: Htpasswd | null;
  readonly ldap: Ldap | null;
  readonly apiKeys: ApiKeys | null;
  /** Tells users of one name in the htpasswd file apart; null where nothing is remembered of them. */
  readonly fileUsers: FileUsers | null;
  readonly tokens: TokenService | null;
  /** Tokens of an outside token service. */
  readonly access: ((token: string) => Promise<ProvenToken>) | null;
  /** ID tokens of workloads. */
  readonly workload: ((token: string) => Promise<ProvenToken>) | null;
  readonly certificates: MtlsOptions;
  readonly sessions: Sessions | null;
}
