/**
 * The contract of the metadata store: what repositories hold, and never the bytes themselves.
 *
 * `commit` is the moment at which a push, tag move or delete happens. It checks the preconditions and applies the
 * changes of one `Commit` in one transaction, all or none, and resolves only when the transaction is durable (or, with
 * flushing off, written). Reads see every commit that was acknowledged before they began, in any process. Lists are
 * ordered by byte value and paged by cursor, so that their cost does not depend on the size of the repository.
 */
import type { Digest } from "../oci/digest.ts";
import type { ManifestRecord, Page, Recorded, ReferrersPage, ScanPage } from "./pages.ts";
import type { PastReads } from "./past.ts";
import type { RecordChange, RecordCommit, RecordStore } from "./records.ts";
import type { Damage } from "./scrub.ts";
import type { Exceeded } from "./usage.ts";

export type {
  ManifestRecord,
  Page,
  Recorded,
  ReferrerRecord,
  ReferrersPage,
  ScanPage,
} from "./pages.ts";

/** What a push records about a manifest beside its identity. */
export interface NewManifest extends ManifestRecord {
  /** Digest of the `subject` descriptor, or null. */
  readonly subject: string | null;
  /** Effective artifact type as the referrers list shows it, or null. */
  readonly artifactType: string | null;
  /** Top-level annotations as JSON text, kept only where a `subject` makes them listable. */
  readonly annotations: string | null;
  /** Everything that the manifest names, whether it must exist or not. */
  readonly references: readonly { readonly digest: string; readonly target: "blob" | "manifest" }[];
}

/** One line of `index.json`: a tag, or a manifest that no tag names. */
export interface LayoutRecord extends ManifestRecord {
  readonly tag: string | null;
  /** The tag, or the manifest where it has none, is as an upstream had it (`mirrors.ts`). */
  readonly isCached: boolean;
}

/** A tag's move or a delete, as it is kept for undo, audit and "pull as of". */
export interface HistoryRecord {
  readonly sequence: number;
  readonly repository: string;
  readonly tag: string | null;
  /** Where the tag points afterwards; null when it was removed. */
  readonly digest: string | null;
  readonly previous: string | null;
  /** Of the manifest that it points at afterwards, and of the previous one; null where it is not recorded any more. */
  readonly mediaType: string | null;
  readonly sizeBytes: number | null;
  readonly previousMediaType: string | null;
  readonly previousSizeBytes: number | null;
  /** When the tag was set to the previous one, or the removed manifest was pushed. */
  readonly previousAt: number | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: string | null;
  /** The repository's generation with this change in it: it grows with every commit that changes what it lists. */
  readonly generation: number;
}

/** A record of the feed: of history, or of a push that set no tag, which has a `digest` and nothing else. */
export type FeedRecord = HistoryRecord;

/** Content that a repository holds. */
export interface Holding extends Recorded {
  readonly repository: string;
  readonly digest: Digest;
}

/** What `index.json` must list, as it stood at one moment. Always `close` it. */
export interface LayoutSnapshot {
  readonly generation: number;
  readonly origin: string;
  /** The host of its upstream; null for a repository that is no mirror. */
  readonly upstream: string | null;
  /** Tags by byte order, then untagged manifests by digest. */
  pages(): Iterable<LayoutRecord[]>;
  close(): void;
}

/**
 * What a repository has under a digest; an orphan lost its last name and was not swept yet, and content that only undo
 * holds was removed, too.
 */
export interface Held {
  readonly digest: string;
  readonly as: "blob" | "manifest" | "orphan" | "held";
}

/** The history of a tag, compared with a digest that a file gives it. */
export interface TagPast {
  /** Whether it ever pointed at that digest. */
  readonly wasThere: boolean;
  /** Its last move or removal; null when it was never set. */
  readonly last: Pick<HistoryRecord, "by" | "generation" | "at"> | null;
}

/**
 * Keeps for an undo what a change removes (`past.ts`), instead of giving its bytes to the sweep. What is collected is
 * kept as long as the held manifests that name it; a blob only where there are some.
 */
export interface Hold {
  readonly why: "deleted" | "collected";
  /** When the time for an undo began, in milliseconds since the epoch; the moment of the commit without it. */
  readonly since?: number;
  /** Its own time for an undo is over: a manifest, too, is kept only where a held one names it. */
  readonly isOver?: boolean;
}

