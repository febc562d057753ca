/**
 * Which commits must succeed on a full disk: those after which less is kept, and what has to be written before their
 * bytes can go.
 */
import type { Change, Commit } from "../metadata.ts";

const freeing: Readonly<Record<Change["kind"], boolean>> = {
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

export function freesSpace({ changes }: Commit): boolean {
  return changes.every(({ kind }) => freeing[kind]);
}
