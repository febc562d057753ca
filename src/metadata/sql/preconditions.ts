/**
 * The preconditions of a commit as a table of checks: for the writer inside its transaction, and for readers that check
 * early.
 */
import { essenceOf } from "../../lib/http_fields.ts";
import { failedMax, type Commit, type FailedPrecondition, type Precondition } from "../metadata.ts";
import { candidateSince } from "./candidates.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Asked, CommitContext } from "./commit_context.ts";
import { heldTree, isManifest } from "./held.ts";
import { mirrorOwnership } from "./mirror_tables.ts";
import { isReserved } from "./object_tables.ts";
import { all, get, type Rule } from "./statements.ts";

/** Indexes that a delete looks at, to see whether something names them; with more the manifest stays. */
const parentsMax = 1_000;

/** Where a digest has a name in a repository. */
export const namingTables = ["blobs", "manifests", "held_blobs", "held_manifests"] as const;

/** The preconditions that do not hold in the database as it is: the first `failedMax` of them. */
export function* failedPreconditions(
  context: CommitContext,
  { repository, preconditions }: Pick<Commit, "repository" | "preconditions">,
  id: number | null,
): Rule<FailedPrecondition[]> {
  const failed: FailedPrecondition[] = [];
  const asked: Asked = { ...context, repository };
  for (const precondition of preconditions) {
    if (failed.length >= failedMax) break;
    const found = yield* checkPrecondition(asked, id, precondition);
    if (found !== holds) failed.push({ precondition, found });
  }
  return failed;
}

/** What a check returns when its precondition holds; anything else is what was found instead. */
const holds = Symbol("holds");
type Found = typeof holds | string | number | null;

type Checks = {
  [K in Precondition["kind"]]: (
    work: Asked,
    id: number | null,
    precondition: Extract<Precondition, { kind: K }>,
  ) => Rule<Found>;
};

