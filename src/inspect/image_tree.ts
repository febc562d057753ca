/** What an image is made of, as a tree: an index and its images, their configs and layers, and what refers to each. */
import type { Descriptor } from "../oci/descriptor.ts";
import { parseDigest } from "../oci/digest.ts";
import { isManifestType } from "../oci/media_types.ts";
import type { ImageContent } from "./image_content.ts";
import { toldLayers } from "./inspect_image.ts";
import { platformOf } from "./pick_image.ts";
import { keptUnderTags } from "./signed_by_tag.ts";
import {
  childrenOf,
  configOf,
  contentBytesOf,
  readConfig,
  seeManifest,
  type SeenManifest,
} from "./seen_manifest.ts";

/** Of one tree; what is beyond is left out, as `isCutOff` says. */
export const nodesMax = 5_000;
/** Indexes in indexes, and referrers of referrers. */
export const depthMax = 8;

export interface TreeNode {
  readonly role: "root" | "child" | "config" | "layer" | "referrer";
  readonly digest: string;
  readonly mediaType: string;
  /** Of a manifest: the kind's id, and what people call it. */
  readonly kind: string | null;
  readonly label: string;
  /** Of an image its content, of a blob its bytes, of an index or an absent manifest null. */
  readonly sizeBytes: number | null;
  readonly isAbsent: boolean;
  readonly children: readonly TreeNode[];
}

export interface ImageTree {
  readonly root: TreeNode;
  readonly isCutOff: boolean;
}

/** Null when the reference is absent. @throws InspectError. */
export async function imageTree(
  content: ImageContent,
  reference: string,
): Promise<ImageTree | null> {
  const root = await seeManifest(content, reference);
  return root === null ? null : new TreeBuilder(content).build(root);
}

class TreeBuilder {
  readonly #content: ImageContent;
  #nodes = 0;
  #isCutOff = false;
  /** Manifests on the way to here: a referrer that refers to itself ends there. */
  readonly #path = new Set<string>();

  constructor(content: ImageContent) {
    this.#content = content;
  }

  async build(root: SeenManifest): Promise<ImageTree> {
    const node = await this.#manifest(root, "root", root.artifactKind.label);
    return { root: node, isCutOff: this.#isCutOff };
  }

  async #manifest(seen: SeenManifest, role: TreeNode["role"], label: string): Promise<TreeNode> {
    this.#nodes += 1;
    this.#path.add(seen.digest);
    const isDeep = this.#path.size > depthMax;
    if (isDeep) this.#isCutOff = true;
    const children = isDeep
      ? []
      : [
          ...(seen.parsed.kind === "index" ? await this.#images(seen) : await this.#blobs(seen)),
          ...(await this.#referrers(seen)),
          ...(role === "referrer" ? [] : await this.#underTags(seen)),
        ];
    this.#path.delete(seen.digest);
    return {
      role,
      digest: seen.digest,
      mediaType: seen.mediaType,
      kind: seen.artifactKind.id,
      label,
      sizeBytes: seen.parsed.kind === "index" ? null : contentBytesOf(seen),
      isAbsent: false,
      children,
    };
  }

  async #images(index: SeenManifest): Promise<TreeNode[]> {
    const nodes: TreeNode[] = [];
    for (const child of childrenOf(index)) {
      if (!this.#hasRoom(child)) continue;
      nodes.push(await this.#named(child, "child", platformOf(child)));
    }
    return nodes;
  }

  async #blobs(image: SeenManifest): Promise<TreeNode[]> {
    const config = configOf(image);
    const nodes: TreeNode[] = [];
    if (config !== null && this.#hasRoom(config))
      nodes.push(this.#blob(config, "config", "config"));
    const layers = toldLayers(image, await readConfig(this.#content, image));
    for (const layer of layers) {
      const descriptor = { ...layer, size: layer.sizeBytes };
      if (this.#hasRoom(descriptor)) {
        nodes.push(this.#blob(descriptor, "layer", layer.from ?? "layer"));
      }
    }
    return nodes;
  }

  async #referrers(seen: SeenManifest): Promise<TreeNode[]> {
    const nodes: TreeNode[] = [];
    for (const referrer of await this.#content.referrers(seen.digest)) {
      if (!this.#hasRoom(referrer)) continue;
      nodes.push(await this.#named(referrer, "referrer", null));
    }
    return nodes;
  }

  /** Of images alone: what is about a signature refers to it. */
  async #underTags(seen: SeenManifest): Promise<TreeNode[]> {
    const nodes: TreeNode[] = [];
    for (const kept of await keptUnderTags(this.#content, seen.digest)) {
      if (this.#hasRoom(kept)) {
        nodes.push(await this.#manifest(kept, "referrer", kept.artifactKind.label));
      }
    }
    return nodes;
  }

  /** A manifest that another one names, or that names another one. */
  async #named(
    descriptor: Descriptor,
    role: TreeNode["role"],
    label: string | null,
  ): Promise<TreeNode> {
    const { digest, mediaType, size, annotations } = descriptor;
    const isManifest = isManifestType(mediaType) && parseDigest(digest) !== null;
    if (!isManifest) return this.#blob(descriptor, role, label ?? mediaType);
    const seen = await seeManifest(this.#content, digest, annotations);
    if (seen !== null) return this.#manifest(seen, role, label ?? seen.artifactKind.label);
    return {
      ...this.#blob({ digest, mediaType, size }, role, label ?? "manifest"),
      sizeBytes: null,
      isAbsent: true,
    };
  }

  #blob(
    { digest, mediaType, size }: Pick<Descriptor, "digest" | "mediaType" | "size">,
    role: TreeNode["role"],
    label: string,
  ): TreeNode {
    this.#nodes += 1;
    const node = { role, digest, mediaType, kind: null, label, sizeBytes: size };
    return { ...node, isAbsent: false, children: [] };
  }

  #hasRoom({ digest }: Pick<Descriptor, "digest">): boolean {
    if (this.#path.has(digest)) return false;
    if (this.#nodes < nodesMax) return true;
    this.#isCutOff = true;
    return false;
  }
}
