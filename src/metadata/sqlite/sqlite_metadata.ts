/**
 * The embedded metadata store: reads over a connection and any `Committer` joined into `Metadata`.
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
import { storesOf, tablesOf, type RecordTables, type Stores } from "../sql/record_tables.ts";
import { copyLayout, LayoutSnapshots } from "./sqlite_layout.ts";
import { FactReads } from "../sql/fact_reads.ts";
import { RecordedPast } from "../sql/past_reads.ts";
import { finish } from "../sql/statements.ts";
import type { Source } from "../sql/source.ts";
import { Connection } from "./connection.ts";
import { sqliteSource } from "./sqlite_source.ts";

/** How long a read waits while the log is being reset. */
const busyMs = 5_000;

export class SqliteMetadata implements Metadata {
  readonly #layouts: LayoutSnapshots | Database;
  readonly #database: Database;
  readonly #isOwn: boolean;
  readonly #source: Source;
  readonly #reads: FactReads;
  readonly past: RecordedPast;
  readonly #committer: Committer;
  readonly #stores: Stores;
  readonly #recordReads = new Map<string, unknown>();
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
    this.#isOwn = typeof source === "string";
    this.#database =
      typeof source === "string"
        ? new Connection(source, { readonly: true, strict: true })
        : source;
    this.#database.run(`PRAGMA busy_timeout = ${busyMs}`);
    this.#database.run("PRAGMA cache_size = -8192"); // KiB
    this.#source = sqliteSource(this.#database);
    this.#reads = new FactReads(this.#source.engine);
    this.past = new RecordedPast(this.#source, (name) => finish(this.#reads.idOf(name)));
    this.#committer = committer;
    this.#epochs = epochs;
    this.#blobs = epochs === null ? null : new FactCache(epochs, onLookup, isSound);
    this.#manifests =
      epochs === null ? null : new FactCache<ManifestRecord>(epochs, onLookup, isSound);
  }

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    const outcome = await this.#committer.commit(commit);
    if (!outcome.committed && outcome.exceeded !== undefined) {
      throw new QuotaExceeded(outcome.exceeded);
    }
    return outcome;
  }

  async repositoryExists(repository: string) {
    return finish(this.#reads.repositoryExists(repository));
  }

  async check(repository: string, preconditions: readonly Precondition[]) {
    return finish(this.#reads.check(repository, preconditions));
  }

  async blobRecord(repository: string, digest: Digest) {
    const read = (): Recorded | null => finish(this.#reads.blobRecord(repository, digest));
    return this.#blobs === null ? read() : this.#blobs.get(repository, digest, read);
  }

  async repositoriesWithBlob(digest: Digest, except: string, limit: number) {
    return finish(this.#reads.repositoriesWithBlob(digest, except, limit));
  }

  async manifestByDigest(repository: string, digest: Digest) {
    const read = (): ManifestRecord | null =>
      finish(this.#reads.manifestByDigest(repository, digest));
    return this.#manifests === null ? read() : this.#manifests.get(repository, digest, read);
  }

  async manifestByTag(repository: string, tag: string) {
    const read = (): ManifestRecord | null => finish(this.#reads.manifestByTag(repository, tag));
    return this.#manifests === null ? read() : this.#manifests.get(repository, tag, read);
  }

  async tags(repository: string, page: Page) {
    return finish(this.#reads.tags(repository, page));
  }

  async tagsOf(repository: string, digest: Digest, limit: number) {
    return finish(this.#reads.tagsOf(repository, digest, limit));
  }

  async catalog(page: Page) {
    return finish(this.#reads.catalog(page));
  }

  async referrers(repository: string, subject: string, types: readonly string[], page: ScanPage) {
    return finish(this.#reads.referrers(repository, subject, types, page));
  }

  async history(repository: string, tag: string | null, limit: number) {
    return finish(this.#reads.history(repository, tag, limit));
  }

  async feed(after: number, limit: number) {
    return finish(this.#reads.feed(after, limit));
  }

  async openLayout(repository: string) {
    return this.#layouts instanceof LayoutSnapshots
      ? this.#layouts.open(repository)
      : copyLayout(this.#layouts, repository);
  }

  async repositories(page: Page) {
    return finish(this.#reads.repositories(page));
  }

  async held(repository: string, digests: readonly string[]) {
    return finish(this.#reads.held(repository, digests));
  }

  async tagDigests(repository: string, tags: readonly string[]) {
    return finish(this.#reads.tagDigests(repository, tags));
  }

  async parentsOf(repository: string, digests: readonly string[]) {
    return finish(this.#reads.parentsOf(repository, digests));
  }

  async tagPast(repository: string, tag: string, digest: string) {
    return finish(this.#reads.tagPast(repository, tag, digest));
  }

  async wasRemoved(repository: string, digest: string, generation: number) {
    return finish(this.#reads.wasRemoved(repository, digest, generation));
  }

  async orphans(limit: number) {
    return finish(this.#reads.orphans(limit));
  }

  async isOrphan(repository: string, digest: Digest) {
    return finish(this.#reads.isOrphan(repository, digest));
  }

  async holdings(kind: "blob" | "manifest", after: string | null, limit: number) {
    return finish(this.#reads.holdings(kind, after, limit));
  }

  records<Change extends RecordChange, Reads>({ name }: RecordStore<Change, Reads>): Reads {
    let reads = this.#recordReads.get(name);
    if (reads === undefined) {
      reads = tablesOf(this.#stores, name).reads(this.#source, this.#epochs);
      this.#recordReads.set(name, reads);
    }
    // The store's tables were declared with its types.
    return reads as Reads;
  }

  async close() {
    if (this.#layouts instanceof LayoutSnapshots) this.#layouts.close();
    if (this.#isOwn) this.#database.close();
  }
}

function isSound({ damagedSince }: Recorded): boolean {
  return damagedSince === undefined;
}
