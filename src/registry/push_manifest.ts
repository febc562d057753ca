/**
 * Pushes a manifest by digest or tag, or by digest under several tags [end-7a, end-7b].
 *
 * Everything that the manifest must name is in this repository, and is checked again inside the transaction that makes
 * the manifest visible. Its bytes are flushed before; manifest, references and all tags appear in one commit or not at
 * all. When a tag moves, its old manifest can still be pulled by digest. A push that fails leaves no bytes.
 */
import { formatBytes } from "../lib/bytes.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { parseManifest, type Manifest } from "../oci/manifest.ts";
import type { Reference } from "../oci/reference.ts";
import { annotationsBytesMax, listedAnnotations } from "../oci/referrers.ts";
import {
  failedMax,
  type Change,
  type Commit,
  type FailedPrecondition,
  type NewManifest,
  type Precondition,
} from "../metadata/metadata.ts";
import type { UnnamedBytes } from "../storage/blob_store.ts";
import { isHeld } from "./content.ts";
import { nameBytes } from "./name_bytes.ts";
import { withSpace } from "./history/giving_way.ts";
import type { Registry } from "./registry.ts";
import { beingRead, bring } from "./resolve.ts";
import { recordExpiry } from "./retention/expiry_label.ts";
import { immutablePreconditions, movedImmutableTag } from "./retention/fixed_tags.ts";
import { anyTag, forbiddenTag, rulePreconditions, type TagRules } from "./tag_rule.ts";

/**
 * What a tag must be before it is changed: one of these digests, `null` among them for "no such tag"; "present" for
 * any digest; null for no condition (RFC 9110 §13.1).
 */
export type TagCondition = readonly (string | null)[] | "present" | null;

export interface PushRequest {
  readonly repository: string;
  readonly reference: Reference;
  /** Tags of `?tag=` beside a digest. */
  readonly tags: readonly string[];
  readonly bytes: Uint8Array;
  /** The Content-Type header as it came. */
  readonly contentType: string | null;
  /** Holds for each pushed tag. */
  readonly tagIs: TagCondition;
  /** What the caller may do with each tag. */
  readonly tagRules?: TagRules;
  readonly by: string | null;
}

export interface PushResult {
  readonly digest: Digest;
  /** Digest of the subject, for `OCI-Subject`. */
  readonly subject: string | null;
}

/**
 * @throws MANIFEST_INVALID, MANIFEST_TYPE, DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN, PRECONDITION_FAILED; DENIED for a tag
 * that the rules forbid.
 */
export async function pushManifest(registry: Registry, request: PushRequest): Promise<PushResult> {
  const { tagRules = anyTag } = request;
  const digest = checkedDigest(request);
  const manifest = parseManifest(request.bytes, request.contentType);
  const commit: Commit = {
    repository: request.repository,
    preconditions: [
      ...rulePreconditions(pushedTags(request), tagRules),
      // Tags first: not all of many missing references are told.
      ...immutablePreconditions(registry, {
        repository: request.repository,
        tags: pushedTags(request),
        digest,
      }),
      ...tagPreconditions(request),
      ...referencePreconditions(registry, request.repository, manifest),
    ],
    changes: changesOf(request, digest, manifest),
    by: request.by,
    records: registry.origin?.pushed(request.repository, digest, pushedTags(request)) ?? [],
  };
  throwFailed(await checkEarly(registry, commit), { registry, ...request, tagRules });
  await requireReferences(registry, request.repository, manifest);
  for (const check of registry.pushChecks) {
    const { repository, bytes } = request;
    await check({ repository, tags: pushedTags(request), digest, manifest, bytes });
  }
  await recordExpiry(registry, request.repository, { digest, manifest });
  await commitWithBytes(registry, request, digest, commit);
  return { digest, subject: manifest.subject?.digest ?? null };
}

/** The preconditions that fail, once the layout is read in: a tag that was not read yet is no new one. */
async function checkEarly(registry: Registry, commit: Commit): Promise<FailedPrecondition[]> {
  const { repository, preconditions } = commit;
  const check = (): Promise<FailedPrecondition[]> =>
    registry.metadata.check(repository, preconditions);
  const failed = await check();
  if (failed.length === 0 && !preconditions.some(isTagPrecondition)) return failed;
  const brought = await bring(registry, repository);
  if (brought === "later") throw beingRead();
  return brought === "brought" ? await check() : failed;
}

