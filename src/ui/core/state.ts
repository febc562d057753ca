/** What the registry does beside answering requests: checks of content, collection, and the index of search. */
import { requestJson } from "./http.ts";

/** A round of checks of all content. */
export interface Round {
  readonly from: string;
  readonly to: string | null;
  readonly outcome: "running" | "done" | "stopped";
  readonly allDigests: number;
  readonly allBytes: number;
  readonly digests: number;
  readonly bytes: number;
  readonly bad: number;
  readonly healed: number;
  readonly failed: number;
}

export interface Damaged {
  readonly repository: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly how: "wrong" | "size" | "missing" | "unreadable" | "no-file";
  readonly since: string;
  /** Name of the file that is kept of it. */
  readonly kept: string | null;
  /** Tags that lead to it, ten at most. */
  readonly tags: readonly string[];
  readonly untagged: number;
  readonly isCutOff: boolean;
}

export interface Scrub {
  readonly state: "off" | "running" | "waiting" | "stopped";
  readonly nextAt: string | null;
  readonly round: Round | null;
  readonly rounds: readonly Round[];
  readonly checked: { readonly digests: number; readonly bytes: number };
  readonly coverage: readonly { readonly withinHours: number; readonly percent: number }[];
  readonly damaged: {
    readonly copies: number;
    readonly bytes: number;
    readonly list: readonly Damaged[];
  };
  readonly kept: { readonly files: number; readonly bytes: number };
}

export interface Collection {
  readonly last: {
    readonly at: string;
    readonly manifests: number;
    readonly blobs: number;
    readonly repositories: number;
    readonly sizeBytes: number;
  } | null;
  readonly nextAt: string | null;
  readonly dryRun: boolean;
}

export interface SearchProgress {
  readonly isIndexing: boolean;
  readonly percent: number;
  readonly behind: number;
  readonly repositories: { readonly done: number; readonly all: number } | null;
}

export const readScrub = (signal: AbortSignal): Promise<Scrub> =>
  requestJson<Scrub>("v2/_zot/scrub", { signal });

export const readCollection = (signal: AbortSignal): Promise<Collection> =>
  requestJson<Collection>("v2/_zot/gc", { signal });

export const readProgress = (signal: AbortSignal): Promise<SearchProgress> =>
  requestJson<SearchProgress>("v2/_zot/search/progress", { signal });
