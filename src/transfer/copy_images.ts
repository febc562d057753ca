/**
 * Copies images from a source to a target, byte for byte: blobs, manifests from the leaves up, what refers to them, and
 * the tag last. What the target has is skipped; every byte that is sent was proven before anything names it.
 */
import { Gate } from "../lib/gate.ts";
import type { Platform } from "../oci/descriptor.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { referrerTagsOf } from "../oci/referrers.ts";
import { BlobContent } from "./blob_content.ts";
import { choosePlatforms } from "./choose_platforms.ts";
import type {
  CopiedImage,
  CopyEvent,
  CopyReport,
  Counts,
  FailedImage,
  ImageToCopy,
} from "./copy_events.ts";
import {
  TransferError,
  type ImageSource,
  type ImageTarget,
  type NamedBlob,
  type PlacedManifest,
} from "./image_place.ts";
import { partsOf, type ChildManifest } from "./manifest_parts.ts";
import { isOfPlatform } from "../oci/platform.ts";
import type { Retries } from "./retries.ts";

export interface CopyOptions {
  readonly source: ImageSource;
  readonly target: ImageTarget;
  readonly images: readonly ImageToCopy[];
  /** Of an index, only these; all when it is empty. */
  readonly platforms: readonly Platform[];
  /** Indexes stay as they are, though only images of `platforms` are copied; the target may lack the others. */
  readonly keepsIndexes?: boolean;
  /** Signatures, SBOMs and the like come along. */
  readonly withReferrers: boolean;
  /** Blobs at once. */
  readonly parallel: number;
  readonly retries: Retries;
  readonly onEvent?: (event: CopyEvent) => void;
}

export const parallelDefault = 6;
export const parallelMax = 64;
/** Nested indexes, and referrers of referrers. */
const depthMax = 16;
/** Manifests of one run: a list of referrers without an end must not go on for ever. */
const manifestsMax = 1_000_000;
/** Questions to either side at once, beside the blobs. */
const questionsMax = 16;
const waitingMax = 10_000_000;
/** So many images that fail in a row end the run. */
const failuresInRowMax = 10;

/** Copies all of them. What failed is in the report; @throws only what ends the whole run. */
export async function copyImages(options: CopyOptions): Promise<CopyReport> {
  const copy = new ImageCopy(options);
  return copy.run();
}

interface Branch {
  /** Whether the target has the manifest already. */
  readonly isKnown: boolean;
  readonly depth: number;
  readonly reached: Digest[];
}

const nothing = (): Counts => ({ count: 0, sizeBytes: 0 });

class ImageCopy {
  readonly #options: CopyOptions;
  readonly #questions = new Gate({ runningMax: questionsMax, waitingMax });
  readonly #blobGate: Gate;
  readonly #manifests = new Map<string, Promise<void>>();
  readonly #blobs = new Map<string, Promise<void>>();
  readonly #sent = { manifests: nothing(), blobs: nothing(), mounted: nothing() };
  readonly #there = { manifests: nothing(), blobs: nothing() };
  readonly #images: CopiedImage[] = [];
  readonly #failed: FailedImage[] = [];
  readonly #referred = new Set<Digest>();
  #referrers = 0;
  #failuresInRow = 0;
  #sourceTags: Promise<ReadonlySet<string> | null> | null = null;

  constructor(options: CopyOptions) {
    this.#options = options;
    const runningMax = Math.min(options.parallel, options.target.parallelMax);
    this.#blobGate = new Gate({ runningMax, waitingMax });
  }