async function commitWithBytes(
  registry: Registry,
  { repository, bytes, tagRules = anyTag }: PushRequest,
  digest: Digest,
  commit: Commit,
): Promise<void> {
  const named = await nameBytes(registry, {
    digest,
    place: async () => {
      const how = { mayBeUnnamed: true, isManifest: true };
      const put = (): Promise<UnnamedBytes | null> =>
        registry.blobs.put(repository, digest, bytes, how);
      return { commit, unnamed: await withSpace(registry, repository, put) };
    },
    refused: (failed, left) =>
      releaseRefused(registry, { repository, digest, tagRules }, { failed, left }),
  });
  if (named) return;
  throw apiError("UNAVAILABLE", {
    message: "The manifest was swept while it was pushed; push it again",
  });
}

/** A push that fails leaves no bytes: the sweep removes what was written, unless another push has named it. */
async function releaseRefused(
  registry: Registry,
  push: { readonly repository: string; readonly digest: Digest; readonly tagRules: TagRules },
  {
    failed,
    left,
  }: { readonly failed: readonly FailedPrecondition[]; readonly left: "bytes" | "nothing" },
): Promise<void> {
  const { repository, digest } = push;
  try {
    throwFailed(failed, { registry, ...push });
  } catch (error) {
    if (left === "nothing") throw error;
    await registry.metadata.commit({
      repository,
      preconditions: [],
      changes: [{ kind: "release-bytes", digest }],
      by: null,
    });
    throw error;
  }
}

/** By digest the bytes must have it, computed with its own algorithm; by tag it is sha256. */
function checkedDigest({ reference, bytes }: PushRequest): Digest {
  if (reference.kind === "tag") return digestOf("sha256", bytes);
  const actual = digestOf(algorithmOf(reference.digest), bytes);
  if (actual === reference.digest) return actual;
  throw apiError("DIGEST_INVALID", {
    message: `The digest of the ${bytes.length} bytes is ${actual}, the path says ${reference.digest}`,
    detail: { digest: reference.digest },
  });
}

/** Each once, however often the manifest names it. */
function referencePreconditions(
  { mayBeSparse }: Registry,
  repository: string,
  manifest: Manifest,
): Precondition[] {
  const preconditions = new Map<string, Precondition>();
  const mayBeAbsent = manifest.kind === "index" && mayBeSparse(repository);
  for (const { descriptor, target, required } of manifest.references) {
    if (!required) continue;
    const { digest, size: sizeBytes, mediaType } = descriptor;
    if (target === "blob") {
      preconditions.set(`${digest} ${sizeBytes}`, {
        kind: "blob-linked",
        digest,
        sizeBytes,
      });
    } else {
      preconditions.set(`${digest} ${sizeBytes} ${mediaType}`, {
        kind: "child-fits",
        digest,
        sizeBytes,
        mediaType,
        mayBeAbsent,
      });
    }
  }
  return [...preconditions.values()];
}

/** What the manifest names and the disk has not as it was recorded has to be pushed again first. */
async function requireReferences(
  registry: Registry,
  repository: string,
  manifest: Manifest,
): Promise<void> {
  const seen = new Set<string>();
  const missing: Digest[] = [];
  for (const { descriptor, target, required } of manifest.references) {
    const digest = parseDigest(descriptor.digest);
    if (!required || digest === null || seen.has(digest)) continue;
    seen.add(digest);
    const sizeBytes =
      target === "blob"
        ? descriptor.size
        : (await registry.metadata.manifestByDigest(repository, digest))?.sizeBytes;
    if (sizeBytes === undefined) continue;
    if (await isHeld(registry, { repository, digest, sizeBytes })) continue;
    missing.push(digest);
    if (missing.length >= failedMax) break;
  }
  if (missing.length > 0) throw unknownReferences(missing, missing.length >= failedMax);
}

function pushedTags({ reference, tags }: PushRequest): readonly string[] {
  return reference.kind === "tag" ? [reference.tag] : tags;
}

function tagPreconditions(request: PushRequest): Precondition[] {
  const { tagIs } = request;
  if (tagIs === null) return [];
  return pushedTags(request).map((tag) =>
    tagIs === "present" ? { kind: "tag-exists", tag } : { kind: "tag-is", tag, digests: tagIs },
  );
}

