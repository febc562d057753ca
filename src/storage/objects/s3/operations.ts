/** What the driver asks of S3: method, pace, and the permission that each needs. */
import type { Operation } from "../http/store_dialect.ts";

export const operations = {
  put: row("PUT of an object", "PUT", "write", "s3:PutObject"),
  get: row("GET of an object", "GET", "read", "s3:GetObject"),
  head: row("HEAD of an object", "HEAD", "small", "s3:GetObject and s3:ListBucket"),
  look: row("look at an object", "GET", "small", "s3:GetObject"),
  remove: row("DELETE of an object", "DELETE", "small", "s3:DeleteObject"),
  create: row("begin of an object in parts", "POST", "small", "s3:PutObject"),
  part: row("PUT of a part", "PUT", "write", "s3:PutObject"),
  complete: row("end of an object in parts", "POST", "slow", "s3:PutObject"),
  abort: row("removal of parts", "DELETE", "small", "s3:AbortMultipartUpload"),
  list: row("list of objects", "GET", "small", "s3:ListBucket"),
  unfinished: row("list of objects in parts", "GET", "small", "s3:ListBucketMultipartUploads"),
  versioning: row("question for versioning", "GET", "small", "s3:GetBucketVersioning"),
  lock: row("question for the object lock", "GET", "small", "s3:GetBucketObjectLockConfiguration"),
} as const satisfies Record<string, Operation>;

function row(
  says: string,
  method: Operation["method"],
  pace: Operation["pace"],
  permission: string,
): Operation {
  return { says, method, pace, permission };
}
