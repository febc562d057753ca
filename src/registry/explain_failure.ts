/** What failures of storage and metadata mean to a client. */
import { BatcherFull } from "../lib/batcher.ts";
import { DamagedContent } from "./content.ts";
import { MetadataFull, MetadataUnavailable, QuotaExceeded } from "../metadata/metadata.ts";
import type { ApiErrorName } from "../oci/errors.ts";
import { StorageFull, StoreRefused, StoreUnavailable } from "../storage/blob_store.ts";
import { quotaRefusal } from "./usage/quota_error.ts";

interface Explained {
  readonly reason: ApiErrorName;
  readonly message?: string;
  readonly detail?: unknown;
}

/** Codes of a full disk, or a quota that is used up, where the error has no class of its own. */
const fullCodes: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "SQLITE_FULL"]);

/** Codes of a process or a machine that has as many open files as it may. */
const tooManyFiles: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE"]);

/** Null for what is no known failure. */
export function explainFailure(error: unknown): Explained | null {
  if (error instanceof QuotaExceeded) return quotaRefusal(error.exceeded);
  if (isFull(error)) return { reason: "STORAGE_FULL" };
  if (error instanceof DamagedContent) {
    const what = `${error.digest} is damaged on the disk of this registry`;
    return { reason: "CONTENT_DAMAGED", message: `${what}; a push of it repairs it` };
  }
  if (error instanceof MetadataUnavailable || error instanceof BatcherFull) {
    return { reason: "UNAVAILABLE" };
  }
  if (error instanceof StoreUnavailable || error instanceof StoreRefused) {
    return {
      reason: "UNAVAILABLE",
      message: "The store that holds the content does not serve this registry now; try again later",
    };
  }
  if (error instanceof Error && "code" in error && tooManyFiles.has(error.code)) {
    return {
      reason: "UNAVAILABLE",
      message: "Registry has as many files open as it may; try again later",
    };
  }
  return null;
}

/** Whether something failed for want of space alone. */
export function isFull(error: unknown): boolean {
  if (error instanceof StorageFull || error instanceof MetadataFull) return true;
  return error instanceof Error && "code" in error && fullCodes.has(error.code);
}