/** One change in the commit's repository. A closed set: group commit, history and a second store rest on it. */
export type Change =
  | {
      readonly kind: "link-blob";
      readonly digest: Digest;
      readonly sizeBytes: number;
    }
  | { readonly kind: "unlink-blob"; readonly digest: Digest; readonly hold?: Hold }
  | { readonly kind: "put-manifest"; readonly manifest: NewManifest }
  | { readonly kind: "remove-manifest"; readonly digest: Digest; readonly hold?: Hold }
  | {
      readonly kind: "set-tag";
      readonly tag: string;
      readonly digest: Digest;
    }
  | { readonly kind: "remove-tag"; readonly tag: string }
  | { readonly kind: "create-repository" }
  /** Held content is what it was before; a manifest comes with what it names, as far as that is held. */
  | { readonly kind: "restore-held"; readonly digest: Digest }
  /** Undo holds this content no longer. */
  | { readonly kind: "release-held"; readonly digest: Digest }
  /** Removes content, held or not, with what it alone names here, but for what is spared; nothing is held. */
  | {
      readonly kind: "purge";
      readonly digest: Digest;
      readonly reason: string;
      readonly spares?: readonly string[];
    }
  /** Retention and collection leave the manifest, and tags that point at it, alone until then. */
  | { readonly kind: "pin"; readonly digest: Digest; readonly until: number }
  | { readonly kind: "unpin"; readonly digest: Digest }
  /** Gives bytes to the sweep that were written for a commit which was refused, unless something names them. */
  | { readonly kind: "release-bytes"; readonly digest: Digest }
  /** Removes bytes for good, if the sweep was given them and nothing names them: decided under the writer's lock. */
  | { readonly kind: "sweep-orphan"; readonly digest: Digest }
  /** The sweep could not remove these bytes: others have their turn first. */
  | { readonly kind: "retry-orphan"; readonly digest: Digest }
  /** Somebody who pushes relies on content that is here: collection waits for it as if it had been pushed now. */
  | { readonly kind: "promise"; readonly digest: Digest; readonly as: "blob" | "manifest" }
  /** A rule keeps a candidate of collection; it is looked at again as if nothing had named it since `lookAt`. */
  | {
      readonly kind: "keep-candidate";
      readonly digest: string;
      readonly as: CandidateKind;
      readonly lookAt: number;
    }
  /** Something names it again: it is no candidate any more, or one to look at again as of `lookAt`. Nothing where it has no name. */
  | {
      readonly kind: "drop-candidate";
      readonly digest: string;
      readonly as: CandidateKind;
      readonly lookAt?: number;
    }
  /** What lies in the place of content, which has this stamp, is not the content; a mark says so (`scrub.ts`). */
  | {
      readonly kind: "mark-damaged";
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly how: Damage;
      /** Null for nothing. */
      readonly stamp: string | null;
    }
  /** Moves what a mark tells of out of its place, decided under the writer's lock; it is kept. */
  | { readonly kind: "quarantine"; readonly digest: Digest }
  /** Right bytes are in the place again. */
  | { readonly kind: "mark-sound"; readonly digest: Digest }
  /** Removes an empty repository, which keeps its history; the next push brings it back. */
  | { readonly kind: "remove-repository" };

/** What collection may remove: `collection.ts` says more. */
export type CandidateKind = "blob" | "manifest" | "repository";

