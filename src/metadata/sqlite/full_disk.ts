/**
 * Which commits must succeed on a full disk: those that free space, and those that must be written before bytes can be
 * removed.
 */
import { isRecordCommit, partsOf, type AnyCommit, type Change } from "../metadata.ts";
import { storesIn, type RecordCommit } from "../records.ts";
import { tablesOf, type Stores } from "../sql/record_tables.ts";

const freeing: Readonly<Record<Change["kind"], boolean>> = {
  "link-blob": false,
  "unlink-blob": true,
  "put-manifest": false,
  "remove-manifest": true,
  "set-tag": false,
  "remove-tag": true,
  "create-repository": false,
  "restore-held": false,
  "release-held": true,
  purge: true,
  pin: false,
  unpin: true,
  "release-bytes": true,
  "sweep-orphan": true,
  "retry-orphan": true,
  promise: false,
  "keep-candidate": true,
  "drop-candidate": true,
  "mark-damaged": true,
  quarantine: true,
  "mark-sound": true,
  "remove-repository": true,
};

export function freesSpace(stores: Stores, commit: AnyCommit): boolean {
  if (isRecordCommit(commit)) return storesIn(commit).every((each) => areFreeing(stores, each));
  return partsOf(commit).every(
    ({ changes, records = [] }) =>
      changes.every(({ kind }) => freeing[kind]) &&
      records.every((each) => areFreeing(stores, each)),
  );
}

function areFreeing(stores: Stores, { records, changes }: RecordCommit): boolean {
  const tables = tablesOf(stores, records);
  return changes.every((change) => tables.frees(change));
}
