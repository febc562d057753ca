/**
 * The contract of repositories as OCI image layouts in a directory, which other tools read and write as well.
 *
 * There is one only where bytes lie in a file system: then a projector writes each `index.json` after the metadata, and
 * what other tools put there is read in. Code that needs it takes `LayoutDirectory | null`. A file there may be
 * unreadable, not a regular file, or changed at any moment. Only absence is `null` or `false`.
 */
import type { Digest } from "../oci/digest.ts";
import type { ContentStat } from "./blob_store.ts";

/** What lies under a name at this moment. Other tools put what they like into a layout. */
export type Lying = "file" | "link" | "other";

/** A file that another tool may have put there. */
export interface LooseFile extends ContentStat {
  readonly lying: Lying;
  /** Milliseconds since the epoch of the last change. */
  readonly changedAt: number;
}

/** An index.json to be read in pieces, as often as one likes. */
export interface OpenIndex extends LooseFile {
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

/** Called with a directory that could not be read. */
export type Unreadable = (directory: string, error: unknown) => void;

export interface LayoutDirectory {
  /**
   * Every directory that is a layout with an index, by its repository name. A directory that cannot be read is told
   * and passed over.
   */
  repositories(unreadable?: Unreadable): AsyncIterable<string>;
  /**
   * Removes the directory of a repository that holds no blobs, while index.json has this stamp, and those above it that
   * become empty. What another tool put there stays. False when something stayed.
   */
  removeRepository(repository: string, stamp: string | null): Promise<boolean>;
  /** Whether there is a directory of blobs. */
  hasBlobs(repository: string): Promise<boolean>;

  /** The text of `oci-layout`, which is flushed from then on; null when there is no such file. */
  adoptMarker(repository: string): Promise<string | null>;
  /** Whether index.json is the first one of a repository, unchanged since. */
  hasEmptyIndex(repository: string): boolean;
  openIndex(repository: string): Promise<OpenIndex | null>;
  /** Makes another tool's index.json as durable as one's own: what is read in from it must not outlive it. */
  flushIndex(repository: string): Promise<void>;
  /** Identifies this version of index.json; null when it is absent. */
  indexStamp(repository: string): Promise<string | null>;
  /** Replaces index.json in one step; `planned` is awaited with its stamp before the file can be read. */
  writeIndex(
    repository: string,
    text: () => Iterable<string>,
    planned: (stamp: string) => Promise<void>,
  ): Promise<string>;
  /**
   * Keeps an index.json for a person to look at before it is replaced: a copy, or, where it cannot be read, itself.
   * @returns where.
   */
  quarantineIndex(repository: string, how: "copy" | "move", at: number): Promise<string>;

  /** Names of everything under `blobs`, page by page. A directory that cannot be read is told and passed over. */
  blobNames(
    repository: string,
    unreadable?: Unreadable,
  ): AsyncIterable<{ readonly algorithm: string; readonly names: readonly string[] }>;
  hasBlob(repository: string, digest: Digest): boolean;
  /** What lies under a blob's name, links not followed. */
  lookAtBlob(repository: string, digest: Digest): LooseFile | null;
  /** Puts a copy of what a symbolic link leads to in its place; false when it leads nowhere. */
  replaceLink(repository: string, digest: Digest): Promise<boolean>;
  /** All bytes, at most `bytesMax` (more is an error). */
  readBlob(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null>;
  blobPieces(repository: string, digest: Digest): AsyncIterable<Uint8Array>;
  /** Makes blobs that others wrote as durable as our own, with their names. What is absent is passed over. */
  flushBlobs(repository: string, digests: readonly Digest[]): Promise<void>;
}