  async run(): Promise<CopyReport> {
    const { images, parallel, target, retries } = this.#options;
    const waiting = [...images];
    const work = async (): Promise<void> => {
      for (let image = waiting.shift(); image !== undefined; image = waiting.shift()) {
        if (this.#failuresInRow >= failuresInRowMax || retries.signal.aborted) {
          waiting.unshift(image);
          return;
        }
        await this.#one(image);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, images.length) }, work));
    retries.signal.throwIfAborted();
    if (this.#images.length > 0) await target.finish();
    return {
      images: this.#images,
      failed: this.#failed,
      untried: waiting.length,
      manifests: { sent: this.#sent.manifests, there: this.#there.manifests },
      blobs: { sent: this.#sent.blobs, mounted: this.#sent.mounted, there: this.#there.blobs },
      referrers: this.#referrers,
    };
  }

  async #one(image: ImageToCopy): Promise<void> {
    this.#tell({ kind: "image-begun", image });
    try {
      const copied = await this.#image(image);
      this.#failuresInRow = 0;
      this.#images.push(copied);
      this.#tell({ kind: "image-done", image: copied });
    } catch (reason) {
      if (this.#options.retries.signal.aborted) return;
      this.#failuresInRow += 1;
      this.#failed.push({ ...image, reason });
      this.#tell({ kind: "image-failed", image: { ...image, reason } });
    }
  }

  async #image(image: ImageToCopy): Promise<CopiedImage> {
    const { source, target, withReferrers, keepsIndexes = false } = this.#options;
    const platforms = keepsIndexes ? [] : this.#options.platforms;
    const there =
      image.tag === null ? null : await this.#ask(() => target.tagDigest(image.tag ?? ""));
    const named = await this.#named(image.reference, there);
    const parts = partsOf(named, source.label);
    const chosen = choosePlatforms(named, parts, platforms, source.label);
    const root =
      chosen.kind === "all"
        ? named
        : chosen.kind === "one"
          ? await this.#child(chosen.child, named.digest)
          : chosen.index;
    const notes = chosen.kind === "all" ? [] : [chosen.note];
    const before = this.#sentCount();
    const isKnown = await this.#isKnown(root.digest, there);
    const reached: Digest[] = [];
    await this.#tree(root, { isKnown, depth: 0, reached });
    if (withReferrers) await this.#refer(reached);
    if (there !== root.digest || !target.isWhole) {
      const isNew = there !== root.digest && !(image.tag === null && isKnown);
      await this.#put(root, { tag: image.tag, isListed: true }, isNew);
    }
    const outcome = this.#sentCount() > before ? "copied" : "there";
    return { ...image, digest: root.digest, mediaType: root.mediaType, outcome, notes };
  }

  async #isKnown(digest: Digest, there: string | null): Promise<boolean> {
    return there === digest || this.#ask(() => this.#options.target.hasManifest(digest));
  }

  /** What the reference names. Of what the target has under its tag, the source only has to say that it is the same. */
  async #named(reference: string, there: string | null): Promise<PlacedManifest> {
    const { source, target } = this.#options;
    const known = there === null ? null : parseDigest(there);
    if (known !== null && (await this.#ask(() => source.head(reference))) === known) {
      const manifest = await this.#ask(() => target.manifest(known));
      if (manifest?.digest === known) return manifest;
    }
    const manifest = await this.#ask(() => source.manifest(reference));
    if (manifest !== null) return manifest;
    throw new TransferError(`${source.label}: ${reference} is not there`);
  }

  /** Everything below a manifest. `reached` takes its digest, and those of the manifests below it. */
  async #tree(manifest: PlacedManifest, { isKnown, depth, reached }: Branch): Promise<void> {
    const { source, target } = this.#options;
    if (depth > depthMax) {
      throw new TransferError(
        `${source.label}: ${manifest.digest} is more than ${depthMax} manifests deep`,
      );
    }
    reached.push(manifest.digest);
    const parts = partsOf(manifest, source.label);
    const skipsBlobs = isKnown && target.isWhole;
    await Promise.all([
      ...parts.children
        .filter((child) => this.#isWanted(child))
        .map((child) => this.#branch(child, manifest.digest, { isKnown, depth, reached })),
      ...(skipsBlobs ? [] : parts.blobs.map((blob) => this.#blob(blob, isKnown))),
    ]);
    if (skipsBlobs) this.#count(this.#there.blobs, parts.blobs);
  }

  /** Of an index that stays as it is: what has no platform of its own belongs to all. */
  #isWanted({ platform }: ChildManifest): boolean {
    const { platforms, keepsIndexes = false } = this.#options;
    if (!keepsIndexes || platforms.length === 0) return true;
    if (platform === null || platform.os === "unknown") return true;
    return platforms.some((asked) => isOfPlatform(platform, asked));
  }

  /** One manifest of an index. */
  #branch(
    child: ChildManifest,
    parent: Digest,
    { isKnown, depth, reached }: Branch,
  ): Promise<void> {
    return this.#once(this.#manifests, child.digest, async () => {
      const { target } = this.#options;
      const isThere = (isKnown && !target.isWhole) || (await this.#isKnown(child.digest, null));
      const manifest = await this.#childFrom(child, parent, isThere);
      await this.#tree(manifest, { isKnown: isThere, depth: depth + 1, reached });
      if (isThere && target.isWhole) this.#count(this.#there.manifests, [child]);
      else await this.#put(manifest, { tag: null, isListed: false }, !isThere);
    });
  }

  /** From the target, where it has the manifest: that costs the source nothing. */
  async #childFrom(
    child: ChildManifest,
    parent: Digest,
    isThere: boolean,
  ): Promise<PlacedManifest> {
    if (!isThere) return this.#child(child, parent);
    const manifest = await this.#ask(() => this.#options.target.manifest(child.digest));
    return manifest ?? this.#child(child, parent);
  }

  async #child({ digest, mediaType }: ChildManifest, parent: Digest): Promise<PlacedManifest> {
    const { source } = this.#options;
    const manifest = await this.#ask(() => source.manifest(digest));
    // The index says what it is; a registry may say less.
    if (manifest !== null) return { ...manifest, mediaType };
    throw new TransferError(
      `${source.label}: the index ${parent} names ${digest}, which is not there`,
    );
  }

  #blob(blob: NamedBlob, isNamed: boolean): Promise<void> {
    return this.#once(this.#blobs, blob.digest, async () => {
      const { target, source, retries } = this.#options;
      const { digest, sizeBytes } = blob;
      const outcome = await this.#blobGate.run(async () => {
        retries.signal.throwIfAborted();
        if (await target.hasBlob(blob, isNamed)) return "there";
        this.#tell({ kind: "blob-begun", digest, sizeBytes });
        const onBytes = (bytes: number): void => this.#tell({ kind: "bytes", bytes });
        return target.putBlob(new BlobContent(blob, { source, retries, onBytes }));
      });
      const counts = {
        there: this.#there.blobs,
        sent: this.#sent.blobs,
        mounted: this.#sent.mounted,
      };
      this.#count(counts[outcome], [blob]);
      this.#tell({ kind: "blob-done", digest, sizeBytes, outcome });
    });
  }

  /**
   * Signatures and the like of these manifests, and what refers to those in turn. Level by level: lists of referrers are
   * claims, and work that waited for what they name could wait for itself.
   */
  async #refer(reached: readonly Digest[]): Promise<void> {
    let level = reached;
    for (let depth = 0; level.length > 0 && depth < depthMax; depth += 1) {
      const next: Digest[] = [];
      const unseen = level.filter((digest) => !this.#referred.has(digest));
      for (const digest of unseen) this.#referred.add(digest);
      await Promise.all(unseen.map((digest) => this.#referrersOf(digest, next)));
      level = next;
    }
  }

  /** By the list of referrers, and by the tags that cosign gives them. */
  async #referrersOf(digest: Digest, reached: Digest[]): Promise<void> {
    const { source } = this.#options;
    for (const { digest: text } of await this.#ask(() => source.referrers(digest))) {
      const referrer = parseDigest(text);
      if (referrer !== null)
        await this.#referrer(referrer, { tag: null, subject: digest, reached });
    }
    for (const tag of await this.#cosignTags(digest)) {
      const named = await this.#ask(() => source.head(tag));
      const referrer = named === null ? null : parseDigest(named);
      if (referrer !== null) await this.#referrer(referrer, { tag, subject: digest, reached });
    }
  }

  async #referrer(
    digest: Digest,
    { tag, subject, reached }: { tag: string | null; subject: Digest; reached: Digest[] },
  ): Promise<void> {
    const { source, target } = this.#options;
    const there = tag === null ? null : await this.#ask(() => target.tagDigest(tag));
    const isKnown = await this.#isKnown(digest, there);
    const fromTarget = isKnown ? await this.#ask(() => target.manifest(digest)) : null;
    const manifest = fromTarget ?? (await this.#ask(() => source.manifest(digest)));
    // A list may name what was deleted since, and what is about something else.
    if (manifest === null) return;
    if (tag === null && partsOf(manifest, source.label).subject !== subject) return;
    await this.#tree(manifest, { isKnown, depth: 1, reached });
    const isThere = tag === null ? isKnown : there === digest;
    if (isThere && target.isWhole) {
      this.#count(this.#there.manifests, [{ sizeBytes: manifest.bytes.length }]);
      return;
    }
    await this.#put(manifest, { tag, isListed: true }, !isThere);
    if (!isThere) this.#referrers += 1;
  }

  async #cosignTags(digest: Digest): Promise<readonly string[]> {
    const wanted = referrerTagsOf(digest).filter((tag) => tag.includes("."));
    if (wanted.length === 0) return [];
    this.#sourceTags ??= this.#listTags();
    const known = await this.#sourceTags;
    return known === null ? wanted : wanted.filter((tag) => known.has(tag));
  }

  /** Null where the source does not tell its tags: then each is asked for. */
  async #listTags(): Promise<ReadonlySet<string> | null> {
    try {
      return new Set(await this.#options.source.tags());
    } catch (error) {
      if (error instanceof TransferError && !error.isPassing) return null;
      throw error;
    }
  }

  async #put(
    manifest: PlacedManifest,
    as: { tag: string | null; isListed: boolean },
    isNew: boolean,
  ): Promise<void> {
    await this.#ask(() => this.#options.target.putManifest(manifest, as));
    const counts = isNew ? this.#sent.manifests : this.#there.manifests;
    this.#count(counts, [{ sizeBytes: manifest.bytes.length }]);
  }

  /** Work on a digest is done once, whoever needs it. */
  #once(done: Map<string, Promise<void>>, key: string, work: () => Promise<void>): Promise<void> {
    const running = done.get(key);
    if (running !== undefined) return running;
    if (done.size >= manifestsMax) {
      throw new TransferError(
        `${this.#options.source.label}: more than ${manifestsMax} manifests or blobs in one run`,
      );
    }
    const promise = work();
    done.set(key, promise);
    // What failed may be tried again for the next image.
    promise.catch(() => done.delete(key));
    return promise;
  }

  #ask<T>(question: () => Promise<T>): Promise<T> {
    return this.#questions.run(async () => {
      this.#options.retries.signal.throwIfAborted();
      return question();
    });
  }

  #count(counts: Counts, of: readonly { readonly sizeBytes: number }[]): void {
    for (const { sizeBytes } of of) {
      counts.count += 1;
      counts.sizeBytes += sizeBytes;
    }
  }

  #sentCount(): number {
    const { manifests, blobs, mounted } = this.#sent;
    return manifests.count + blobs.count + mounted.count;
  }

  #tell(event: CopyEvent): void {
    this.#options.onEvent?.(event);
  }
}
