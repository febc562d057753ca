/** Judges what the tags of a repository lead to, by what is known of its content: nothing but manifests is read. */
import { isCached } from "../../metadata/mirrors.ts";
import { scrub } from "../../metadata/scrub.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";
import { faults, ImageJudge, type Affected, type Fault } from "./judge_image.ts";

/** A manifest or config of more is none. */
const documentBytesMax = 64 * 1024 * 1024;
/** Tags that are asked for at once. */
const pageMax = 256;

export interface JudgedTag {
  readonly tag: string;
  /** Null for nothing wrong. */
  readonly affected: Affected | null;
}

/** Every tag with what is wrong. */
export async function* judgeRepository(
  registry: Registry,
  repository: string,
): AsyncGenerator<JudgedTag> {
  const { metadata } = registry;
  const content = new KnownContent(registry, repository);
  const judge = new ImageJudge(content);
  const reads = metadata.records(scrub);
  for (let after: string | null = null; ;) {
    const page: readonly { tag: string; digest: string; mediaType: string }[] = await reads.tagsIn(
      repository,
      { after, limit: pageMax },
    );
    for (const { tag, digest, mediaType } of page) {
      yield { tag, affected: await judge.judge({ digest, mediaType }) };
    }
    if (page.length < pageMax) return;
    after = page.at(-1)?.tag ?? null;
  }
}

class KnownContent {
  readonly #registry: Registry;
  readonly #repository: string;
  readonly #known = new Map<Digest, Promise<Fault | null>>();

  constructor(registry: Registry, repository: string) {
    this.#registry = registry;
    this.#repository = repository;
  }

  fault(digest: Digest): Promise<Fault | null> {
    let fault = this.#known.get(digest);
    if (fault === undefined) this.#known.set(digest, (fault = this.#find(digest)));
    return fault;
  }

  /** Null, too, for what was not fetched yet. */
  bytes(digest: Digest): Promise<Uint8Array | null> {
    return this.#registry.blobs.read(this.#repository, digest, documentBytesMax);
  }

  async #find(digest: Digest): Promise<Fault | null> {
    const { metadata, blobs } = this.#registry;
    const mark = await metadata.records(scrub).mark(this.#repository, digest);
    if (mark !== null) {
      if (mark.how === "missing") return faults.missing;
      return mark.how === "wrong" || mark.how === "size" ? faults.wrong : faults.unreadable;
    }
    const held = await metadata.held(this.#repository, [digest]);
    const isLive = held.some(({ as }) => as === "blob" || as === "manifest");
    // What was not fetched from an upstream yet is not missing.
    if (!isLive && (await isCached(metadata, this.#repository))) return null;
    // What was removed a moment ago is found missing by nobody.
    const isThere = isLive && (await blobs.lookAt(this.#repository, digest)) !== null;
    return isThere ? null : faults.missing;
  }
}
