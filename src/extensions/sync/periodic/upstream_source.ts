/** One repository of an upstream as a source of images. Blobs are never read through it: the target fetches them itself. */
import type { Descriptor } from "../../../oci/descriptor.ts";
import { parseDigest, type Digest } from "../../../oci/digest.ts";
import {
  TransferError,
  type ImageSource,
  type OpenBlob,
  type PlacedManifest,
} from "../../../transfer/image_place.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import type { Upstream } from "../upstream/upstream.ts";

export class UpstreamSource implements ImageSource {
  readonly label: string;
  readonly #upstream: Upstream;
  readonly #name: string;
  readonly #withCosignTags: boolean;

  constructor(
    upstream: Upstream,
    { name, withCosignTags }: { name: string; withCosignTags: boolean },
  ) {
    this.#upstream = upstream;
    this.#name = name;
    this.#withCosignTags = withCosignTags;
    this.label = `${upstream.host}/${name}`;
  }

  async head(reference: string): Promise<string | null> {
    const head = await this.#upstream.headManifest(this.#name, reference);
    if (head === null) return null;
    return head.digest ?? (await this.manifest(reference))?.digest ?? null;
  }

  async manifest(reference: string): Promise<PlacedManifest | null> {
    const manifest = await this.#upstream.getManifest(this.#name, reference);
    if (manifest === null || manifest === "unchanged") return null;
    const digest = parseDigest(manifest.digest);
    if (digest === null) throw new TransferError(`${this.label}: ${reference} has no digest`);
    return { ...manifest, digest };
  }

  async blob(): Promise<OpenBlob | null> {
    return null;
  }

  /** Tags that refer to other images, which the copy asks for; null of a tag list that is refused. */
  async tags(): Promise<readonly string[]> {
    if (!this.#withCosignTags) return [];
    try {
      return (await this.#upstream.tags(this.#name)) ?? [];
    } catch (error) {
      // Without a list, each tag is asked for.
      if (!(error instanceof UpstreamTrouble) || error.kind !== "denied") throw error;
      throw new TransferError(error.message, { cause: error });
    }
  }

  async only(): Promise<Digest | null> {
    return null;
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    return (await this.#upstream.referrers(this.#name, digest))?.manifests ?? [];
  }

  async close(): Promise<void> {}
}
