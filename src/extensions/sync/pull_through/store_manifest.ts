/**
 * Keeps a manifest that came from an upstream: its bytes, then one commit with what it names, its tag and its origin.
 *
 * What it names need not be here, now or ever. Its bytes have its digest; what they mean is understood as of a layout
 * that another tool wrote.
 */
import { mirrors, type MirrorChange } from "../../../metadata/mirrors.ts";
import { must } from "../../../lib/assert.ts";
import type {
  Change,
  Commit,
  FailedPrecondition,
  Precondition,
} from "../../../metadata/metadata.ts";
import { recordCommit, type RecordCommit } from "../../../metadata/records.ts";
import type { Digest } from "../../../oci/digest.ts";
import { readForeignManifest } from "../../../registry/foreign_manifest.ts";
import { nameBytes } from "../../../registry/name_bytes.ts";
import type { Registry } from "../../../registry/registry.ts";
import type { ManifestHolding } from "../../../registry/resolve.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";

/** `by` in the history of what came from an upstream; no user's name has a colon. */
export const mirrorActor = ":mirror";

export interface FetchedManifest {
  readonly repository: string;
  /** Of the upstream: the first one is what the repository remembers. */
  readonly hosts: readonly string[];
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** The tag that points at it, and where it may point before; null for a manifest that was asked for by digest. */
  readonly tag: { readonly name: string; readonly before: readonly (string | null)[] } | null;
}

/**
 * Why nothing was kept. `moved`: somebody else set the tag meanwhile. `foreign`: the repository is a mirror of another
 * upstream by now.
 */
export type NotKept = "moved" | "foreign";

/** @throws UpstreamTrouble for what is no manifest. */
export async function storeManifest(
  registry: Registry,
  fetched: FetchedManifest,
): Promise<ManifestHolding | NotKept> {
  const { repository, hosts, digest, mediaType, bytes } = fetched;
  const foreign = readForeignManifest(digest, mediaType, bytes);
  if (foreign === null) {
    throw new UpstreamTrouble("broken", originOf(hosts), {
      words: `sent for ${digest} what is neither an image manifest nor an index`,
    });
  }
  const { manifest } = foreign;
  const changes: Change[] = [{ kind: "put-manifest", manifest }];
  const commit = commitOf(registry, fetched, changes, [
    { kind: "cache-manifest", repository, digest, at: registry.clock.now() },
  ]);
  let why: NotKept | null = null;
  const named = await nameBytes(registry, {
    digest,
    place: async () => {
      if (why !== null) return null;
      const how = { mayBeUnnamed: true, isManifest: true };
      return { commit, unnamed: await registry.blobs.put(repository, digest, bytes, how) };
    },
    refused: async (failed) => {
      why = notKept(failed);
    },
  });
  if (why !== null) return why;
  if (!named) throw new Error(`mirror: ${digest} was swept each time it was stored`);
  registry.contentCache.set(digest, bytes);
  const { sizeBytes, mediaType: recorded } = manifest;
  return { repository, digest, sizeBytes, mediaType: recorded };
}

function notKept(failed: readonly FailedPrecondition[]): NotKept | null {
  const kinds = new Set(failed.map(({ precondition }) => precondition.kind));
  if (kinds.has("origin-in")) return "foreign";
  return kinds.has("tag-is") || kinds.has("manifest-exists") ? "moved" : null;
}

/** The upstream still has the tag where it points here. False where the repository is a mirror of another by now. */
export async function confirmTag(
  { metadata, clock }: Registry,
  {
    repository,
    hosts,
    digest,
    tag,
  }: Pick<FetchedManifest, "repository" | "hosts" | "digest"> & { readonly tag: string },
): Promise<boolean> {
  const at = clock.now();
  const isKnown = await metadata.records(mirrors).isFetched(repository, digest);
  const { committed } = await metadata.commit({
    repository,
    preconditions: [{ kind: "origin-in", hosts }],
    changes: [],
    by: mirrorActor,
    records: recordsOf([
      { kind: "set-origin", repository, host: originOf(hosts), at },
      { kind: "cache-tag", repository, tag, digest, checkedAt: at },
      ...(isKnown ? [] : [{ kind: "cache-manifest", repository, digest, at } as const]),
    ]),
  });
  return committed;
}

/** Points a tag at a manifest that is here. */
export async function setCachedTag(
  registry: Registry,
  fetched: Omit<FetchedManifest, "bytes" | "mediaType">,
): Promise<"set" | NotKept> {
  const commit = commitOf(registry, fetched, [], []);
  const outcome = await registry.metadata.commit({
    ...commit,
    preconditions: [...commit.preconditions, { kind: "manifest-exists", digest: fetched.digest }],
  });
  return outcome.committed ? "set" : (notKept(outcome.failed) ?? "moved");
}

/** What the repository remembers as its upstream. */
function originOf([host]: readonly string[]): string {
  return must(host, "an entry has a URL");
}

function commitOf(
  { clock }: Registry,
  { repository, hosts, digest, tag }: Omit<FetchedManifest, "bytes" | "mediaType">,
  changes: readonly Change[],
  records: readonly MirrorChange[],
): Commit {
  const at = clock.now();
  const tagIs: Precondition[] =
    tag === null ? [] : [{ kind: "tag-is", tag: tag.name, digests: tag.before }];
  const tagChanges: Change[] = tag === null ? [] : [{ kind: "set-tag", tag: tag.name, digest }];
  const tagRecords: MirrorChange[] =
    tag === null ? [] : [{ kind: "cache-tag", repository, tag: tag.name, digest, checkedAt: at }];
  return {
    repository,
    preconditions: [{ kind: "origin-in", hosts }, ...tagIs],
    changes: [...changes, ...tagChanges],
    by: mirrorActor,
    // Nobody's pull fails for want of room: what is cached has limits of its own.
    quotas: "counted",
    records: recordsOf([
      { kind: "set-origin", repository, host: originOf(hosts), at },
      ...records,
      ...tagRecords,
    ]),
  };
}

function recordsOf(changes: readonly MirrorChange[]): readonly RecordCommit[] {
  return [recordCommit(mirrors, ...changes)];
}
