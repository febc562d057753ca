/**
 * Records every manifest that a layout lists or reaches and that is not in the metadata, once it and the content it
 * names are adopted (hashed and flushed, `../storage/adopt.ts`): children first, then blobs, then the manifest itself.
 *
 * A manifest in the metadata is not read again. One that was deleted through the registry is left alone while undo holds
 * it or its bytes wait for the sweep, unless a tool lists it that had read of the removal; afterwards it comes back when
 * another tool puts it here again. Whatever a manifest that is new here names comes back with it. What cannot be
 * recorded is reported once.
 */
import { isCached } from "../metadata/mirrors.ts";
import type { NewManifest } from "../metadata/metadata.ts";
import { MiB } from "../lib/bytes.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { Adoption } from "../storage/adopt.ts";
import { readForeignManifest, type ForeignManifest } from "./foreign_manifest.ts";
import { pagesOf, type Intake } from "./intake.ts";
import { takeInBlobs } from "./take_in_blobs.ts";

/** Manifests nested deeper than this are not followed. */
const depthMax = 16;
/** Larger files are no manifests. */
export const manifestBytesMax = 64 * MiB;

export interface Listed {
  readonly digest: string;
  readonly mediaType: string;
}

export async function takeInManifests(
  intake: Intake,
  listed: readonly Listed[],
  depth = 0,
): Promise<void> {
  for (const page of pagesOf(listed)) await takeInPage(intake, page, depth);
}

async function takeInPage(intake: Intake, page: readonly Listed[], depth: number): Promise<void> {
  const { registry, repository, signal, counts } = intake;
  const adoption = new Adoption(registry.layouts, repository, signal);
  const read: ForeignManifest[] = [];
  for (const one of await newOf(intake, page, depth)) {
    const manifest = await readOne(intake, adoption, one, depth);
    if (manifest !== null) read.push(manifest);
  }
  if (read.length === 0) return;
  await takeInManifests(
    intake,
    read.flatMap(({ children }) => children),
    depth + 1,
  );
  const blobs = new Set(read.flatMap(({ needed }) => needed));
  for (const { children } of read) for (const { digest } of children) blobs.delete(digest);
  await takeInBlobs(intake, [...blobs], "with removed ones");
  const adopted = new Set(await adoption.settle());
  const safe = read.filter(({ manifest }) => adopted.has(manifest.digest));
  const recorded = await Promise.all(safe.map(({ manifest }) => record(intake, manifest)));
  counts.manifests += recorded.filter(Boolean).length;
  await tellMissing(intake, safe);
}

/** Those that are not in the metadata, each once, with the media type that it is listed under. */
async function newOf(
  intake: Intake,
  page: readonly Listed[],
  depth: number,
): Promise<ReadonlyMap<Digest, string>> {
  const { registry, repository, problems, counts } = intake;
  const types = new Map(page.map(({ digest, mediaType }) => [digest, mediaType]));
  for (const { digest, as } of await registry.metadata.held(repository, [...types.keys()])) {
    if (as === "blob") continue;
    // Something that is new here names it, or a tool lists it anew.
    if (as !== "manifest" && (depth > 0 || (await isBack(intake, digest as Digest)))) continue;
    if (types.delete(digest) && as !== "manifest") counts.stale += 1;
  }
  const found = new Map<Digest, string>();
  for (const [text, mediaType] of types) {
    const digest = parseDigest(text);
    if (digest === null || depth > depthMax) {
      problems.addHiding(`manifest ${text}: not a digest that can be followed`);
    } else {
      found.set(digest, mediaType);
    }
  }
  return found;
}

/** Whether a manifest that only undo or the sweep has was listed by a tool that had read of its removal. */
async function isBack(
  { registry, repository, base, laterAt }: Intake,
  digest: Digest,
): Promise<boolean> {
  const { metadata } = registry;
  if (base !== null) return !(await metadata.wasRemoved(repository, digest, base));
  // Of an older database nothing but the time tells which of both is newer.
  return laterAt !== null && ((await metadata.past.removedAt(repository, digest)) ?? 0) <= laterAt;
}

async function readOne(
  { registry, repository, base, problems, counts }: Intake,
  adoption: Adoption,
  [digest, mediaType]: readonly [Digest, string],
  depth: number,
): Promise<ForeignManifest | null> {
  const checked = await adoption.check(digest, manifestBytesMax);
  if (checked.kind === "absent") {
    // A child is told with the index that names it.
    if (depth > 0) return null;
    // The tool lists what it had read, and a delete removed since.
    const removed = await registry.metadata.wasRemoved(repository, digest, base ?? 0);
    if (removed) counts.stale += 1;
    else problems.addHiding(`manifest ${digest}: its bytes are missing`);
    return null;
  }
  if (checked.kind === "bad") {
    problems.addHiding(`manifest ${digest}: ${checked.problem}`);
    return null;
  }
  const foreign = readForeignManifest(digest, mediaType, checked.bytes ?? new Uint8Array());
  if (foreign === null)
    problems.addHiding(`manifest ${digest}: neither an image manifest nor an index`);
  return foreign;
}

/** A commit of its own: bytes that vanished refuse this one alone; they share a transaction. */
async function record({ registry, repository }: Intake, manifest: NewManifest): Promise<boolean> {
  const outcome = await registry.metadata.commit({
    repository,
    preconditions: [{ kind: "bytes-present", digest: manifest.digest }],
    changes: [{ kind: "put-manifest", manifest }],
    by: null,
    quotas: "counted",
  });
  return outcome.committed;
}

/**
 * Reports content that the manifests name and that is missing. An index may lack some of its manifests: copies of a few
 * platforms do, and so does an index after a delete of a child.
 */
async function tellMissing(
  { registry, repository, problems }: Intake,
  manifests: readonly ForeignManifest[],
): Promise<void> {
  // What was not fetched from an upstream yet is not missing.
  if (await isCached(registry.metadata, repository)) return;
  const parents = new Map<string, Digest>();
  const children = new Set<string>();
  for (const { manifest, needed, children: named } of manifests) {
    for (const digest of needed) parents.set(digest, manifest.digest);
    for (const { digest } of named) children.add(digest);
  }
  const absent: string[] = [];
  for (const page of pagesOf([...parents.keys()])) {
    const held = await registry.metadata.held(repository, page);
    const here = new Set(
      held.filter(({ as }) => as === "blob" || as === "manifest").map(({ digest }) => digest),
    );
    for (const digest of page.filter((needed) => !here.has(needed))) {
      const parent = parents.get(digest) ?? "";
      if (children.has(digest)) absent.push(digest);
      else problems.add(`manifest ${parent}: it names ${digest}, which is not here`);
    }
  }
  const [first] = absent;
  if (first === undefined) return;
  const fields = { repository, manifests: absent.length, first, index: parents.get(first) };
  registry.report("warn", "indexes name manifests that are not here", fields);
}
