/** What the driver asks of Azure Blob Storage: method, pace, and the permission that each needs. */
import type { Operation } from "../http/store_dialect.ts";

const write = "permission to write blobs (Storage Blob Data Contributor)";
const read = "permission to read blobs (Storage Blob Data Contributor)";

export const operations = {
  put: row("PUT of a blob", "PUT", "write", write),
  get: row("GET of a blob", "GET", "read", read),
  head: row("HEAD of a blob", "HEAD", "small", read),
  remove: row("DELETE of a blob", "DELETE", "small", write),
  block: row("PUT of a block", "PUT", "write", write),
  commit: row("PUT of a list of blocks", "PUT", "slow", write),
  list: row("list of blobs", "GET", "small", read),
} as const satisfies Record<string, Operation>;

function row(
  says: string,
  method: Operation["method"],
  pace: Operation["pace"],
  permission: string,
): Operation {
  return { says, method, pace, permission };
}
