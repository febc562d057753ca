/** A blob that is to come from an upstream. */
import { KiB } from "../../../lib/bytes.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { MirroredName } from "./mirror.ts";

/** The last bytes of a blob are handed out when all of it was verified. */
export const heldBackBytes = 64 * KiB;

export interface FetchedBlob {
  readonly repository: string;
  readonly digest: Digest;
  /** Null where no manifest says it. */
  readonly sizeBytes: number | null;
  /** Asked in this order. */
  readonly sources: readonly MirroredName[];
}
