/**
 * A page of counters that all processes of one server share: it tells a worker whether what it remembers of a
 * repository may still be true.
 *
 * The counter of a repository moves after a commit that removes something, moves a tag, or changes what is known of its
 * upstream, and before that commit is acknowledged. A worker that read the counter before it read the store, and finds it unmoved, may answer from memory.
 * Repositories share counters by hash, which costs a needless read now and then, never a wrong answer. Several servers
 * on one root do not share this page, so they remember nothing (`server/directory_root.ts`).
 */
import { openSharedPage, type PageAt } from "../lib/shared_page.ts";
import {
  isRecordCommit,
  partsOf,
  type AnyCommit,
  type Change,
  type CommitOutcome,
  type Committer,
} from "./metadata.ts";
import { mirrors, type MirrorChange } from "./mirrors.ts";
import { storesIn } from "./records.ts";

const slots = 1024;

/** Changes after which something remembered may be wrong; what only adds is never remembered as absent. */
const forgetting: Readonly<Record<Change["kind"], boolean>> = {
  "link-blob": false,
  "unlink-blob": true,
  "put-manifest": true,
  "remove-manifest": true,
  "set-tag": true,
  "remove-tag": true,
  "create-repository": false,
  "restore-held": false,
  "release-held": false,
  purge: true,
  pin: false,
  unpin: false,
  "release-bytes": false,
  "sweep-orphan": false,
  "retry-orphan": false,
  promise: false,
  "keep-candidate": false,
  "drop-candidate": false,
  "mark-damaged": true,
  quarantine: false,
  "mark-sound": false,
  "remove-repository": true,
};

export class Epochs {
  readonly #counters: Int32Array;

  /** Opens the page, making it when it is not there; without a place it is one of this process alone. */
  constructor(at: PageAt = new Int32Array(slots)) {
    this.#counters = openSharedPage(at, new Int32Array(slots));
  }

  slotOf(repository: string): number {
    return Bun.hash.cityHash32(repository) % slots;
  }

  read(slot: number): number {
    return Atomics.load(this.#counters, slot);
  }

  bump(repository: string): void {
    Atomics.add(this.#counters, this.slotOf(repository), 1);
  }
}

/** Moves the counters of what a commit changed, before its success is acknowledged. */
export class EpochCommitter implements Committer {
  readonly #committer: Committer;
  readonly #epochs: Epochs;

  constructor(committer: Committer, epochs: Epochs) {
    this.#committer = committer;
    this.#epochs = epochs;
  }

  async commit(commit: AnyCommit): Promise<CommitOutcome> {
    try {
      return await this.#committer.commit(commit);
    } finally {
      // Also after a failure: its outcome may be unknown, and a needless read is harmless.
      for (const repository of staleAfter(commit)) this.#epochs.bump(repository);
    }
  }
}

/** Repositories of which something remembered may be wrong after a commit. */
function staleAfter(commit: AnyCommit): ReadonlySet<string> {
  const parts = partsOf(commit);
  const stale = new Set<string>();
  for (const { repository, changes } of parts) {
    if (changes.some(({ kind }) => forgetting[kind])) stale.add(repository);
  }
  const records = isRecordCommit(commit)
    ? storesIn(commit)
    : parts.flatMap((part) => part.records ?? []);
  for (const { records: store, changes } of records) {
    if (store !== mirrors.name) continue;
    for (const { repository } of changes as readonly MirrorChange[]) stale.add(repository);
  }
  return stale;
}
