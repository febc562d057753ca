/**
 * Records every manifest that a layout lists or reaches and the facts do not know, after hashing its bytes.
 *
 * Promises: children are followed to a bounded depth; a manifest that was deleted through us and waits for the
 * sweep is left alone; bytes that vanish meanwhile are not recorded. What cannot be recorded is told, once.
 * Leaves to others: what a manifest means (`foreign_manifest.ts`), the blobs that it names (`take_in_blobs.ts`).
 */
import type { NewManifest } from "../metadata/metadata.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { readForeignManifest } from "./foreign_manifest.ts";
import type { Intake } from "./intake.ts";

/** Manifests nested deeper than this are not followed. */
const depthMax = 16;
/** Commits that are on their way at once: they share transactions. */
const commitsMax = 256;
/** Larger files are no manifests. */
const manifestBytesMax = 64 * 1024 * 1024;

export interface TakenManifests {
  /** How many were new to the facts. */
  readonly taken: number;
  /** Everything that is a manifest here, known before or not. */
  readonly digests: ReadonlySet<string>;
  /** What the new ones name and needs to be here, each with one manifest that names it. */
  readonly references: ReadonlyMap<string, Digest>;
  readonly problems: readonly string[];
}

interface Listed {
  readonly digest: string;
  readonly mediaType: string;
}

export async function takeInManifests(
  intake: Intake,
  listed: readonly Listed[],
): Promise<TakenManifests> {
  const walk = new ManifestWalk(intake);
  for (const manifest of listed) await walk.take(manifest, 0);
  await walk.settle();
  return walk;
}

class ManifestWalk implements TakenManifests {
  readonly digests = new Set<string>();
  readonly references = new Map<string, Digest>();
  readonly problems: string[] = [];
  taken = 0;
  readonly #intake: Intake;
  readonly #seen = new Set<string>();
  #commits: Promise<boolean>[] = [];

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  async take({ digest: text, mediaType }: Listed, depth: number): Promise<void> {
    this.#intake.signal?.throwIfAborted();
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    const digest = parseDigest(text);
    if (digest === null || depth > depthMax) {
      this.problems.push(`manifest ${text}: not a digest that can be followed`);
      return;
    }
    const { registry, repository } = this.#intake;
    if (await registry.metadata.isOrphan(repository, digest)) return;
    const bytes = await this.#verifiedBytes(digest);
    if (bytes === null) return;
    const foreign = readForeignManifest(digest, mediaType, bytes);
    if (foreign === null) {
      this.problems.push(`manifest ${digest}: neither an image manifest nor an index`);
      return;
    }
    this.digests.add(digest);
    for (const child of foreign.children) await this.take(child, depth + 1);
    if ((await registry.metadata.manifestByDigest(repository, digest)) !== null) return;
    const commit = this.#record(foreign.manifest);
    // Waited for later, and then thrown; nobody else needs to hear of it.
    commit.catch(() => undefined);
    this.#commits.push(commit);
    if (this.#commits.length >= commitsMax) await this.settle();
    for (const needed of foreign.needed) this.references.set(needed, digest);
  }

  /** Waits for the commits that are on their way. */
  async settle(): Promise<void> {
    const committed = await Promise.all(this.#commits);
    this.#commits = [];
    this.taken += committed.filter(Boolean).length;
  }

  async #verifiedBytes(digest: Digest): Promise<Uint8Array | null> {
    const { registry, repository } = this.#intake;
    const bytes = await registry.storage.readBlob(repository, digest, manifestBytesMax);
    if (bytes === null) {
      this.problems.push(`manifest ${digest}: its bytes are missing`);
      return null;
    }
    if (digestOf(algorithmOf(digest), bytes) === digest) return bytes;
    this.problems.push(`manifest ${digest}: its bytes have another digest`);
    return null;
  }

  async #record(manifest: NewManifest): Promise<boolean> {
    const { registry, repository } = this.#intake;
    const outcome = await registry.metadata.commit({
      preconditions: [{ kind: "bytes-present", repository, digest: manifest.digest }],
      changes: [{ kind: "put-manifest", repository, manifest }],
      by: null,
    });
    return outcome.committed;
  }
}