function changesOf(request: PushRequest, digest: Digest, manifest: Manifest): Change[] {
  const put: Change = {
    kind: "put-manifest",
    manifest: newManifest(request, digest, manifest),
  };
  const tags = pushedTags(request).map((tag): Change => ({
    kind: "set-tag",
    tag,
    digest,
  }));
  return [put, ...tags];
}

function newManifest({ bytes }: PushRequest, digest: Digest, manifest: Manifest): NewManifest {
  const annotations = listedAnnotations(manifest);
  if (!annotations.fit) throw largeAnnotations();
  const references = new Map(
    manifest.references.map(({ descriptor, target }) => [
      `${target} ${descriptor.digest}`,
      { digest: descriptor.digest, target },
    ]),
  );
  return {
    digest,
    mediaType: manifest.mediaType,
    sizeBytes: bytes.length,
    subject: manifest.subject?.digest ?? null,
    artifactType: manifest.artifactType,
    annotations: annotations.text,
    references: [...references.values()],
  };
}

function largeAnnotations(): ApiError {
  return apiError("MANIFEST_TOO_LARGE", {
    message: `A manifest with a subject has annotations of up to ${formatBytes(annotationsBytesMax)} here: lists of referrers show them`,
  });
}

/** Turns failed preconditions into the API error that they mean; missing bytes alone are no reason. */
function throwFailed(
  failed: readonly FailedPrecondition[],
  {
    registry,
    repository,
    tagRules,
  }: { readonly registry: Registry; readonly repository: string; readonly tagRules: TagRules },
): void {
  const forbidden = forbiddenTag(failed, tagRules);
  if (forbidden !== null) throw tagRules.forbidden(forbidden);
  const immutable = movedImmutableTag(registry, repository, failed);
  if (immutable !== null) throw immutable;
  const moved = failed.find(({ precondition }) => isTagPrecondition(precondition));
  if (moved !== undefined) throw movedTag(moved);
  const missing = failed.filter(
    ({ precondition: { kind }, found }) =>
      (kind === "child-fits" || kind === "blob-linked") && found === null,
  );
  if (missing.length > 0) throw missingReferences(missing);
  const misdescribed = failed.find(({ precondition: { kind } }) => describing.has(kind));
  if (misdescribed !== undefined) throw misdescription(misdescribed);
}

const describing: ReadonlySet<Precondition["kind"]> = new Set(["child-fits", "blob-linked"]);

function digestIn({ precondition }: FailedPrecondition): string {
  return "digest" in precondition ? precondition.digest : "";
}

function missingReferences(missing: readonly FailedPrecondition[]): ApiError {
  const digests = [...new Set(missing.map(digestIn))];
  return unknownReferences(digests, missing.length >= failedMax);
}

function unknownReferences(digests: readonly string[], cutOff: boolean): ApiError {
  const errors: { message: string; detail?: unknown }[] = digests.map((digest) => ({
    message: `${digest} is named by the manifest and is not in this repository; push it first`,
    detail: { digest },
  }));
  if (cutOff) {
    errors.push({ message: `No more than ${failedMax} are listed; others may be missing, too` });
  }
  return apiError("MANIFEST_BLOB_UNKNOWN", { errors });
}

/** Clients compare what they pull with the descriptor that led to it. */
function misdescription(failed: FailedPrecondition): ApiError {
  const { precondition, found } = failed;
  const digest = digestIn(failed);
  const what = precondition.kind === "child-fits" ? "manifest" : "blob";
  const says =
    typeof found === "string" && precondition.kind === "child-fits"
      ? `${shown(precondition.mediaType)}, the ${what} was pushed as ${shown(found)}`
      : `${"sizeBytes" in precondition ? precondition.sizeBytes : ""} bytes, the ${what} has ${found}`;
  const message = `The descriptor of ${digest} says ${says}`;
  return apiError("MANIFEST_INVALID", { message, detail: { digest } });
}

function shown(mediaType: string): string {
  return JSON.stringify(mediaType);
}

function isTagPrecondition(precondition: Precondition): boolean {
  return precondition.kind === "tag-is" || precondition.kind === "tag-exists";
}

function movedTag({ precondition, found }: FailedPrecondition): ApiError {
  const tag = "tag" in precondition ? precondition.tag : "";
  return apiError("PRECONDITION_FAILED", {
    message:
      found === null ? `The tag ${tag} does not exist` : `The tag ${tag} points at ${found} now`,
  });
}
