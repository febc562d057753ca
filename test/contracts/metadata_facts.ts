// Facts for the tests of metadata stores: digests, manifests and commits with little writing, and a store to
// put them in whose clock and bytes the test holds.
//
// Equal texts give equal digests. `whole` reads everything that a store shows of a repository, so that "nothing
// changed" can be one comparison.

import { type Clock, manualClock } from "../../src/lib/clock.ts";
import type {
  AnyCommit,
  Change,
  Commit,
  CommitOutcome,
  Hold,
  LayoutRecord,
  Metadata,
  NewManifest,
  Precondition,
} from "../../src/metadata/metadata.ts";
import {
  layoutStates,
  type LayoutChange,
  type LayoutReads,
} from "../../src/metadata/layout_states.ts";
import { recordCommit, type RecordChange } from "../../src/metadata/records.ts";
import { atOnce, type BytesUnderLock } from "../../src/metadata/sql/bytes_under_lock.ts";
import type { RecordTables } from "../../src/metadata/sql/record_tables.ts";
import { digestOf, type Digest } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";

/** A store under test and what may be asked of it beyond its contract. */
export interface OpenStore extends AsyncDisposable {
  readonly metadata: Metadata;
  /** Opens the same facts once more, as another process would for reading; closed with the store. */
  readonly another: () => Metadata;
  /** How many commits each transaction held; null for a store that has no use for sharing them. */
  readonly batches: number[] | null;
}

export interface StoreOptions {
  readonly clock: Clock;
  readonly bytes: BytesUnderLock;
  /** Small stores beside the facts; the registry's own without it. */
  readonly records?: readonly RecordTables<RecordChange, unknown>[];
}

/** Opens a store that holds nothing yet. */
export type OpenEmptyStore = (options: StoreOptions) => Promise<OpenStore>;

export const repository = "library/app";
export const otherRepository = "library/other";

export function digest(text: string): Digest {
  return digestOf("sha256", new TextEncoder().encode(text));
}

/** A manifest of that name: its digest follows from the name alone. */
export function manifest(name: string, changes: Partial<NewManifest> = {}): NewManifest {
  return {
    digest: digest(name),
    mediaType: mediaTypes.ociImage,
    sizeBytes: name.length,
    subject: null,
    artifactType: null,
    annotations: null,
    references: [],
    ...changes,
  };
}

/** A change, and the repository that it is for; `repository` where it says none. */
export type PlacedChange = Change & { readonly repository?: string };

/** Changes by short names, in `repository` unless told otherwise. */
export const change = {
  create: (at = repository): PlacedChange => ({ kind: "create-repository", repository: at }),
  link: (name: string, at = repository): PlacedChange => ({
    kind: "link-blob",
    repository: at,
    digest: digest(name),
    sizeBytes: name.length,
  }),
  unlink: (name: string, at = repository, hold?: Hold): PlacedChange => ({
    kind: "unlink-blob",
    repository: at,
    digest: digest(name),
    ...(hold === undefined ? {} : { hold }),
  }),
  put: (put: string | NewManifest, at = repository): PlacedChange => ({
    kind: "put-manifest",
    repository: at,
    manifest: typeof put === "string" ? manifest(put) : put,
  }),
  remove: (name: string, at = repository, hold?: Hold): PlacedChange => ({
    kind: "remove-manifest",
    repository: at,
    digest: digest(name),
    ...(hold === undefined ? {} : { hold }),
  }),
  restore: (name: string, at = repository): PlacedChange => ({
    kind: "restore-held",
    repository: at,
    digest: digest(name),
  }),
  releaseHeld: (name: string, at = repository): PlacedChange => ({
    kind: "release-held",
    repository: at,
    digest: digest(name),
  }),
  purge: (name: string, at = repository, reason = "a secret"): PlacedChange => ({
    kind: "purge",
    repository: at,
    digest: digest(name),
    reason,
  }),
  pin: (name: string, until: number, at = repository): PlacedChange => ({
    kind: "pin",
    repository: at,
    digest: digest(name),
    until,
  }),
  unpin: (name: string, at = repository): PlacedChange => ({
    kind: "unpin",
    repository: at,
    digest: digest(name),
  }),
  tag: (tag: string, name: string, at = repository): PlacedChange => ({
    kind: "set-tag",
    repository: at,
    tag,
    digest: digest(name),
  }),
  untag: (tag: string, at = repository): PlacedChange => ({
    kind: "remove-tag",
    repository: at,
    tag,
  }),
  release: (name: string, at = repository): PlacedChange => ({
    kind: "release-bytes",
    repository: at,
    digest: digest(name),
  }),
  sweep: (name: string, at = repository): PlacedChange => ({
    kind: "sweep-orphan",
    repository: at,
    digest: digest(name),
  }),
};

