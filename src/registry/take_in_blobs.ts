/**
 * Links blobs of a layout that are not in the metadata, once they are adopted (hashed and flushed,
 * `../storage/adopt.ts`).
 *
 * A blob that was deleted through the registry, and waits for the sweep or is held for an undo, is left alone unless a
 * manifest that is taken in needs it; so is one that vanishes meanwhile.
 */
import { parseDigest, type Digest } from "../oci/digest.ts";
import { Adoption } from "../storage/adopt.ts";
import { pagesOf, type Intake } from "./intake.ts";

/** Adopts and links those of the digests that are new and here. */
export async function takeInBlobs(
  intake: Intake,
  digests: readonly string[],
  which: "new ones" | "with removed ones" = "new ones",
): Promise<void> {
  for (const page of pagesOf(digests))
    await takeInPage(intake, await unknownOf(intake, page, which));
}

/** Those of some hundred digests that are not in the metadata; or also those that only undo or the sweep has. */
export async function unknownOf(
  { registry, repository }: Intake,
  page: readonly string[],
  which: "new ones" | "with removed ones" = "new ones",
): Promise<Digest[]> {
  const found = await registry.metadata.held(repository, page);
  const known = new Set(
    found.flatMap(({ digest, as }) =>
      (as === "held" || as === "orphan") && which === "with removed ones" ? [] : [digest],
    ),
  );
  return page.flatMap((text) => (known.has(text) ? [] : (parseDigest(text) ?? [])));
}

async function takeInPage(intake: Intake, digests: readonly Digest[]): Promise<void> {
  const { registry, repository, signal, counts, problems } = intake;
  const adoption = new Adoption(registry.layouts, repository, signal);
  const sizes = new Map<Digest, number>();
  for (const digest of digests) {
    const checked = await adoption.check(digest);
    if (checked.kind === "right") sizes.set(digest, checked.sizeBytes);
    else if (checked.kind === "bad") problems.add(`blob ${digest}: ${checked.problem}`);
  }
  const adopted = await adoption.settle();
  const linked = adopted.map((digest) => link(intake, digest, sizes.get(digest) ?? 0));
  counts.blobs += (await Promise.all(linked)).filter(Boolean).length;
}

/** A commit of its own, so that one file that vanished does not refuse the others; they share a transaction. */
async function link(
  { registry, repository }: Intake,
  digest: Digest,
  sizeBytes: number,
): Promise<boolean> {
  const outcome = await registry.metadata.commit({
    repository,
    preconditions: [{ kind: "bytes-present", digest }],
    changes: [{ kind: "link-blob", digest, sizeBytes }],
    by: null,
    quotas: "counted",
  });
  return outcome.committed;
}
