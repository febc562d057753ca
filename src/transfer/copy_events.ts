/** What a copy tells while it runs, and what it reports at its end. */
import type { Digest } from "../oci/digest.ts";

/** One image to copy: a reference of the source, and the tag that it gets. */
export interface ImageToCopy {
  /** A tag, a name or a digest. */
  readonly reference: string;
  /** Null: it is reached by its digest alone. */
  readonly tag: string | null;
}

export type ImageOutcome = "copied" | "there";

export interface CopiedImage extends ImageToCopy {
  /** Of what the tag names at the target. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** `there`: the target had all of it. */
  readonly outcome: ImageOutcome;
  /** What is not as it was at the source, in one sentence. */
  readonly notes: readonly string[];
}

export interface FailedImage extends ImageToCopy {
  readonly reason: unknown;
}

export interface Counts {
  count: number;
  sizeBytes: number;
}

export interface CopyReport {
  readonly images: readonly CopiedImage[];
  readonly failed: readonly FailedImage[];
  /** Images that were not tried, because too many in a row failed. */
  readonly untried: number;
  readonly manifests: { readonly sent: Counts; readonly there: Counts };
  readonly blobs: { readonly sent: Counts; readonly mounted: Counts; readonly there: Counts };
  /** Signatures, SBOMs and the like that came along. */
  readonly referrers: number;
}

export type CopyEvent =
  | { readonly kind: "image-begun"; readonly image: ImageToCopy }
  | { readonly kind: "image-done"; readonly image: CopiedImage }
  | { readonly kind: "image-failed"; readonly image: FailedImage }
  /** A blob that the target lacks. */
  | { readonly kind: "blob-begun"; readonly digest: Digest; readonly sizeBytes: number }
  | {
      readonly kind: "blob-done";
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly outcome: "sent" | "mounted" | "there";
    }
  | { readonly kind: "bytes"; readonly bytes: number };
