/** A manifest of an upstream under the digest that it was asked for by, or that its bytes have. */
import { algorithmOf, digestOf, type Digest } from "../../../oci/digest.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import type { UpstreamManifest } from "../upstream/upstream.ts";
import type { Mirror } from "./mirror.ts";

export interface CheckedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The upstream client computed the digest; what was asked for by digest has that one. */
export function checked(
  got: UpstreamManifest,
  mirror: Mirror,
  asked: Digest | null,
): CheckedManifest {
  const { host } = mirror.upstream;
  const { bytes, mediaType } = got;
  const digest = digestOf(asked === null ? "sha256" : algorithmOf(asked), bytes);
  if (asked === null || digest === asked) return { digest, mediaType, bytes };
  throw new UpstreamTrouble("wrong-digest", host, { words: `sent ${digest} for ${asked}` });
}
