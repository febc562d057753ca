// The contents that a course of the model works with: blobs, images of some of them, indexes in indexes, and referrers
// of referrers. Names are for people who read a course.

import { digestOf, type Digest } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { sample } from "../contracts/store_samples.ts";
import { bytesOf, type Descriptor } from "../registry/world.ts";

export interface Item {
  readonly name: string;
  readonly kind: "blob" | "manifest";
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** Digests that it must name. */
  readonly names: readonly Digest[];
  readonly subject: Digest | null;
}

export const repositories = ["team/app", "team/app/base", "lib"] as const;
export const tags = ["v1", "v2", "dev", "main", "nightly"] as const;

const byDigest = new Map<string, Item>();
export const items: readonly Item[] = makeItems();

export function itemOf(digest: string): Item {
  const found = byDigest.get(digest);
  if (found === undefined) throw new Error(`model: ${digest} is none of its contents`);
  return found;
}

export const blobs = items.filter(({ kind }) => kind === "blob");
export const manifests = items.filter(({ kind }) => kind === "manifest");

/** Everything that a manifest names, itself last, in an order in which it can be pushed. */
export function treeOf({ digest, names }: Item): Item[] {
  const below = names.flatMap((name) => treeOf(itemOf(name)));
  return [...new Set([...below, itemOf(digest)])];
}

function makeItems(): Item[] {
  const made: Item[] = [];
  const add = (item: Item): Item => {
    made.push(item);
    byDigest.set(item.digest, item);
    return item;
  };
  const layers = Array.from({ length: 7 }, (_, index) => add(blobOf(`blob${index}`, index)));
  const [b0, b1, b2, b3, b4, b5, b6] = layers as [Item, Item, Item, Item, Item, Item, Item];
  const image = (name: string, named: readonly Item[], subject: Item | null = null): Item =>
    add(imageOf(name, named, subject));
  const index = (name: string, named: readonly Item[], subject: Item | null = null): Item =>
    add(indexOf(name, named, subject));
  const one = image("image0", [b0, b1]);
  const two = image("image1", [b0, b2]);
  const three = image("image2", [b3, b1, b2]);
  image("image3", [b4, b4]);
  const inner = index("index0", [one, two]);
  index("index1", [two, three]);
  index("index2", [inner, three]);
  const signature = image("signature", [b5], one);
  image("sbom", [b5, b6], inner);
  image("signature of signature", [b5, b0], signature);
  return made;
}

function blobOf(name: string, seed: number): Item {
  const bytes = sample(200 + seed, seed + 1);
  const digest = digestOf("sha256", bytes);
  return {
    name,
    kind: "blob",
    digest,
    bytes,
    mediaType: mediaTypes.ociLayer,
    names: [],
    subject: null,
  };
}

function describe({ mediaType, digest, bytes }: Item): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

function manifestOf(name: string, document: object, named: readonly Item[], subject: Item | null) {
  const mediaType = (document as { mediaType: string }).mediaType;
  const bytes = bytesOf({
    schemaVersion: 2,
    ...document,
    ...(subject === null ? {} : { subject: describe(subject) }),
    annotations: { name },
  });
  const names = [...new Set(named.map(({ digest }) => digest))];
  const digest = digestOf("sha256", bytes);
  const kind = "manifest" as const;
  return { name, kind, digest, bytes, mediaType, names, subject: subject?.digest ?? null };
}

/** Its first blob is its config. */
function imageOf(name: string, named: readonly Item[], subject: Item | null): Item {
  const [config, ...rest] = named;
  if (config === undefined) throw new Error("model: an image needs a config");
  const document = {
    mediaType: mediaTypes.ociImage,
    config: { ...describe(config), mediaType: mediaTypes.ociConfig },
    layers: rest.map(describe),
  };
  return manifestOf(name, document, named, subject);
}

function indexOf(name: string, named: readonly Item[], subject: Item | null): Item {
  const document = { mediaType: mediaTypes.ociIndex, manifests: named.map(describe) };
  return manifestOf(name, document, named, subject);
}
