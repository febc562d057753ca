/**
 * What the parts of an intake of another tool's layout work with: `take_in_manifests.ts`, `take_in_tags.ts` and
 * `take_in_blobs.ts`, joined in `reconcile_layout.ts`.
 */
import type { Registry } from "./registry.ts";

export interface Intake {
  readonly registry: Registry;
  readonly repository: string;
  /** The generation that our last index.json showed: later facts are newer than the file. */
  readonly projected: number;
  readonly signal: AbortSignal | undefined;
}
