/**
 * A caller: an identity bound to the policy. Handlers see neither of the two, only this.
 *
 * A caller may do what the policy grants its identity, within the scope of the token or API key that it presented.
 * Decisions that depend on nothing else are remembered in a bounded table.
 */
import { Lru } from "../lib/lru.ts";
import type { RequestBudget } from "../lib/request_budget.ts";
import { realNameOf } from "../oci/past_name.ts";
import type { CompiledPolicy } from "./compile_policy.ts";
import { anonymous, isAnonymous, type Identity } from "./identity.ts";
import { namesUser } from "./named_user.ts";
import type { Action } from "./options.ts";
import { decide, groupsOf, type Decision, type Paying, type RequestFacts } from "./policy.ts";
import type { ScopeAction } from "./scope.ts";

export interface Caller {
  readonly identity: Identity;
  /** The name for logs and history; null for the anonymous caller. */
  readonly name: string | null;
  may(action: Action, repository: string): boolean;
  /** May list repositories; the list shows only those that it may see there. */
  mayList(): boolean;
  /** May see the repository in the list of repositories. */
  maySee(repository: string): boolean;
  /** What the policy's author says to a caller whom a condition turned away; null for nothing. */
  adviceFor(action: Action, repository: string): string | null;
  /** Whether it is an administrator; what it may do with a repository is asked beside it. */
  isAdministrator(): boolean;
  /** Whether what it may do depends on the request, such as the tag that it names. */
  readonly isConditional: boolean;
  /** Whether it depends on the tag: lists then show those alone that it may pull. */
  readonly looksAtTags: boolean;
  /** The same caller asking about another tag or digest than that of the path, where conditions look at it. */
  about(reference: string): Caller;
  /** The same object for as long as the same policy decides the same for this caller; null where requests differ. */
  readonly memory: object | null;
}

/** A request of a caller, which pays for what is decided about it. */
interface Asking {
  readonly facts: RequestFacts | null;
  readonly paying: Paying;
}

/** Decisions that one caller remembers. */
const decisionsMax = 512;

/** What a token must allow for an action of the policy. */
export const scopeActionOf: Readonly<Record<Action, ScopeAction>> = {
  read: "pull",
  create: "push",
  update: "push",
  delete: "delete",
  detectManifestCollision: "delete",
};

/** The caller of a registry without authentication and access control: may do everything. */
export const everyone: Caller = {
  identity: anonymous,
  name: null,
  may: (action) => action !== "detectManifestCollision",
  mayList: () => true,
  maySee: () => true,
  adviceFor: () => null,
  isAdministrator: () => true,
  isConditional: false,
  looksAtTags: false,
  about: () => everyone,
  memory: null,
};

export class PolicyCaller implements Caller {
  readonly identity: Identity;
  readonly name: string | null;
  readonly #policy: CompiledPolicy | null;
  readonly #asking: Asking | null;
  readonly #decisions: Lru<string, boolean> | null;
  /** A user where no policy and no scope says otherwise. */
  readonly #isFree: boolean;

  /** `policy` is null when no access control is configured: then every user may do everything. */
  constructor(
    identity: Identity,
    policy: CompiledPolicy | null,
    asking: Asking | null = null,
    decisions: Lru<string, boolean> | null = null,
  ) {
    this.identity = identity;
    this.name = isAnonymous(identity) ? null : identity.name;
    this.#policy = policy;
    this.#asking = asking;
    this.#isFree = this.name !== null && policy === null && identity.scope === null;
    const lasting = policy?.conditional !== true;
    this.#decisions = lasting ? (decisions ?? new Lru({ entriesMax: decisionsMax })) : null;
  }

  may(action: Action, repository: string): boolean {
    if (this.#isFree) return action !== "detectManifestCollision";
    return this.#remembered(
      `${action} ${repository}`,
      () => this.decide(action, repository).allowed,
    );
  }

  #remembered(key: string, decideNow: () => boolean): boolean {
    if (this.#decisions === null) return decideNow();
    const known = this.#decisions.get(key);
    if (known !== null) return known;
    const allowed = decideNow();
    this.#decisions.set(key, allowed);
    return allowed;
  }

  /** The decision with its reason, which nothing remembers. */
  decide(action: Action, repository: string): Decision {
    const granted = this.decideByPolicy(action, repository);
    if (!granted.allowed || this.inScope(action, repository)) return granted;
    return { allowed: false, reason: `the ${this.identity.provenBy} is not good for ${action}` };
  }

