// THE table of clauses, joined: every sentence that a case of the suite judges by.
//
// A case cites a clause by its name; a name that is not here does not compile.
import { blobClauses } from "./blob_clauses.ts";
import type { Clause } from "./clause.ts";
import { listClauses } from "./list_clauses.ts";
import { manifestClauses } from "./manifest_clauses.ts";
import { otherClauses } from "./other_clauses.ts";

export type { Clause, Source } from "./clause.ts";

export const clauses = {
  ...blobClauses,
  ...manifestClauses,
  ...listClauses,
  ...otherClauses,
} as const;

export type ClauseName = keyof typeof clauses;

/** Codes that an error body may use (distribution-spec, "Error Codes"). */
export const registeredErrorCodes: ReadonlySet<string> = new Set([
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "UNAUTHORIZED",
  "DENIED",
  "UNSUPPORTED",
  "TOOMANYREQUESTS",
]);

/** Link to the clause for reports; null when there is no public page to point to. */
export function clauseUrl(clause: Clause): string | null {
  if (clause.source === "distribution-spec") {
    return `https://github.com/opencontainers/distribution-spec/blob/main/spec.md#${clause.anchor ?? ""}`;
  }
  if (clause.source === "RFC 9110") {
    return `https://www.rfc-editor.org/rfc/rfc9110#section-${clause.section.split(" ", 1)[0] ?? ""}`;
  }
  if (clause.source === "image-spec") return "https://github.com/opencontainers/image-spec";
  return null;
}