/** What must hold inside the transaction for its changes to be applied. */
export type Precondition =
  /** The blob is linked in the repository with this size. */
  | { readonly kind: "blob-linked"; readonly digest: string; readonly sizeBytes?: number }
  | { readonly kind: "manifest-exists"; readonly digest: string }
  /** The manifest has this size and media type (parameters aside), or is not there where it may be absent. */
  | {
      readonly kind: "child-fits";
      readonly digest: string;
      readonly sizeBytes: number;
      readonly mediaType: string;
      readonly mayBeAbsent: boolean;
    }
  /** No manifest of the repository names the digest. */
  | { readonly kind: "unreferenced"; readonly digest: string }
  /**
   * No index of the repository that something names (a tag, another index, its own subject) lists the manifest, and
   * no manifest names it as a blob. An index that nothing names protects nothing.
   */
  | { readonly kind: "unprotected"; readonly digest: string }
  /** The tag points at one of these digests; `null` among them stands for "the tag does not exist". */
  | {
      readonly kind: "tag-is";
      readonly tag: string;
      readonly digests: readonly (string | null)[];
    }
  | { readonly kind: "tag-exists"; readonly tag: string }
  /** These tags point at the digest, and no others. */
  | { readonly kind: "tags-are"; readonly digest: string; readonly tags: readonly string[] }
  /** At most so many tags point at the digest. */
  | {
      readonly kind: "tags-at-most";
      readonly digest: string;
      readonly count: number;
    }
  | { readonly kind: "manifest-absent"; readonly digest: string }
  /** The manifest came from an upstream (`mirrors.ts`), and no push has named it, by a tag or as a subject. */
  | { readonly kind: "mirror-owned"; readonly digest: string }
  /** It is a candidate of collection, and has been one since then; with null it is none. */
  | {
      readonly kind: "candidate-since";
      readonly digest: string;
      readonly as: CandidateKind;
      readonly since: number | null;
    }
  /** It holds no blob, no manifest and no bytes that wait for the sweep. */
  | { readonly kind: "repository-empty" }
  /** A blob or a manifest of the repository has the digest, or undo holds one. */
  | { readonly kind: "known"; readonly digest: string }
  /** The content is there, or held with everything that it names. Finds the digest that is gone for good. */
  | { readonly kind: "restorable"; readonly digest: Digest; readonly as: "manifest" | "any" }
  /** The bytes lie in the repository's layout (checked under the write lock, against a racing sweep). */
  | { readonly kind: "bytes-present"; readonly digest: Digest }
  /** A key of an object was not given up, and waits for the name that the commit's records give it (`objects.ts`). */
  | { readonly kind: "key-reserved"; readonly key: string }
  /** What lies there has this stamp; null for nothing (checked as `bytes-present` is). */
  | { readonly kind: "bytes-are"; readonly digest: Digest; readonly stamp: string | null }
  /** No check has found the content of a repository, which may be another one, to be damaged. */
  | { readonly kind: "unmarked-in"; readonly digest: Digest; readonly repository: string }
  /** The repository is a mirror of no upstream yet, or of one with these hosts (`mirrors.ts`). Finds its host. */
  | { readonly kind: "origin-in"; readonly hosts: readonly string[] };

/** Changes of one repository's metadata: all of them happen, or none. */
export interface Commit {
  /** All preconditions and changes are about this repository, so that a store can lock it first. */
  readonly repository: string;
  readonly preconditions: readonly Precondition[];
  readonly changes: readonly Change[];
  /** Who asked for it, for history and audit; null for anonymous or internal work. */
  readonly by: string | null;
  /** Of what lies in the repository already, such as a layout that is read in: quotas count it, and refuse nothing. */
  readonly quotas?: "counted";
  /** What features keep of it: written when it is committed, in the same transaction. */
  readonly records?: readonly RecordCommit[];
}

/**
 * Commits that happen together or not at all; each repository once. All preconditions are checked before the first
 * change. A store that locks takes the repositories in the order of their names, and runs it alone.
 */
export interface JointCommit {
  readonly parts: readonly Commit[];
}

/** One atomic unit of work. */
export type AnyCommit = Commit | JointCommit | RecordCommit;

/** Whether a unit touches no repository. */
export function isRecordCommit(commit: AnyCommit): commit is RecordCommit {
  return !("repository" in commit) && "records" in commit;
}

/** What a unit does to repositories. */
export function partsOf(commit: AnyCommit): readonly Commit[] {
  if ("parts" in commit) return commit.parts;
  return "repository" in commit ? [commit] : [];
}

/** Failed preconditions that are told at most: those behind them are not looked at. */
export const failedMax = 128;

/** A precondition that did not hold, with what was found instead. */
export interface FailedPrecondition {
  readonly precondition: Precondition;
  /**
   * What was found: a size for `blob-linked`, a size or media type for `child-fits`, a digest for `tag-is`, a number
   * for `tags-at-most` and `tags-are`; null for nothing.
   */
  readonly found: string | number | null;
  /** In the outcome of a `JointCommit`: the repository of which it was said. */
  readonly repository?: string;
}

export type CommitOutcome =
  | { readonly committed: true }
  | {
      readonly committed: false;
      readonly failed: readonly FailedPrecondition[];
      /** All preconditions held, and a quota did not allow it. */
      readonly exceeded?: Exceeded;
    };

/** Space that is kept on the store's disk for commits that free more of it. */
export interface SpareRoom {
  /** Whether all of it is kept; takes what is missing where it can. */
  fill(): boolean;
  /** Gives it up; false when there is none. */
  release(): boolean;
  /** Whether the disk, and the quota of this user, have room beside it. */
  hasRoom(): boolean;
}

/** The write side: one transaction per batch of commits. */
export interface Committer {
  /**
   * Applies one commit; many callers share a transaction and its flush.
   * @throws MetadataFull when the disk is full, MetadataUnavailable when the store cannot be written.
   */
  commit(commit: AnyCommit): Promise<CommitOutcome>;
}

