/** What the driver asks of Google Cloud Storage, by its JSON API: method, pace, and the permission that each needs. */
import type { Operation } from "../http/store_dialect.ts";

export const operations = {
  put: row(
    "upload of an object",
    "POST",
    "write",
    "storage.objects.create and storage.objects.delete",
  ),
  get: row("download of an object", "GET", "read", "storage.objects.get"),
  look: row("look at an object", "GET", "small", "storage.objects.get and storage.objects.list"),
  remove: row("removal of an object", "DELETE", "small", "storage.objects.delete"),
  compose: row(
    "joining of parts",
    "POST",
    "slow",
    "storage.objects.create and storage.objects.get",
  ),
  list: row("list of objects", "GET", "small", "storage.objects.list"),
  bucket: row("look at the bucket", "GET", "small", "storage.buckets.get"),
} as const satisfies Record<string, Operation>;

function row(
  says: string,
  method: Operation["method"],
  pace: Operation["pace"],
  permission: string,
): Operation {
  return { says, method, pace, permission };
}
