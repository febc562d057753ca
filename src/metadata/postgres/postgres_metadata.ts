/**
 * The metadata store in PostgreSQL: reads over a few connections and any `Committer`, joined into `Metadata`.
 *
 * Every read asks the database: another process may have changed what this one read before. Only the numbers of
 * repositories are remembered, which never change.
 */
import type { Digest } from "../../oci/digest.ts";
import type {
  AnyCommit,
  CommitOutcome,
  Committer,
  LayoutRecord,
  LayoutSnapshot,
  Metadata,
  Page,
  Precondition,
  ScanPage,
} from "../metadata.ts";
import { QuotaExceeded } from "../metadata.ts";
import type { RecordStore } from "../records.ts";
import type { RecordChange } from "../records.ts";
import { FactReads } from "../sql/fact_reads.ts";
import { RecordedPast } from "../sql/past_reads.ts";
import { tablesOf, type Stores } from "../sql/record_tables.ts";
import type { Source } from "../sql/source.ts";
import { pursue, type Rule, type Value } from "../sql/statements.ts";
import type { Ask, PostgresConnections } from "./postgres_connections.ts";
import { postgresEngine } from "./postgres_engine.ts";
import { layoutOf } from "./postgres_layout.ts";

export class PostgresMetadata implements Metadata {
  readonly #connections: PostgresConnections;
  readonly #committer: Committer;
  readonly #stores: Stores;
  readonly #source: Source;
  readonly #reads = new FactReads(postgresEngine);
  readonly #recordReads = new Map<string, unknown>();
  readonly past: RecordedPast;

  /** What it is given stays open when it is closed. */
  constructor(connections: PostgresConnections, committer: Committer, stores: Stores) {
    this.#connections = connections;
    this.#committer = committer;
    this.#stores = stores;
    this.#source = sourceOf((statement) => connections.ask(statement));
    this.past = new RecordedPast(this.#source, (name) => this.#follow(this.#reads.idOf(name)));
  }

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    const outcome = await this.#committer.commit(commit);
    if (!outcome.committed && outcome.exceeded !== undefined) {
      throw new QuotaExceeded(outcome.exceeded);
    }
    return outcome;
  }

  #follow<T>(rule: Rule<T>): Promise<T> {
    return pursue(rule, (statement) => this.#connections.ask(statement));
  }

  repositoryExists(repository: string) {
    return this.#follow(this.#reads.repositoryExists(repository));
  }

  check(repository: string, preconditions: readonly Precondition[]) {
    return this.#follow(this.#reads.check(repository, preconditions));
  }

  blobRecord(repository: string, digest: Digest) {
    return this.#follow(this.#reads.blobRecord(repository, digest));
  }

  repositoriesWithBlob(digest: Digest, except: string, limit: number) {
    return this.#follow(this.#reads.repositoriesWithBlob(digest, except, limit));
  }

  manifestByDigest(repository: string, digest: Digest) {
    return this.#follow(this.#reads.manifestByDigest(repository, digest));
  }

  manifestByTag(repository: string, tag: string) {
    return this.#follow(this.#reads.manifestByTag(repository, tag));
  }

  tags(repository: string, page: Page) {
    return this.#follow(this.#reads.tags(repository, page));
  }

  tagsOf(repository: string, digest: Digest, limit: number) {
    return this.#follow(this.#reads.tagsOf(repository, digest, limit));
  }

  catalog(page: Page) {
    return this.#follow(this.#reads.catalog(page));
  }

  referrers(repository: string, subject: string, types: readonly string[], page: ScanPage) {
    return this.#follow(this.#reads.referrers(repository, subject, types, page));
  }

  history(repository: string, tag: string | null, limit: number) {
    return this.#follow(this.#reads.history(repository, tag, limit));
  }

  feed(after: number, limit: number) {
    return this.#follow(this.#reads.feed(after, limit));
  }

  /** Read at once, as a moment that stands still: no layout is written beside this store. */
  openLayout(repository: string): Promise<LayoutSnapshot | null> {
    return this.#connections.hold(async (ask) => {
      await ask({ text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", values: [] });
      const found = await layoutOf(sourceOf(ask), repository);
      await ask({ text: "COMMIT", values: [] });
      if (found === null) return null;
      const { pages, ...layout } = found;
      return { ...layout, pages: (): LayoutRecord[][] => pages, close: () => {} };
    });
  }

  repositories(page: Page) {
    return this.#follow(this.#reads.repositories(page));
  }

  held(repository: string, digests: readonly string[]) {
    return this.#follow(this.#reads.held(repository, digests));
  }

  tagDigests(repository: string, tags: readonly string[]) {
    return this.#follow(this.#reads.tagDigests(repository, tags));
  }

  parentsOf(repository: string, digests: readonly string[]) {
    return this.#follow(this.#reads.parentsOf(repository, digests));
  }

  tagPast(repository: string, tag: string, digest: string) {
    return this.#follow(this.#reads.tagPast(repository, tag, digest));
  }

  wasRemoved(repository: string, digest: string, generation: number) {
    return this.#follow(this.#reads.wasRemoved(repository, digest, generation));
  }

  orphans(limit: number) {
    return this.#follow(this.#reads.orphans(limit));
  }

  isOrphan(repository: string, digest: Digest) {
    return this.#follow(this.#reads.isOrphan(repository, digest));
  }

  holdings(kind: "blob" | "manifest", after: string | null, limit: number) {
    return this.#follow(this.#reads.holdings(kind, after, limit));
  }

  records<Change extends RecordChange, Reads>({ name }: RecordStore<Change, Reads>): Reads {
    let reads = this.#recordReads.get(name);
    if (reads === undefined) {
      reads = tablesOf(this.#stores, name).reads(this.#source, null);
      this.#recordReads.set(name, reads);
    }
    // The store's tables were declared with its types.
    return reads as Reads;
  }

  async close() {}
}

function sourceOf(ask: Ask): Source {
  return {
    get: async <Row>(text: string, ...values: Value[]) =>
      ((await ask({ text, values })).rows[0] as Row | undefined) ?? null,
    all: async <Row>(text: string, ...values: Value[]) =>
      (await ask({ text, values })).rows as Row[],
    engine: postgresEngine,
    follow: (rule) => pursue(rule, ask),
  };
}
