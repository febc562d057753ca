/** A target that has nothing: what would go into a directory or an archive that is not there yet. */
import type { ImageTarget, PlacedManifest } from "./image_place.ts";

export function nothingThere(label: string): ImageTarget {
  return {
    label,
    isWhole: false,
    parallelMax: 64,
    tagDigest: async (): Promise<string | null> => null,
    hasManifest: async () => false,
    manifest: async (): Promise<PlacedManifest | null> => null,
    hasBlob: async () => false,
    putBlob: async () => "sent",
    putManifest: async () => {},
    finish: async () => {},
    close: async () => {},
  };
}

/** The same target, which is asked and never written to. */
export function onlyAsked(target: ImageTarget): ImageTarget {
  return {
    ...nothingThere(target.label),
    isWhole: target.isWhole,
    parallelMax: target.parallelMax,
    tagDigest: (tag) => target.tagDigest(tag),
    hasManifest: (digest) => target.hasManifest(digest),
    manifest: (digest) => target.manifest(digest),
    hasBlob: (blob, isNamed) => target.hasBlob(blob, isNamed),
    close: () => target.close(),
  };
}
