/**
 * What the store asks of the bytes, under its write lock, so that a sweep and a push cannot cross.
 *
 * The contract of the two, which a store without such a lock can fulfil as well: a commit that names content carries
 * `bytes-present` and is refused when a sweep took the bytes meanwhile; its caller then puts them there again. What
 * loses its last name, or is released unnamed, becomes an orphan in that commit; what is named again is none. A sweep
 * (`sweep-orphan`) removes bytes only while no commit can name them. Tested by test/faults/sweep_stress.test.ts.
 *
 * They are rules: bytes that rows tell of are looked at by statements of the commit's own transaction
 * (`objects_under_lock.ts`), and files at once (`atOnce`).
 */
import type { Digest } from "../../oci/digest.ts";
import type { RecordWork } from "./record_tables.ts";
import { known, type Rule } from "./statements.ts";

export interface BytesUnderLock {
  present(work: RecordWork, repository: string, digest: Digest): Rule<boolean>;
  remove(work: RecordWork, repository: string, digest: Digest): Rule<unknown>;
  /** Tells what lies there from anything else (`ContentStat`), whether it can be read or not; null for nothing. */
  stamp(work: RecordWork, repository: string, digest: Digest): Rule<string | null>;
  /** Moves what lies there with this stamp to a place of its own; under which name, or null where something else lies. */
  quarantine(
    work: RecordWork,
    repository: string,
    digest: Digest,
    to: Quarantined,
  ): Rule<string | null>;
}

export interface Quarantined {
  readonly stamp: string;
  readonly name: string;
}

/** Bytes that answer without a statement. */
export interface BytesAtOnce {
  present(repository: string, digest: Digest): boolean;
  remove(repository: string, digest: Digest): void;
  stamp(repository: string, digest: Digest): string | null;
  quarantine(repository: string, digest: Digest, to: Quarantined): string | null;
}

export function atOnce(bytes: BytesAtOnce): BytesUnderLock {
  return {
    present: (_work, repository, digest) => known(bytes.present(repository, digest)),
    remove: (_work, repository, digest) => known(bytes.remove(repository, digest)),
    stamp: (_work, repository, digest) => known(bytes.stamp(repository, digest)),
    quarantine: (_work, repository, digest, to) => known(bytes.quarantine(repository, digest, to)),
  };
}