  /** What the policy says, whatever the scope; `facts` in place of those of the caller's request. */
  decideByPolicy(
    action: Action,
    asked: string,
    facts: RequestFacts | "any" | null = this.#asking?.facts ?? null,
  ): Decision {
    const { identity } = this;
    const repository = realNameOf(asked);
    if (identity.scopeDecides === true) {
      const allowed = action !== "detectManifestCollision";
      return { allowed, reason: "the outside issuer decides" };
    }
    if (this.#policy !== null) {
      const paying = this.#asking?.paying ?? null;
      return decide(this.#policy, { identity, action, repository, facts, paying });
    }
    const allowed = !isAnonymous(identity) && action !== "detectManifestCollision";
    return {
      allowed,
      reason: allowed ? "no access control is configured: every user may" : "login is required",
    };
  }

  /** Whether some request of this caller may be allowed: what a token can be given for. */
  mightEver(action: Action, repository: string): boolean {
    return (
      this.inScope(action, repository) && this.decideByPolicy(action, repository, "any").allowed
    );
  }

  /** The same caller with a request at hand, for policies with conditions; the request pays. */
  at(facts: RequestFacts, budget: RequestBudget): PolicyCaller {
    return this.#with({ facts, paying: { budget, outcomes: new Map() } });
  }

  /** The same caller, whose decisions are paid for by a request where they may be costly. */
  paidBy(budget: RequestBudget): PolicyCaller {
    if (this.identity.scope === null) return this;
    return this.#with({ facts: null, paying: { budget, outcomes: new Map() } });
  }

  adviceFor(action: Action, repository: string): string | null {
    return this.decide(action, repository).message ?? null;
  }

  get isConditional(): boolean {
    return (this.#asking?.facts ?? null) !== null;
  }

  get looksAtTags(): boolean {
    return this.isConditional && this.#policy?.looksAtReferences === true;
  }

  get memory(): object | null {
    return this.#decisions;
  }

  about(reference: string): PolicyCaller {
    const { facts = null, paying } = this.#asking ?? {};
    if (facts === null || paying === undefined) return this;
    return this.#with({ facts: { ...facts, reference }, paying });
  }

  #with(asking: Asking): PolicyCaller {
    return new PolicyCaller(this.identity, this.#policy, asking, this.#decisions);
  }

  inScope(action: Action, repository: string): boolean {
    const { scope } = this.identity;
    const budget = this.#asking?.paying.budget ?? null;
    if (scope === null) return true;
    const allows = (name: string): boolean => scope.allows(scopeActionOf[action], name, budget);
    // A token may name the past of a repository, or the repository itself.
    const real = realNameOf(repository);
    return allows(repository) || (real !== repository && allows(real));
  }

  mayList(): boolean {
    const { scope } = this.identity;
    if (scope !== null && !scope.catalog) return false;
    return this.isWelcome();
  }

  /** What a token is good for narrows what it pulls, not what it lists: clients ask for the list alone. */
  maySee(repository: string): boolean {
    const { scope } = this.identity;
    if (scope === null) return this.may("read", repository);
    return this.#remembered(
      `see ${repository}`,
      () =>
        scope.lists(repository, this.#asking?.paying.budget) &&
        this.decideByPolicy("read", repository).allowed,
    );
  }

  /**
   * Whether this caller may do anything at all: users always, others when some policy is for them, or an outside
   * issuer speaks for them (whose tokens need not name a user).
   */
  isWelcome(): boolean {
    const { identity } = this;
    if (!isAnonymous(identity) || identity.scopeDecides === true) return true;
    return this.#policy?.anonymousAccess === true;
  }

  /** Whether this caller may read the metrics page. */
  mayReadMetrics(): boolean {
    if (this.#policy?.metrics.everybody === true) return true;
    const { name, scope } = this.identity;
    if (name === "" || scope !== null) return false;
    if (this.#policy === null || namesUser(this.#policy.metrics.users, this.identity)) return true;
    return this.#policy.admin.actions.has("read") && this.isAdmin();
  }

  /** Whether the admin policy names this caller; without access control every user is meant. */
  isAdministrator(): boolean {
    const { identity } = this;
    if (isAnonymous(identity)) return false;
    if (this.#policy === null) return true;
    const { users, groups } = this.#policy.admin;
    if (namesUser(users, identity)) return true;
    const mine = groupsOf(this.#policy, identity);
    return [...groups].some((group) => mine.has(group));
  }

  /** The same, by credentials that are good for everything. */
  isAdmin(): boolean {
    return this.identity.scope === null && this.isAdministrator();
  }
}
