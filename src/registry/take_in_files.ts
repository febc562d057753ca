/**
 * Reads in every file under a layout's `blobs` that is not in the metadata, even if no manifest names it: as a manifest
 * where an index in the metadata names it as one, else as a blob.
 */
import { parseDigest, type Digest } from "../oci/digest.ts";
import { fileTrouble } from "../storage/adopt.ts";
import { readForeignManifest } from "./foreign_manifest.ts";
import type { Intake } from "./intake.ts";
import { takeInBlobs, unknownOf } from "./take_in_blobs.ts";
import { manifestBytesMax, takeInManifests, type Listed } from "./take_in_manifests.ts";

/** Reads in every file under `blobs` that is not in the metadata. */
export async function takeInFiles(intake: Intake): Promise<void> {
  const { registry, repository, problems } = intake;
  const unreadable = (key: string, error: unknown): void =>
    problems.add(`${key}: ${fileTrouble(error)}`);
  for await (const { algorithm, names } of registry.layouts.blobNames(repository, unreadable)) {
    intake.signal?.throwIfAborted();
    const digests: Digest[] = [];
    for (const name of names) {
      const digest = parseDigest(`${algorithm}:${name}`);
      if (digest === null) problems.add(`blobs/${algorithm}/${name}: not the name of a blob`);
      else digests.push(digest);
    }
    await takeInDigests(intake, digests);
  }
}

/** Reads in those of some hundred files that are not in the metadata. */
export async function takeInDigests(intake: Intake, digests: readonly Digest[]): Promise<void> {
  const unknown = await unknownOf(intake, digests);
  const manifests = await takeInChildren(intake, unknown);
  await takeInBlobs(
    intake,
    unknown.filter((digest) => !manifests.has(digest)),
  );
}

/** Manifests that an index named before they were here. Returns what is named so. */
async function takeInChildren(
  intake: Intake,
  digests: readonly Digest[],
): Promise<ReadonlySet<string>> {
  const { registry, repository } = intake;
  const children = await registry.metadata.parentsOf(repository, digests);
  const listed: Listed[] = [];
  for (const { child, parent } of children) {
    listed.push({ digest: child, mediaType: await mediaTypeIn(intake, parent, child) });
  }
  await takeInManifests(intake, listed);
  return new Set(children.map(({ child }) => child));
}

async function mediaTypeIn(
  { registry, repository }: Intake,
  parent: Digest,
  child: string,
): Promise<string> {
  const bytes = await registry.layouts.readBlob(repository, parent, manifestBytesMax);
  const named = bytes === null ? null : readForeignManifest(parent, "", bytes);
  return named?.children.find(({ digest }) => digest === child)?.mediaType ?? "";
}
