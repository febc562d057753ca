/**
 * Which commits must succeed on a full disk: those after which less is kept, and what has to be written before their
 * bytes can go.
 */
import { partsOf, type AnyCommit, type Change } from "../metadata.ts";
import type { UserChange } from "./api_key_rows.ts";

const freeing: Readonly<Record<(Change | UserChange)["kind"], boolean>> = {
  "link-blob": false,
  "unlink-blob": true,
  "put-manifest": false,
  "remove-manifest": true,
  "set-tag": false,
  "remove-tag": true,
  "create-repository": false,
  "plan-layout": true,
  "record-layout": true,
  "raise-generation": true,
  "release-bytes": true,
  "sweep-orphan": true,
  "put-api-key": false,
  "remove-api-key": true,
  "touch-api-key": false,
  "end-api-keys": true,
  "put-file-user": false,
  "keep-file-users": true,
};

export function freesSpace(commit: AnyCommit): boolean {
  const changes =
    "records" in commit
      ? (commit.changes as readonly UserChange[])
      : partsOf(commit).flatMap((part) => part.changes);
  return changes.every(({ kind }) => freeing[kind]);
}