const checks: Checks = {
  *"blob-linked"(work, id, { digest, sizeBytes }) {
    const row = yield* get(
      work,
      "SELECT size FROM blobs WHERE repository = ? AND digest = ?",
      id,
      digest,
    );
    if (row === null) return null;
    const size = Number(row["size"]);
    return sizeBytes === undefined || sizeBytes === size ? holds : size;
  },
  *"manifest-exists"(work, id, { digest }) {
    return (yield* get(
      work,
      "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    )) === null
      ? null
      : holds;
  },
  *"child-fits"(work, id, { digest, sizeBytes, mediaType, mayBeAbsent }) {
    const row = yield* get(
      work,
      "SELECT size, media_type FROM manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    );
    if (row === null) return mayBeAbsent ? holds : null;
    if (row["size"] !== sizeBytes) return Number(row["size"]);
    const found = String(row["media_type"]);
    return essenceOf(found) === essenceOf(mediaType) ? holds : found;
  },
  *unreferenced(work, id, { digest }) {
    const row = yield* get(
      work,
      "SELECT parent FROM manifest_references WHERE repository = ? AND child = ? LIMIT 1",
      id,
      digest,
    );
    return row === null ? holds : String(row["parent"]);
  },
  *unprotected(work, id, { digest }) {
    const parents = yield* all(
      work,
      "SELECT parent, target FROM manifest_references WHERE repository = ? AND child = ? LIMIT ?",
      id,
      digest,
      parentsMax,
    );
    for (const { parent, target } of parents) {
      if (target !== "manifest" || (yield* isListed(work, id, String(parent))))
        return String(parent);
    }
    return parents.length < parentsMax ? holds : String(parents[0]?.["parent"]);
  },
  *"tag-is"(work, id, { tag, digests }) {
    const found = yield* tagDigest(work, id, tag);
    return digests.includes(found) ? holds : found;
  },
  *"tag-exists"(work, id, { tag }) {
    return (yield* tagDigest(work, id, tag)) === null ? null : holds;
  },
  *"tags-are"(work, id, { digest, tags }) {
    const found = yield* all(
      work,
      "SELECT name FROM tags WHERE repository = ? AND digest = ? LIMIT ?",
      id,
      digest,
      tags.length + 1,
    );
    const expected = new Set(tags);
    const isSame =
      found.length === expected.size && found.every(({ name }) => expected.has(String(name)));
    return isSame ? holds : found.length;
  },
  *"tags-at-most"(work, id, { digest, count }) {
    const found = (yield* all(
      work,
      "SELECT name FROM tags WHERE repository = ? AND digest = ? LIMIT ?",
      id,
      digest,
      count + 1,
    )).length;
    return found > count ? found : holds;
  },
  *"manifest-absent"(work, id, { digest }) {
    return (yield* get(
      work,
      "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    )) === null
      ? holds
      : digest;
  },
  *"mirror-owned"(work, _id, { digest }) {
    const { repository } = work;
    const isCached = (yield* get(work, mirrorOwnership.cached, repository, digest)) !== null;
    return isCached && (yield* get(work, mirrorOwnership.own, repository, digest)) === null
      ? holds
      : digest;
  },
  *"candidate-since"(work, id, { digest, as, since }) {
    const found = yield* candidateSince(work, id, digest, as);
    return found === since ? holds : found;
  },
  *"repository-empty"(work, id) {
    return (yield* isEmpty(work, id)) ? holds : null;
  },
  *known(work, id, { digest }) {
    return (yield* isNamed(work, id, digest)) ? holds : null;
  },
  *restorable(work, id, { digest, as }) {
    if (as === "manifest" && !(yield* isManifest(work, id, digest))) return digest;
    const { manifests, blobs, missing } = yield* heldTree(work, id, digest);
    if (missing !== null) return missing;
    // Another tool may have removed files that only undo holds.
    for (const held of [...manifests, ...blobs]) {
      if (!(yield* work.bytes.present(work, work.repository, held as Digest))) return held;
    }
    return holds;
  },
  *"bytes-present"(work, _id, { digest }) {
    return (yield* work.bytes.present(work, work.repository, digest)) ? holds : null;
  },
  *"key-reserved"(work, _id, { key }) {
    return (yield* isReserved(work, key)) ? holds : null;
  },
  *"bytes-are"(work, _id, { digest, stamp }) {
    const found = yield* work.bytes.stamp(work, work.repository, digest);
    return found === stamp ? holds : found;
  },
  *"unmarked-in"(work, _id, { digest, repository }) {
    const marked =
      "SELECT 1 FROM damaged WHERE repository = (SELECT id FROM repositories WHERE name = ?) AND digest = ?";
    return (yield* get(work, marked, repository, digest)) === null ? holds : repository;
  },
  *"origin-in"({ repository, ...work }, _id, { hosts }) {
    const row = yield* get(
      work,
      "SELECT host FROM mirror_origins WHERE repository = ?",
      repository,
    );
    return row === null || hosts.includes(String(row["host"])) ? holds : String(row["host"]);
  },
};

/** What undo holds, and bytes that wait for the sweep, count, too: their directory is still in use. */
function* isEmpty(work: CommitContext, id: number | null): Rule<boolean> {
  for (const table of [...namingTables, "orphans"]) {
    const found = `SELECT 1 FROM ${table} WHERE repository = ? AND digest > '' LIMIT 1`;
    if ((yield* get(work, found, id)) !== null) return false;
  }
  return true;
}

function checkPrecondition(
  work: Asked,
  id: number | null,
  precondition: Precondition,
): Rule<Found> {
  const check = checks[precondition.kind] as (
    context: Asked,
    id: number | null,
    precondition: Precondition,
  ) => Rule<Found>;
  return check(work, id, precondition);
}

/** Null for one that was removed, too: a push makes it anew. */
export function* findRepository(work: CommitContext, name: string): Rule<number | null> {
  const row = yield* get(work, "SELECT id, removed_at FROM repositories WHERE name = ?", name);
  return row === null || row["removed_at"] !== null ? null : Number(row["id"]);
}

function* tagDigest(work: CommitContext, id: number | null, tag: string): Rule<string | null> {
  const row = yield* get(
    work,
    "SELECT digest FROM tags WHERE repository = ? AND name = ?",
    id,
    tag,
  );
  return row === null ? null : String(row["digest"]);
}

/** Whether a blob or a manifest of the repository has the digest, or undo holds one. */
export function* isNamed(work: CommitContext, id: number | null, digest: string): Rule<boolean> {
  for (const table of namingTables) {
    const found = `SELECT 1 FROM ${table} WHERE repository = ? AND digest = ?`;
    if ((yield* get(work, found, id, digest)) !== null) return true;
  }
  return false;
}

/** Whether something names a manifest: a tag, an index, or its own subject, in whose list of referrers it stands. */
function* isListed(work: CommitContext, id: number | null, digest: string): Rule<boolean> {
  return (
    (yield* get(
      work,
      "SELECT 1 FROM tags WHERE repository = ? AND digest = ? LIMIT 1",
      id,
      digest,
    )) !== null ||
    (yield* get(
      work,
      "SELECT 1 FROM manifest_references WHERE repository = ? AND child = ? LIMIT 1",
      id,
      digest,
    )) !== null ||
    (yield* get(
      work,
      "SELECT 1 FROM manifests WHERE repository = ? AND digest = ? AND subject IS NOT NULL",
      id,
      digest,
    )) !== null
  );
}
