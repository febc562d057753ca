/**
 * Authenticates and authorises a request: the step between finding its endpoint and answering it.
 *
 * It runs before any of the body is read, and needs no promise for a caller who was verified lately. A caller who has
 * not logged in, or whose token lacks the scope, gets 401 with one challenge; a caller without the permission gets 403.
 * Both answers are the same for an existing repository and a missing one. Rules that depend on content are checked
 * later, in `api`.
 */
import type { Authenticator } from "../auth/authenticator.ts";
import { PolicyCaller } from "../auth/caller.ts";
import { loginRequired, type Challenge } from "../auth/challenge.ts";
import type { CompiledPolicy } from "../auth/compile_policy.ts";
import { denied } from "../auth/denied.ts";
import { LoginFailed } from "../auth/login_failed.ts";
import type { Action } from "../auth/options.ts";
import type { RequestFacts } from "../auth/policy.ts";
import type { Clock } from "../lib/clock.ts";
import { apiError } from "../oci/errors.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { Call, Connection } from "./call.ts";
import { presentedBy } from "./presented.ts";
import type { Endpoint, Permission } from "./endpoint.ts";
import { isPageClient } from "./page_client.ts";

export interface AdmissionOptions {
  readonly authenticator: Authenticator;
  readonly challenge: Challenge | null;
  /** The same for browsers, which know nothing of tokens. */
  readonly pageChallenge: Challenge | null;
  /** Null when no access control is configured. */
  readonly policy: CompiledPolicy | null;
  readonly clock: Clock;
}

interface Need {
  /** Any of these is enough: a push to a tag that is there is an update, and only the handler knows. */
  readonly actions: readonly Action[];
  /** For the scope of the challenge. */
  readonly scope: string;
}

const needs: Readonly<Partial<Record<Permission, Need>>> = {
  pull: { actions: ["read"], scope: "pull" },
  push: { actions: ["create", "update"], scope: "pull,push" },
  delete: { actions: ["delete"], scope: "delete" },
};

/** Clients that log in only when this endpoint tells them to (Docker's engine and its libraries). */
const askedClients = /^docker\/|Docker-Client/;

export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Finds the caller and admits the call. @throws UNAUTHORIZED, DENIED, TOO_MANY_REQUESTS, UNAVAILABLE. */
  admit<App>(call: Call, row: Endpoint<App>): void | Promise<void> {
    if (row.needs === "none") return undefined;
    const { authenticator } = this.#options;
    try {
      const found = authenticator.authenticate(presentedBy(call.request, call.connection));
      if (found instanceof PolicyCaller) return this.#decide(call, row.needs, found);
      return found.then(
        (caller) => this.#decide(call, row.needs, caller),
        (error: unknown) => this.#refuseLogin(call, row.needs, error),
      );
    } catch (error) {
      return this.#refuseLogin(call, row.needs, error);
    }
  }

  /** Name of a caller who has logged in lately; null for other callers. Verifies nothing. */
  knownName(request: Request, connection: Connection): string | null {
    return this.#options.authenticator.knownName(presentedBy(request, connection));
  }

  #refuseLogin(call: Call, permission: Permission, error: unknown): never {
    if (!(error instanceof LoginFailed)) throw error;
    throw error.toApiError(this.#challengeFor(permission), scopeFor(call, permission));
  }

  #challengeFor(permission: Permission): Challenge | null {
    const { challenge, pageChallenge } = this.#options;
    return permission === "page" || permission === "metrics" ? pageChallenge : challenge;
  }

  #decide(call: Call, permission: Permission, known: PolicyCaller): void {
    const { policy } = this.#options;
    const { budget } = call;
    const isConditional = policy?.conditional === true;
    const caller = isConditional ? known.at(this.#factsOf(call), budget) : known.paidBy(budget);
    call.caller = caller;
    const need = needs[permission];
    if (need === undefined) return this.#decideRegistry(call, permission, caller);
    const { repository } = call;
    for (const action of need.actions) if (caller.may(action, repository)) return;
    throw this.#denied(call, permission, caller, need);
  }

  /** Permissions that name no repository. */
  #decideRegistry(call: Call, permission: Permission, caller: PolicyCaller): void {
    const scope = scopeFor(call, permission);
    if (permission === "login") {
      if (caller.isWelcome() && !this.#isAskedFirst(call, caller)) return;
      throw loginRequired(this.#options.challenge, scope);
    }
    if (permission === "page" && caller.isWelcome()) return;
    if (permission === "catalog") {
      if (caller.mayList()) return;
      const narrow = caller.identity.scope !== null;
      throw loginRequired(this.#options.challenge, scope, narrow ? "insufficient_scope" : null);
    }
    if (permission === "metrics" && caller.mayReadMetrics()) return;
    if (permission === "admin" && caller.isAdministrator()) return;
    const challenge = this.#challengeFor(permission);
    throw caller.name === null ? loginRequired(challenge, scope) : apiError("DENIED");
  }

  /**
   * Whether a caller who may go on without logging in is asked to all the same, because its client would never log in
   * otherwise: with tokens everybody (anonymous callers get one, too), with passwords Docker's engine, where
   * there is more to be had for users.
   */
  #isAskedFirst(call: Call, { identity }: PolicyCaller): boolean {
    const { challenge, policy } = this.#options;
    if (challenge === null || identity.provenBy !== "nothing") return false;
    // A web interface shows what everybody may see, and offers the login beside it.
    if (isPageClient(call.request.headers)) return false;
    if (challenge.kind === "bearer") return true;
    return policy?.userAccess === true && askedClients.test(call.header("user-agent") ?? "");
  }

  #denied(call: Call, permission: Permission, caller: PolicyCaller, { actions }: Need): Error {
    const { challenge } = this.#options;
    const scope = scopeFor(call, permission);
    const granted = actions.some(
      (action) => caller.decideByPolicy(action, call.repository).allowed,
    );
    const hasToken = caller.identity.scope !== null;
    if (caller.name === null || (granted && hasToken)) {
      return loginRequired(challenge, scope, hasToken ? "insufficient_scope" : null);
    }
    return denied(caller, { actions, repository: call.repository });
  }

  #factsOf(call: Call): RequestFacts {
    return {
      timeMs: this.#options.clock.now(),
      method: call.method,
      userAgent: call.header("user-agent") ?? "",
      // As in zot, what names a blob is none: conditions on a reference are about manifests.
      reference: call.params["reference"] ?? "",
      clientAddress: call.connection.address ?? "",
      forwardedFor: (call.header("x-forwarded-for") ?? "")
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
      tlsVersion: call.connection.tlsVersion,
    };
  }
}

/** What a token must be good for, in the grammar of the token specification; null where any will do. */
function scopeFor(call: Call, permission: Permission): string | null {
  if (permission === "catalog") return "registry:catalog:*";
  const need = needs[permission];
  if (need === undefined) return null;
  const scope = `repository:${call.repository}:${need.scope}`;
  const from = call.method === "POST" ? call.query.get("from") : null;
  if (from === null || !isRepositoryName(from)) return scope;
  return `${scope} repository:${from}:pull`;
}
