/**
 * The directory or bucket of docker-registry (distribution), as its storage layout has it: tags and manifests of a
 * repository are small files with a digest in them, and content lies apart, once for all repositories.
 *
 * `docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/current/link`,
 * `…/_manifests/revisions/<algorithm>/<hex>/link`, `docker/registry/v2/blobs/<algorithm>/<2 hex>/<hex>/data`.
 */
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { algorithmOf, digestOf, hexOf, parseDigest, type Digest } from "../oci/digest.ts";
import { isRepositoryName, isTag } from "../oci/reference.ts";
import type { FileTree } from "./file_tree.ts";
import {
  inTime,
  type ForeignImage,
  type ForeignRegistry,
  type ForeignRepository,
} from "./foreign_registry.ts";
import {
  tagsMax,
  TransferError,
  type ImageSource,
  type OpenBlob,
  type PlacedManifest,
  type ReadOptions,
} from "./image_place.ts";
import { readWhole } from "./layout_files.ts";
import { typeOf } from "./layout_source.ts";
import { manifestBytesMax } from "./registry_session.ts";

const root = "docker/registry/v2/";
const repositoriesRoot = `${root}repositories/`;
const linkBytesMax = 1024;
const depthMax = 64;

const tagLink = /^(.+)\/_manifests\/tags\/([^/]+)\/current\/link$/;
const revisionLink = /^(.+)\/_manifests\/revisions\/([^/]+)\/([^/]+)\/link$/;

interface Links {
  readonly name: string;
  /** When each was set. */
  readonly tags: Map<string, number>;
  readonly revisions: Set<Digest>;
}

export class DistributionRegistry implements ForeignRegistry {
  readonly label: string;
  readonly #files: FileTree;

  constructor(files: FileTree) {
    this.#files = files;
    this.label = `distribution:${files.label}`;
  }

  async *repositories(): AsyncGenerator<ForeignRepository, void, void> {
    let links = null as Links | null;
    let isThere = false;
    for await (const { name, changedAt } of this.#files.list(repositoriesRoot)) {
      isThere = true;
      const path = name.slice(repositoriesRoot.length);
      const [, ofTag, tag] = tagLink.exec(path) ?? [];
      const [, ofRevision, algorithm, hex] = revisionLink.exec(path) ?? [];
      const repository = ofTag ?? ofRevision;
      if (repository === undefined || !isRepositoryName(repository)) continue;
      if (links?.name !== repository) {
        if (links !== null) yield this.#opened(links);
        links = { name: repository, tags: new Map(), revisions: new Set() };
      }
      const digest = parseDigest(`${algorithm}:${hex}`);
      if (tag !== undefined && isTag(tag)) links.tags.set(tag, changedAt);
      if (digest !== null) links.revisions.add(digest);
      if (links.tags.size > tagsMax) {
        throw new TransferError(`${this.label}: ${repository} has more than ${tagsMax} tags`);
      }
    }
    if (links !== null) yield this.#opened(links);
    if (isThere) return;
    throw new TransferError(
      `${this.label}: expected what docker-registry keeps below ${repositoriesRoot}, found nothing there; ` +
        "name the directory or the configuration file that it was started with",
    );
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  #opened(links: Links): ForeignRepository {
    const source = new DistributionSource(this.#files, `${this.label}/${links.name}`, links);
    return { name: links.name, source, images: () => source.images() };
  }
}

/** One repository. */
class DistributionSource implements ImageSource {
  readonly label: string;
  readonly #files: FileTree;
  readonly #links: Links;

  constructor(files: FileTree, label: string, links: Links) {
    this.#files = files;
    this.#links = links;
    this.label = label;
  }

  async images(): Promise<readonly ForeignImage[]> {
    const { tags, revisions } = this.#links;
    const untagged = new Set(revisions);
    const images: ForeignImage[] = [];
    for (const [tag, at] of tags) {
      images.push({ reference: tag, tag, at });
      const digest = await this.#digestOf(tag).catch(() => null);
      if (digest !== null) untagged.delete(digest);
    }
    const others = [...untagged].map((reference) => ({ reference, tag: null, at: null }));
    return inTime([...images, ...others]);
  }

  async head(reference: string): Promise<string | null> {
    const digest = await this.#digestOf(reference);
    if (digest === null || !this.#links.revisions.has(digest)) return null;
    return (await this.#files.size(dataOf(digest))) === null ? null : digest;
  }

  async manifest(reference: string): Promise<PlacedManifest | null> {
    const digest = await this.#digestOf(reference);
    // Deleted from here, though another repository may have it.
    if (digest === null || !this.#links.revisions.has(digest)) return null;
    const bytes = await readWhole(this.#files, dataOf(digest), manifestBytesMax);
    if (bytes === null) return null;
    if (digestOf(algorithmOf(digest), bytes) !== digest) {
      throw new TransferError(`${this.label}: manifest ${digest} does not have its digest`);
    }
    const parsed = parseStrictJson(bytes, { depthMax });
    const body = "value" in parsed && isJsonObject(parsed.value) ? parsed.value : {};
    return { digest, mediaType: typeOf(body), bytes };
  }

  async blob(digest: Digest, { fromByte }: ReadOptions): Promise<OpenBlob | null> {
    const name = dataOf(digest);
    if ((await this.#files.size(name)) === null) return null;
    return { fromByte, body: this.#files.read(name, fromByte) };
  }

  async tags(): Promise<readonly string[]> {
    return [...this.#links.tags.keys()];
  }

  async only(): Promise<Digest | null> {
    return null;
  }

  /** It has no list of them: what names a subject is a manifest without a tag, or one under the tag of the subject. */
  async referrers(): Promise<readonly Descriptor[]> {
    return [];
  }

  async close(): Promise<void> {}

  async #digestOf(reference: string): Promise<Digest | null> {
    const digest = parseDigest(reference);
    if (digest !== null) return digest;
    const name = `${repositoriesRoot}${this.#links.name}/_manifests/tags/${reference}/current/link`;
    const bytes = await readWhole(this.#files, name, linkBytesMax);
    return bytes === null ? null : parseDigest(new TextDecoder().decode(bytes).trim());
  }
}

function dataOf(digest: Digest): string {
  const hex = hexOf(digest);
  return `${root}blobs/${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}/data`;
}
