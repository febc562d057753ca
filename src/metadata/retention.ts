/**
 * What retention keeps beside the metadata: when manifests were pulled, their labels, and which repositories have to
 * be looked at. It also reads the facts that its decisions rest on.
 */
import type { RecordStore } from "./records.ts";

/** Pulls of one manifest since they were last told of. */
export interface Pulls {
  readonly repository: string;
  readonly digest: string;
  /** The last of them, in milliseconds since the epoch. */
  readonly at: number;
  readonly count: number;
}

export type RetentionChange =
  /** `looks`: a rule ranks tags of these repositories by their pulls. */
  | { readonly kind: "add-pulls"; readonly pulls: readonly (Pulls & { readonly looks: boolean })[] }
  /** The manifest that is pushed next says how long its tags are to last; null: it does not. */
  | {
      readonly kind: "set-expiry";
      readonly repository: string;
      readonly digest: string;
      readonly expiresAfterMs: number | null;
    }
  /** Something changed in these repositories: they are looked at soon. */
  | { readonly kind: "look-soon"; readonly repositories: readonly string[] }
  /** A repository was looked at, as it was at `asOf`; time alone changes nothing before `lookAt`, or ever. */
  | {
      readonly kind: "looked";
      readonly repository: string;
      readonly asOf: number;
      readonly lookAt: number | null;
    }
  /** What is kept of manifests that were removed goes, unless they are there again. */
  | {
      readonly kind: "forget";
      readonly manifests: readonly { readonly repository: string; readonly digest: string }[];
    }
  | { readonly kind: "set-value"; readonly name: RetentionValue; readonly value: string };

/** `rules`: by which all repositories were last marked; `clock`: when the clock was last looked at. */
export type RetentionValue = "rules" | "clock";

/** A tag as rules look at it. */
export interface TagRecord {
  readonly tag: string;
  readonly digest: string;
  /** When the tag was last set. */
  readonly pushedAt: number;
  readonly pulledAt: number | null;
  readonly expiresAfterMs: number | null;
  readonly pinnedUntil: number | null;
}

export interface RetentionReads {
  /** Tags of a repository, by byte order. */
  tags(repository: string, after: string, limit: number): Promise<TagRecord[]>;
  tag(repository: string, tag: string): Promise<TagRecord | null>;
  /** Of some hundred digests: those that are manifests here, and when those that are gone went. */
  subjects(
    repository: string,
    digests: readonly string[],
  ): Promise<
    { readonly digest: string; readonly isHere: boolean; readonly goneAt: number | null }[]
  >;
  /** When some hundred manifests were pulled, and how often; those that never were are left out. */
  pulls(repository: string, digests: readonly string[]): Promise<Omit<Pulls, "repository">[]>;
  /** Manifests that name a digest, at most `limit`. */
  parents(repository: string, digest: string, limit: number): Promise<string[]>;
  /** Manifests that are about a digest, at most `limit`. */
  referrers(repository: string, subject: string, limit: number): Promise<string[]>;
  /** What a manifest names; a blob that is not here, and a manifest, has no size. */
  children(
    repository: string,
    digest: string,
  ): Promise<
    {
      readonly digest: string;
      readonly target: "blob" | "manifest";
      readonly sizeBytes: number | null;
    }[]
  >;
  /** Repositories to look at up to a moment, in order. */
  due(until: number, limit: number): Promise<string[]>;
  value(name: RetentionValue): Promise<string | null>;
}

export const retention: RecordStore<RetentionChange, RetentionReads> = { name: "retention" };
