/**
 * What content takes: exact totals of repositories, of the whole registry and of quotas, and who else has a digest.
 *
 * Totals are kept by the commits themselves (`sqlite/usage_triggers.ts`). A database from before there were any is
 * counted slice by slice (`count`): until then a figure is what was counted so far, and `isCounted` is false. A digest
 * counts once in a repository, once in a quota and once in the registry, whatever names it there; content that only
 * undo holds counts in none of them.
 */
import { matchesGlob, parseGlob } from "../lib/glob.ts";
import type { Digest } from "../oci/digest.ts";
import type { RecordStore } from "./records.ts";

/** What a repository holds. */
export interface RepositoryUsage {
  readonly repository: string;
  readonly linkedBytes: number;
  /** Of content that no other repository has: what is freed with this one. */
  readonly ownBytes: number;
  /** Different digests. */
  readonly digests: number;
  readonly manifests: number;
  readonly tags: number;
  readonly isCounted: boolean;
}

/** What the registry holds. */
export interface RegistryUsage {
  /** Each digest once. */
  readonly uniqueBytes: number;
  readonly digests: number;
  /** The same with what only undo holds. */
  readonly keptBytes: number;
  readonly isCounted: boolean;
}

export const quotaFigures = ["bytes", "tags", "manifests", "repositories"] as const;
export type QuotaFigure = (typeof quotaFigures)[number];

/** Whom a quota is about: `team/` is all below it, `team` that repository and all below; or what a glob fits. */
export type Scope = { readonly prefix: string } | { readonly globs: readonly string[] };

/** A quota as it is configured. */
export interface Quota {
  /** For people: the prefix, or the globs. */
  readonly name: string;
  readonly scope: Scope;
  readonly limits: Readonly<Record<QuotaFigure, number | null>>;
  /** Whether bytes are those of all content, or of content that no repository outside has. */
  readonly count: "linked" | "own";
  /** The part of a limit from which on pushes are warned. */
  readonly warnAt: number;
  /** `storage.maxRepos`, which has an answer of its own. */
  readonly isMaxRepos: boolean;
}

/** A limit that a commit would have passed. */
export interface Exceeded {
  readonly scope: string;
  readonly figure: QuotaFigure;
  readonly limit: number;
  /** Before the commit, and what it would have added. */
  readonly used: number;
  readonly need: number;
  readonly isMaxRepos: boolean;
}

/** A quota and what its repositories use. */
export interface QuotaUsage extends Quota {
  readonly id: number;
  /** In the configuration. */
  readonly place: number;
  readonly used: Readonly<Record<QuotaFigure, number>>;
  readonly isCounted: boolean;
}

/** Of the limits of a quota, how much of the one that is used most. */
export function usedPart({ limits, used }: QuotaUsage): number {
  const parts = quotaFigures.flatMap((figure) => {
    const limit = limits[figure];
    if (limit === null) return [];
    return limit === 0 ? Math.min(used[figure], 1) : used[figure] / limit;
  });
  return Math.max(0, ...parts);
}

/** Content of a repository, by digest. */
export interface HeldContent {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A total that was counted anew, and how the one that was kept differs from it. */
export interface Recount {
  /** For the changes that begin and end it; 0 is the registry. */
  readonly id: number;
  /** Null for the registry. */
  readonly repository: string | null;
  readonly drift: {
    readonly linkedBytes: number;
    readonly ownBytes: number;
    readonly keptBytes: number;
    readonly digests: number;
    readonly manifests: number;
    readonly tags: number;
  };
}

export type UsageChange =
  /** Counts at most so many digests of what was not counted yet. */
  | { readonly kind: "count"; readonly limit: number }
  /** These quotas are in force, and no others. */
  | { readonly kind: "set-quotas"; readonly quotas: readonly Quota[] }
  /** Counts a total anew, by the slices of `count`, beside the one that is kept; and puts it in the place of that. */
  | { readonly kind: "begin-recount" | "end-recount"; readonly id: number };

export interface UsageReads {
  registry(): Promise<RegistryUsage>;
  /** Null for a repository that is not there. */
  repository(name: string): Promise<RepositoryUsage | null>;
  /** Repositories whose names begin so, by name. */
  page(
    prefix: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<RepositoryUsage[]>;
  /** Whether something was not counted yet, or is counted anew. */
  isCounting(): Promise<boolean>;
  /** All quotas, by their order in the configuration. */
  quotas(): Promise<QuotaUsage[]>;
  /** Those that are about a repository which is there, and others by their globs. */
  quotasOf(repository: string): Promise<QuotaUsage[]>;
  /** Whether a repository of the quota has this content. */
  isHeldIn(quota: number, digest: string): Promise<boolean>;
  /** Repositories that have a digest, as a blob or a manifest; by no order. */
  holdersOf(digest: string, limit: number): Promise<string[]>;
  /** Blobs and manifests of a repository, each digest once, by digest. */
  content(repository: string, after: string, limit: number): Promise<HeldContent[]>;
  /** How many repositories have each of these digests, of which at most `limit` are counted. */
  holders(digests: readonly string[], limit: number): Promise<ReadonlyMap<string, number>>;
  /** Content that waits for collection, by repository and digest. */
  waiting(
    after: { readonly repository: number; readonly digest: string },
    limit: number,
  ): Promise<WaitingContent[]>;
  /** The same of one repository. */
  waitingIn(repository: string, after: string, limit: number): Promise<HeldContent[]>;
  /** The recount that is at its end, or the first of those that are not; null when there is none. */
  recount(): Promise<(Recount & { readonly isDone: boolean }) | null>;
  /** The total of a repository behind this one, for a recount; null behind the last. */
  nextTotal(id: number): Promise<number | null>;
  lastTotal(): Promise<number>;
  /** Sums over all repositories that hold a manifest. */
  sums(): Promise<{
    readonly repositories: number;
    readonly manifests: number;
    readonly tags: number;
  }>;
  /** Bytes that only undo holds in a repository, of at most so many digests. */
  heldIn(repository: string, limit: number): Promise<number>;
}

export interface WaitingContent extends HeldContent {
  readonly repository: string;
  /** Its number, for the next page. */
  readonly id: number;
}

/** Makes the test whether a scope is about a repository. */
export function scopeTest(scope: Scope): (repository: string) => boolean {
  if ("prefix" in scope) return (name) => hasPrefix(name, scope.prefix);
  const globs = scope.globs
    .map(parseGlob)
    .flatMap((parsed) => ("glob" in parsed ? parsed.glob : []));
  return (name) => globs.some((glob) => matchesGlob(glob, name));
}

/** Prefixes end where components do: `team` is no prefix of `teams`. */
export function hasPrefix(name: string, prefix: string): boolean {
  if (prefix === "" || prefix.endsWith("/")) return name.startsWith(prefix);
  return name === prefix || name.startsWith(`${prefix}/`);
}

export const usage: RecordStore<UsageChange, UsageReads> = { name: "usage" };
