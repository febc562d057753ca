/**
 * The contract of a rule that a pushed manifest must keep, beyond the specification: an extension brings it. It is asked
 * when all that the manifest names is here, and before anything of it is written.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";

export interface CheckedPush {
  readonly repository: string;
  /** Tags that it is pushed under; empty for a digest alone. */
  readonly tags: readonly string[];
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

/** @throws an API error for a push that is refused. */
export type PushCheck = (pushed: CheckedPush) => Promise<void>;
