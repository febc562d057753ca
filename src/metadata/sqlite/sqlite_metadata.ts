/**
 * The embedded metadata store: a `SqliteReader` and any `Committer` joined into `Metadata`.
 *
 * The committer is the writer itself in the primary, and a channel to it in a worker, so callers need not know in which
 * process they run.
 */
import type { Database } from "bun:sqlite";
import type { Digest } from "../../oci/digest.ts";
import type { Epochs } from "../epochs.ts";
import { FactCache, type OnLookup } from "../fact_cache.ts";
import type {
  AnyCommit,
  CommitOutcome,
  Committer,
  ManifestRecord,
  Metadata,
  Page,
  Precondition,
  Recorded,
  ScanPage,
} from "../metadata.ts";
import { QuotaExceeded } from "../metadata.ts";
import type { RecordChange, RecordStore } from "../records.ts";
import { tablesWithLayouts } from "./own_tables.ts";
import { storesOf, tablesOf, type RecordTables, type Stores } from "./record_tables.ts";
import { copyLayout, LayoutSnapshots } from "./sqlite_layout.ts";
import { SqliteReader } from "./sqlite_reader.ts";

export class SqliteMetadata implements Metadata {
  readonly #layouts: LayoutSnapshots | Database;
  readonly #reader: SqliteReader;
  readonly #committer: Committer;
  readonly #stores: Stores;
  readonly #reads = new Map<string, unknown>();
  readonly #epochs: Epochs | null;
  readonly #blobs: FactCache<Recorded> | null;
  readonly #manifests: FactCache<ManifestRecord> | null;

  /**
   * Reads a file by connections of its own, or the database that it is given. With `epochs` it remembers what it read.
   */
  constructor(
    source: string | Database,
    committer: Committer,
    epochs: Epochs | null = null,
    onLookup: OnLookup | null = null,
    records: readonly RecordTables<RecordChange, unknown>[] = tablesWithLayouts,
  ) {
    this.#stores = storesOf(records);
    this.#layouts = typeof source === "string" ? new LayoutSnapshots(source) : source;
    this.#reader = new SqliteReader(source);
    this.#committer = committer;
    this.#epochs = epochs;
    this.#blobs = epochs === null ? null : new FactCache(epochs, onLookup, isSound);
    this.#manifests =
      epochs === null ? null : new FactCache<ManifestRecord>(epochs, onLookup, isSound);
  }

  get past() {
    return this.#reader.past;
  }

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    const outcome = await this.#committer.commit(commit);
    if (!outcome.committed && outcome.exceeded !== undefined) {
      throw new QuotaExceeded(outcome.exceeded);
    }
    return outcome;
  }

  async repositoryExists(repository: string) {
    return this.#reader.repositoryExists(repository);
  }

  async check(repository: string, preconditions: readonly Precondition[]) {
    return this.#reader.check(repository, preconditions);
  }

  async blobRecord(repository: string, digest: Digest) {
    const read = (): Recorded | null => this.#reader.blobRecord(repository, digest);
    return this.#blobs === null ? read() : this.#blobs.get(repository, digest, read);
  }

  async repositoriesWithBlob(digest: Digest, except: string, limit: number) {
    return this.#reader.repositoriesWithBlob(digest, except, limit);
  }

  async manifestByDigest(repository: string, digest: Digest) {
    const read = (): ManifestRecord | null => this.#reader.manifestByDigest(repository, digest);
    return this.#manifests === null ? read() : this.#manifests.get(repository, digest, read);
  }

  async manifestByTag(repository: string, tag: string) {
    const read = (): ManifestRecord | null => this.#reader.manifestByTag(repository, tag);
    return this.#manifests === null ? read() : this.#manifests.get(repository, tag, read);
  }

  async tags(repository: string, page: Page) {
    return this.#reader.tags(repository, page);
  }

  async tagsOf(repository: string, digest: Digest, limit: number) {
    return this.#reader.tagsOf(repository, digest, limit);
  }

  async catalog(page: Page) {
    return this.#reader.catalog(page);
  }

  async referrers(repository: string, subject: string, types: readonly string[], page: ScanPage) {
    return this.#reader.referrers(repository, subject, types, page);
  }

  async history(repository: string, tag: string | null, limit: number) {
    return this.#reader.history(repository, tag, limit);
  }

  async feed(after: number, limit: number) {
    return this.#reader.feed(after, limit);
  }

  async openLayout(repository: string) {
    return this.#layouts instanceof LayoutSnapshots
      ? this.#layouts.open(repository)
      : copyLayout(this.#layouts, repository);
  }

  async repositories(page: Page) {
    return this.#reader.repositories(page);
  }

  async held(repository: string, digests: readonly string[]) {
    return this.#reader.held(repository, digests);
  }

  async tagDigests(repository: string, tags: readonly string[]) {
    return this.#reader.tagDigests(repository, tags);
  }

  async parentsOf(repository: string, digests: readonly string[]) {
    return this.#reader.parentsOf(repository, digests);
  }

  async tagPast(repository: string, tag: string, digest: string) {
    return this.#reader.tagPast(repository, tag, digest);
  }

  async wasRemoved(repository: string, digest: string, generation: number) {
    return this.#reader.wasRemoved(repository, digest, generation);
  }

  async orphans(limit: number) {
    return this.#reader.orphans(limit);
  }

  async isOrphan(repository: string, digest: Digest) {
    return this.#reader.isOrphan(repository, digest);
  }

  async holdings(kind: "blob" | "manifest", after: string | null, limit: number) {
    return this.#reader.holdings(kind, after, limit);
  }

  records<Change extends RecordChange, Reads>({ name }: RecordStore<Change, Reads>): Reads {
    let reads = this.#reads.get(name);
    if (reads === undefined) {
      reads = tablesOf(this.#stores, name).reads(this.#reader.database, this.#epochs);
      this.#reads.set(name, reads);
    }
    // The store's tables were declared with its types.
    return reads as Reads;
  }

  async close() {
    if (this.#layouts instanceof LayoutSnapshots) this.#layouts.close();
    this.#reader.close();
  }
}

function isSound({ damagedSince }: Recorded): boolean {
  return damagedSince === undefined;
}
