/**
 * Takes in what another tool put into a repository's layout: an image copied in, a root left by zot,
 * or every repository when the metadata was lost.
 *
 * Promises: a layout whose index.json is ours as we wrote it costs one stat. Otherwise each manifest and
 * blob that the facts do not know is read and hashed before it is taken in, children and referrers
 * included; a tag that the other tool moved is moved, with a history row; nothing that the facts know is
 * dropped because a file does not mention it. Whatever cannot be taken in is reported, and the index.json that
 * named it is kept aside before ours replaces it.
 * Leaves to others: writing index.json (`layout_projector.ts`), when to look (`jobs.ts`).
 */
import type { Change, Precondition } from "../metadata/metadata.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { LayoutIndexError, readLayoutIndex, type LayoutEntry } from "../oci/layout_index.ts";
import { readForeignManifest } from "./foreign_manifest.ts";
import type { Registry, Report } from "./registry.ts";
import { takeInBlobs } from "./take_in_blobs.ts";

/** Changes that are committed together while a layout is taken in. */
const changesPerCommit = 256;
/** Manifests nested deeper than this are not followed. */
const depthMax = 16;
/** Larger files are no manifests. */
const manifestBytesMax = 64 * 1024 * 1024;

export interface Reconciled {
  readonly changed: boolean;
  /** The stamp of the index.json that was looked at; null when there was none. */
  readonly stamp: string | null;
  readonly manifests: number;
  readonly blobs: number;
  /** One line per thing that could not be taken in. */
  readonly problems: readonly string[];
}

const unchanged = { changed: false, manifests: 0, blobs: 0, problems: [] };

/** Compares a layout with the facts and takes in what is new. */
export async function reconcileLayout(
  registry: Registry,
  repository: string,
  report: Report,
): Promise<Reconciled> {
  const { storage, metadata, clock } = registry;
  const stamp = await storage.indexStamp(repository);
  const state = await metadata.layoutState(repository);
  const ours = stamp === null || stamp === state?.stampCurrent || stamp === state?.stampNext;
  if (ours) return { ...unchanged, stamp };
  const index = await storage.readIndex(repository);
  if (index === null) return { ...unchanged, stamp: null };
  const intake = new Intake(registry, repository, {
    // Facts that index.json has not seen yet are newer than whatever it says of their tags.
    factsWin: state !== null && state.generation > state.projected && state.projected > 0,
  });
  await intake.run(index.text);
  const result = { ...intake.result, stamp: index.stamp };
  if (result.problems.length > 0) {
    const kept = await storage.keepAside(repository, index.text, clock.now());
    for (const problem of result.problems) report("error", problem, { repository, kept });
  }
  report("info", "took in a layout that another tool wrote", {
    repository,
    manifests: result.manifests,
    blobs: result.blobs,
    problems: result.problems.length,
  });
  await metadata.commit({
    preconditions: [],
    changes: [{ kind: "create-repository", repository }],
    by: null,
  });
  return result;
}

class Intake {
  readonly #registry: Registry;
  readonly #repository: string;
  readonly #factsWin: boolean;
  readonly #seen = new Set<string>();
  readonly #problems: string[] = [];
  #pending: Change[] = [];
  #manifests = 0;
  #blobs = 0;

  constructor(registry: Registry, repository: string, options: { readonly factsWin: boolean }) {
    this.#registry = registry;
    this.#repository = repository;
    this.#factsWin = options.factsWin;
  }

  get result(): Omit<Reconciled, "stamp"> {
    return {
      changed: true,
      manifests: this.#manifests,
      blobs: this.#blobs,
      problems: this.#problems,
    };
  }

  async run(text: string): Promise<void> {
    const entries = this.#readEntries(text);
    const manifests = new Set<string>();
    for (const entry of entries) {
      await this.#takeManifest(entry.descriptor.digest, entry.descriptor.mediaType, manifests, 0);
    }
    for (const entry of entries) await this.#takeTag(entry);
    await this.#flush();
    const blobs = await takeInBlobs(this.#registry, this.#repository, manifests);
    this.#blobs = blobs.taken;
    this.#problems.push(...blobs.problems);
  }

  #readEntries(text: string): LayoutEntry[] {
    try {
      const { entries, skipped } = readLayoutIndex(text);
      for (const { reason } of skipped) this.#problems.push(`index.json: ${reason}`);
      return entries;
    } catch (error) {
      if (!(error instanceof LayoutIndexError)) throw error;
      this.#problems.push(`index.json cannot be read: ${error.message}`);
      return [];
    }
  }

  /** Takes in a manifest and the manifests that it names; blobs follow together afterwards. */
  async #takeManifest(
    digestText: string,
    mediaType: string,
    manifests: Set<string>,
    depth: number,
  ): Promise<void> {
    if (this.#seen.has(digestText)) return;
    this.#seen.add(digestText);
    const digest = parseDigest(digestText);
    if (digest === null || depth > depthMax) {
      this.#problems.push(`manifest ${digestText}: not a digest that can be followed`);
      return;
    }
    const bytes = await this.#verifiedBytes(digest);
    if (bytes === null) return;
    const foreign = readForeignManifest(digest, mediaType, bytes);
    if (foreign === null) {
      this.#problems.push(`manifest ${digest}: neither an image manifest nor an index`);
      return;
    }
    manifests.add(digest);
    for (const child of foreign.children) {
      await this.#takeManifest(child.digest, child.mediaType, manifests, depth + 1);
    }
    if ((await this.#registry.metadata.manifestByDigest(this.#repository, digest)) !== null) return;
    this.#manifests += 1;
    await this.#add({
      kind: "put-manifest",
      repository: this.#repository,
      manifest: foreign.manifest,
    });
  }

  async #verifiedBytes(digest: Digest): Promise<Uint8Array | null> {
    const { storage } = this.#registry;
    const bytes = await storage.readBlob(this.#repository, digest, manifestBytesMax);
    if (bytes === null) {
      this.#problems.push(`manifest ${digest}: its bytes are missing`);
      return null;
    }
    if (digestOf(algorithmOf(digest), bytes) === digest) return bytes;
    this.#problems.push(`manifest ${digest}: its bytes have another digest`);
    return null;
  }

  async #takeTag({ tag, descriptor }: LayoutEntry): Promise<void> {
    if (tag === null) return;
    const digest = parseDigest(descriptor.digest);
    if (digest === null) return;
    await this.#flush();
    const known = await this.#registry.metadata.manifestByTag(this.#repository, tag);
    if (known?.digest === digest || (known !== null && this.#factsWin)) return;
    const preconditions: Precondition[] = [
      { kind: "manifest-exists", repository: this.#repository, digest },
    ];
    await this.#registry.metadata.commit({
      preconditions,
      changes: [{ kind: "set-tag", repository: this.#repository, tag, digest }],
      by: null,
    });
  }

  async #add(change: Change): Promise<void> {
    this.#pending.push(change);
    if (this.#pending.length >= changesPerCommit) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const changes = this.#pending;
    this.#pending = [];
    await this.#registry.metadata.commit({ preconditions: [], changes, by: null });
  }
}