export interface CatalogPage {
  readonly names: readonly string[];
  /** The last repository that was looked at; null when there are no more. */
  readonly next: string | null;
}

/** The whole store. */
export interface Metadata extends Committer {
  /** As of any committer. @throws QuotaExceeded where a quota does not allow what it adds. */
  commit(commit: AnyCommit): Promise<CommitOutcome>;
  repositoryExists(repository: string): Promise<boolean>;
  /**
   * The preconditions that do not hold now, the first `failedMax` of them: lets a caller refuse early. Only `commit`
   * decides. `bytes-present` is taken to hold.
   */
  check(repository: string, preconditions: readonly Precondition[]): Promise<FailedPrecondition[]>;
  /** What is recorded of a blob linked in the repository. */
  blobRecord(repository: string, digest: Digest): Promise<Recorded | null>;
  /** Names of other repositories that link the blob, at most `limit`. */
  repositoriesWithBlob(digest: Digest, except: string, limit: number): Promise<string[]>;
  manifestByDigest(repository: string, digest: Digest): Promise<ManifestRecord | null>;
  manifestByTag(repository: string, tag: string): Promise<ManifestRecord | null>;
  tags(repository: string, page: Page): Promise<string[]>;
  /** Tags that point at the digest, by byte order. */
  tagsOf(repository: string, digest: Digest, limit: number): Promise<string[]>;
  /** Repositories that hold at least one manifest. `limit` counts those that hold none, too. */
  catalog(page: Page): Promise<CatalogPage>;
  /** Manifests whose subject is the digest, by digest. An empty `artifactTypes` means all. */
  referrers(
    repository: string,
    subject: string,
    artifactTypes: readonly string[],
    page: ScanPage,
  ): Promise<ReferrersPage>;
  /** Tag moves and deletes, newest first. */
  history(repository: string, tag: string | null, limit: number): Promise<HistoryRecord[]>;
  readonly past: PastReads;
  /** What was committed after this record, in all repositories, in the order of the commits; see `followers.ts`. */
  feed(after: number, limit: number): Promise<FeedRecord[]>;

  /** What `index.json` must list now; null for a repository that is not there. */
  openLayout(repository: string): Promise<LayoutSnapshot | null>;
  /** All repositories, by name. */
  repositories(page: Page): Promise<string[]>;
  /** What the repository has of these digests, in no order; the caller asks for some hundreds at once. */
  held(repository: string, digests: readonly string[]): Promise<Held[]>;
  /** Where these tags point. */
  tagDigests(
    repository: string,
    tags: readonly string[],
  ): Promise<{ readonly tag: string; readonly digest: string }[]>;
  /** For each of these digests that a manifest here names as a manifest: one that does. */
  parentsOf(
    repository: string,
    digests: readonly string[],
  ): Promise<{ readonly child: string; readonly parent: Digest }[]>;
  tagPast(repository: string, tag: string, digest: string): Promise<TagPast>;
  /** Whether the manifest was removed by a commit after this generation. */
  wasRemoved(repository: string, digest: string, generation: number): Promise<boolean>;
  /**
   * Bytes that lost their last name and were not swept since, oldest first. Where there are layouts a sweep asks
   * `layout_states.ts`, since index.json may still list them.
   */
  orphans(limit: number): Promise<{ repository: string; digest: Digest }[]>;
  /** Whether bytes lost their last name and were not swept since. */
  isOrphan(repository: string, digest: Digest): Promise<boolean>;

  /**
   * All content, slice by slice: blobs by digest, so that what repositories share stands together, then manifests
   * by repository. `after` is the `next` of the slice before.
   */
  holdings(
    kind: "blob" | "manifest",
    after: string | null,
    limit: number,
  ): Promise<{ items: Holding[]; next: string | null }>;
  /** The reads of a small store beside the metadata. @throws when this store was opened without it. */
  records<Change extends RecordChange, Reads>(store: RecordStore<Change, Reads>): Reads;
  close(): Promise<void>;
}

/** A quota does not allow what a commit would have added; nothing of it was kept. */
export class QuotaExceeded extends Error {
  override readonly name = "QuotaExceeded";
  readonly exceeded: Exceeded;

  constructor(exceeded: Exceeded) {
    super(`The quota of ${exceeded.scope} is used up`);
    this.exceeded = exceeded;
  }
}

/** The disk under the store is full; nothing of the commit was kept. */
export class MetadataFull extends Error {
  override readonly name = "MetadataFull";
}

/** The store could not be read or written; whether the commit was kept is unknown to the caller. */
export class MetadataUnavailable extends Error {
  override readonly name = "MetadataUnavailable";
}
