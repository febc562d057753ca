// Digests: the names of bytes. `<algorithm>:<encoded>`, as image-spec descriptor.md defines them.
//
// A value of type `Digest` is well-formed and of an algorithm that we can compute, so that it may
// become a key or a path. Two digests name the same bytes only if they are the same string: hex is
// lower case by the grammar, and keys always include the algorithm. Weak algorithms (md5, sha1)
// fit the grammar and are refused as unsupported. Descriptors may carry digests that we cannot
// compute; those stay plain strings.

import { createHash, type Hash } from "node:crypto";
import { must } from "../lib/assert.ts";

/** A digest that is well-formed and of a supported algorithm. Made by `parseDigest` only. */
export type Digest = string & { readonly __brand: "Digest" };

export type Algorithm = "sha256" | "sha512";

/** The algorithms that the registry computes. `hexLength` is the length of the encoded part. */
export const algorithms: Readonly<Record<Algorithm, { readonly hexLength: number }>> = {
  sha256: { hexLength: 64 },
  sha512: { hexLength: 128 },
};

const supported = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;
const wellFormed = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):[a-zA-Z0-9=_-]+$/;
const sha256TextLength = "sha256:".length + algorithms.sha256.hexLength;
/** The grammar sets no limit; ours keeps the check cheap. No registered algorithm comes near it. */
const textLengthMax = 512;
const sha512TextLength = "sha512:".length + algorithms.sha512.hexLength;

function isDigest(text: string): text is Digest {
  const length = text.length;
  return (length === sha256TextLength || length === sha512TextLength) && supported.test(text);
}

/** Returns the text as a digest when it is well-formed and supported, otherwise null. */
export function parseDigest(text: string): Digest | null {
  return isDigest(text) ? text : null;
}

/**
 * Says why `parseDigest` returns null: "malformed" breaks the grammar of image-spec descriptor.md
 * (or the registered length and case of sha256 and sha512), "unsupported" fits it but names an
 * algorithm that we do not compute. Null when there is no problem.
 */
export function digestProblem(text: string): "malformed" | "unsupported" | null {
  if (isDigest(text)) return null;
  const algorithm = text.length > textLengthMax ? undefined : wellFormed.exec(text)?.[1];
  return algorithm === undefined || isAlgorithm(algorithm) ? "malformed" : "unsupported";
}

/** Tells whether the registry computes the algorithm of this name. */
export function isAlgorithm(text: string): text is Algorithm {
  return Object.hasOwn(algorithms, text);
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith("sha256:") ? "sha256" : "sha512";
}

/** The encoded part: lower-case hex, safe as a file name. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Hashes bytes as they pass. `digest` ends it: no method may be called afterwards. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Digest;
  /** Another one that has seen the same bytes. */
  copy(): Hasher;
}

export function newHasher(algorithm: Algorithm): Hasher {
  return hasherOf(algorithm, createHash(algorithm));
}

function hasherOf(algorithm: Algorithm, hash: Hash): Hasher {
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => named(algorithm, hash.digest("hex")),
    copy: () => hasherOf(algorithm, hash.copy()),
  };
}

/** The digest of bytes that are at hand as a whole. */
export function digestOf(algorithm: Algorithm, bytes: Uint8Array): Digest {
  return named(algorithm, createHash(algorithm).update(bytes).digest("hex"));
}

function named(algorithm: Algorithm, hex: string): Digest {
  return must(parseDigest(`${algorithm}:${hex}`), "A computed digest fits the grammar");
}
