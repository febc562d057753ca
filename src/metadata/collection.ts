/**
 * What collection asks of the metadata: candidates that are due, what is known about each, and a few values of its own.
 *
 * Candidates are written by the commits that leave something without a name (`sqlite/candidates.ts`), not by changes of
 * this store. A candidate is no verdict: whether it may go is decided from its facts, and proved again in the commit
 * that removes it.
 */
import type { Digest } from "../oci/digest.ts";
import type { CandidateKind } from "./metadata.ts";
import type { RecordStore } from "./records.ts";

export interface Candidate {
  readonly repository: string;
  /** Empty for the repository itself. */
  readonly digest: Digest;
  readonly kind: CandidateKind;
  /** When its last name went, in milliseconds since the epoch. */
  readonly since: number;
  /** The same, or later where a rule keeps it until then. */
  readonly lookAt: number;
  readonly reason: CandidateReason;
}

/**
 * Why it is one: a blob that no manifest names; a manifest without tag, index and subject; one whose subject is not
 * here; a repository that holds nothing.
 */
export type CandidateReason = "unnamed" | "untagged" | "no-subject" | "empty";

/** A candidate's place in the order in which they are looked at. */
export type CandidatePlace = Pick<Candidate, "lookAt" | "repository" | "digest">;

/** Tags of a manifest that are looked at; one with more is none that only follows its subject. */
export const followingTagsMax = 64;

export interface BlobFacts {
  /** Null when the repository does not link it. */
  readonly sizeBytes: number | null;
  readonly linkedAt: number | null;
  /** A manifest that names it. */
  readonly parent: string | null;
  /** As of a manifest. */
  readonly pinnedUntil: number | null;
}

export interface ManifestFacts {
  /** Null when it is not there. */
  readonly sizeBytes: number | null;
  readonly mediaType: string | null;
  readonly artifactType: string | null;
  readonly pushedAt: number | null;
  readonly pushedBy: string | null;
  readonly subject: string | null;
  readonly isSubjectHere: boolean;
  /** Some of its tags, as many as were asked for. */
  readonly tags: readonly string[];
  /** A manifest that names it. */
  readonly parent: string | null;
  /** An undo brought it back: it is left alone until then. */
  readonly pinnedUntil: number | null;
  /** How many digests it names. */
  readonly references: number;
}

/** Values that collection keeps over restarts; that with a name is one of a repository. */
export type CollectionValue =
  | "rules"
  | "clock"
  | "clock of holds"
  | "clock of history"
  | "walk"
  | "names"
  | "last removal"
  | `unread ${string}`;

export type CollectionChange =
  | { readonly kind: "set"; readonly name: CollectionValue; readonly value: string }
  /**
   * Candidates that something keeps are looked at as soon as they would be without it, and none of them has waited for
   * less than nothing: for changed rules, and for a clock that went back. About `limit` of them.
   */
  | {
      readonly kind: "look-again";
      readonly of: CandidateKind;
      readonly now: number;
      readonly limit: number;
    }
  /** The same for manifests of one repository, in which something changed that rules look at. */
  | { readonly kind: "look-again-in"; readonly repository: string; readonly now: number }
  /** Files that a walk found and nothing names: what stands here for the second time is no new file. */
  | {
      readonly kind: "note-strays";
      readonly repository: string;
      readonly digests: readonly string[];
      readonly walk: number;
    }
  /** Notes of walks before this one are of no use any more. */
  | { readonly kind: "forget-strays"; readonly walk: number };

export interface CollectionReads {
  /** Candidates to look at up to a moment, in order, from behind a place on. */
  due(
    kind: CandidateKind,
    until: number,
    after: CandidatePlace | null,
    limit: number,
  ): Promise<Candidate[]>;
  /** When the next one is to be looked at that nothing looked at yet; null when there is none. */
  nextLook(kind: CandidateKind): Promise<number | null>;
  /** Whether something keeps one, or one is to be looked at after a moment. */
  hasLater(kind: CandidateKind, moment: number): Promise<boolean>;
  candidate(
    repository: string,
    digest: string,
    kind: CandidateKind,
  ): Promise<Pick<Candidate, "since" | "lookAt"> | null>;
  /**
   * Whether it, or what names it, has waited since this moment or before, and was not promised to anybody later; or it is
   * not here any more.
   */
  isWaiting(
    repository: string,
    digest: string,
    as: "blob" | "manifest",
    since: { readonly blob: number; readonly manifest: number },
  ): Promise<boolean>;
  blob(repository: string, digest: Digest): Promise<BlobFacts>;
  manifest(repository: string, digest: Digest, tagsMax: number): Promise<ManifestFacts>;
  /** What is in a repository: blobs and manifests, held ones too, only bytes that wait for the sweep, or nothing. */
  holds(repository: string): Promise<"content" | "orphans" | "nothing">;
  /** Manifests of a repository without tag, index and subject, by their digest. */
  untaggedIn(
    repository: string,
    limit: number,
  ): Promise<{ readonly digest: string; readonly since: number; readonly pushedAt: number }[]>;
  value(name: CollectionValue): Promise<string | null>;
  /** Those of some hundred digests that an earlier walk found, too. */
  strays(repository: string, digests: readonly string[], before: number): Promise<string[]>;
}

export const collection: RecordStore<CollectionChange, CollectionReads> = { name: "collection" };
