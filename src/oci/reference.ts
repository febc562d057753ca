// Repository names, tags and references: the grammar of distribution-spec, "Pulling manifests".
//
// These checks stand before any use of a name as a key or a path. The patterns are anchored, have
// one way to match, and are tried only on text of bounded length, so they cost linear time. A tag
// never holds ":" and a digest always does: its presence decides what a reference is meant to be.

import { digestProblem, parseDigest, type Digest } from "./digest.ts";

/** Clients refuse `<host>/<name>` beyond 255 characters; so the name alone is held to that. */
const repositoryNameLengthMax = 255;
const tagLengthMax = 128;

const repositoryName =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tag = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Tells whether the text is a legal repository name. Note that "index.json" and "blobs" are. */
export function isRepositoryName(text: string): boolean {
  return text.length <= repositoryNameLengthMax && repositoryName.test(text);
}

/** Tells whether the text is a legal tag. Note that "__proto__" and "constructor" are. */
export function isTag(text: string): boolean {
  return text.length <= tagLengthMax && tag.test(text);
}

export type Reference = { kind: "tag"; tag: string } | { kind: "digest"; digest: Digest };

export type InvalidReference = {
  kind: "invalid";
  problem: "tag" | "malformed-digest" | "unsupported-digest";
};

/** Reads the `<reference>` of a manifest path (already percent-decoded). */
export function parseReference(text: string): Reference | InvalidReference {
  if (!text.includes(":")) {
    return isTag(text) ? { kind: "tag", tag: text } : { kind: "invalid", problem: "tag" };
  }
  const digest = parseDigest(text);
  if (digest !== null) return { kind: "digest", digest };
  const unsupported = digestProblem(text) === "unsupported";
  return { kind: "invalid", problem: unsupported ? "unsupported-digest" : "malformed-digest" };
}