/** What the projector records of layouts, by short names. */
export const layout = {
  plan: (seen: string | null, stamp: string, at = repository): LayoutChange => ({
    kind: "plan-layout",
    repository: at,
    seen,
    stamp,
  }),
  record: (stamp: string, generation: number, at = repository): LayoutChange => ({
    kind: "record-layout",
    repository: at,
    stamp,
    generation,
  }),
  raise: (generation: number, at = repository): LayoutChange => ({
    kind: "raise-generation",
    repository: at,
    generation,
  }),
};

/** One commit of changes, to one repository or jointly to several; preconditions are those of the repository `at`. */
export function commitOf(
  changes: readonly PlacedChange[],
  {
    preconditions = [],
    by = null,
    at = repository,
  }: Partial<Pick<Commit, "preconditions" | "by">> & { readonly at?: string } = {},
): AnyCommit {
  const names = new Set(changes.map((each) => each.repository ?? at));
  if (preconditions.length > 0 || names.size === 0) names.add(at);
  const parts = [...names].map((name) => ({
    repository: name,
    preconditions: name === at ? preconditions : [],
    changes: changes.filter((each) => (each.repository ?? at) === name),
    by,
  }));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { parts };
}

/** An open store, with the clock and the bytes that it was given. */
export interface TestedStore extends AsyncDisposable {
  readonly store: OpenStore;
  readonly metadata: Metadata;
  /** What is known of layouts. */
  readonly layouts: LayoutReads;
  readonly clock: ReturnType<typeof manualClock>;
  /** Names of bytes that are absent; everything else is present. */
  readonly absent: Set<string>;
  /** What the store removed, as `repository digest`, in order. */
  readonly removed: string[];
  /** Commits changes that must be taken. */
  readonly did: (...changes: PlacedChange[]) => Promise<void>;
  /** Commits what the projector records. */
  readonly noted: (...changes: LayoutChange[]) => Promise<void>;
  /** Commits changes under preconditions. */
  readonly tried: (
    preconditions: readonly Precondition[],
    ...changes: PlacedChange[]
  ) => Promise<CommitOutcome>;
}

/** The moment at which every test's clock starts. */
export const startMs = Date.UTC(2026, 0, 1);

export async function openTested(open: OpenEmptyStore): Promise<TestedStore> {
  const clock = manualClock(startMs);
  const absent = new Set<string>();
  const removed: string[] = [];
  const store = await open({
    clock,
    bytes: atOnce({
      present: (at, which) => !absent.has(`${at} ${which}`),
      remove: (at, which) => void removed.push(`${at} ${which}`),
      stamp: (at, which) => (absent.has(`${at} ${which}`) ? null : "as it was"),
      quarantine: (at, which, { stamp, name }) => {
        if (stamp !== "as it was" || absent.has(`${at} ${which}`)) return null;
        absent.add(`${at} ${which}`);
        return name;
      },
    }),
  });
  const { metadata } = store;
  const tried: TestedStore["tried"] = (preconditions, ...changes) =>
    metadata.commit(commitOf(changes, { preconditions, by: "alice" }));
  return {
    store,
    metadata,
    get layouts() {
      return metadata.records(layoutStates);
    },
    clock,
    absent,
    removed,
    tried,
    did: async (...changes) => {
      const outcome = await tried([], ...changes);
      if (!outcome.committed) throw new Error(`refused: ${JSON.stringify(outcome)}`);
    },
    noted: async (...changes) => {
      await metadata.commit(recordCommit(layoutStates, ...changes));
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Of a blob that is linked; null for none. */
export async function blobSize(
  metadata: Metadata,
  at: string,
  blob: Digest,
): Promise<number | null> {
  return (await metadata.blobRecord(at, blob))?.sizeBytes ?? null;
}

/** What index.json must list, whole. */
export async function layoutRecords(
  metadata: Metadata,
  at = repository,
): Promise<{ generation: number; records: LayoutRecord[] }> {
  const opened = await metadata.openLayout(at);
  if (opened === null) return { generation: 0, records: [] };
  try {
    return { generation: opened.generation, records: [...opened.pages()].flat() };
  } finally {
    opened.close();
  }
}

/** Everything that a store shows of a repository, and the catalog. */
export async function whole(metadata: Metadata, at = repository): Promise<object> {
  const all = { after: null, limit: 1000 };
  return {
    exists: await metadata.repositoryExists(at),
    tags: await metadata.tags(at, all),
    catalog: await metadata.catalog(all),
    layout: await layoutRecords(metadata, at),
    state: await metadata.records(layoutStates).state(at),
    stale: await metadata.records(layoutStates).stale(1000),
    history: await metadata.history(at, null, 1000),
    orphans: await metadata.orphans(1000),
  };
}

/** Writes a repository's layout as the projector would: everything committed so far is in it. */
export async function project(tested: TestedStore, at = repository): Promise<void> {
  const { generation } = await layoutRecords(tested.metadata, at);
  const stamp = `stamp-${generation}`;
  await tested.noted(layout.plan(null, stamp, at));
  await tested.noted(layout.record(stamp, generation, at));
}
