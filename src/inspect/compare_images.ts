/**
 * Two images, or two moments of one: what differs in platforms, config, annotations, layers, sizes and packages. Files
 * need the layers themselves, and stand apart (`files/compare_image_files.ts`).
 */
import type { Platform } from "../oci/descriptor.ts";
import { parsePlatform } from "../oci/platform.ts";
import { comparePackages, type PackageChanges } from "./compare_packages.ts";
import { compareValues, type ValueChange } from "./compare_values.ts";
import { findPackages } from "./find_packages.ts";
import { InspectError, type ImageContent } from "./image_content.ts";
import { platformIn, toldLayers, type ToldLayer } from "./inspect_image.ts";
import { sbomBytesMax } from "./sbom_packages.ts";
import { pickImage, platformOf, type Picked } from "./pick_image.ts";
import { childrenOf, contentBytesOf, readConfig, type SeenManifest } from "./seen_manifest.ts";

export interface ComparedSide {
  readonly content: ImageContent;
  readonly root: SeenManifest;
}

export interface ToldSide {
  /** Of what was named. */
  readonly digest: string;
  readonly kind: string;
  readonly label: string;
  /** Of the image that is compared, which may be one of an index. */
  readonly imageDigest: string;
  readonly platform: string | null;
  /** Config and layers of that image. */
  readonly sizeBytes: number;
}

export interface ComparedLayer extends ToldLayer {
  readonly in: "both" | "a" | "b";
}

export interface ImageComparison {
  readonly a: ToldSide;
  readonly b: ToldSide;
  /** The same manifest was named twice. */
  readonly isSame: boolean;
  /** Of two indexes; null where one of them is none. */
  readonly platforms: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
    readonly same: readonly string[];
  } | null;
  readonly config: readonly ValueChange[];
  readonly annotations: readonly ValueChange[];
  readonly layers: readonly ComparedLayer[];
  /** Bytes of layers that both have, and that one has alone. */
  readonly layerBytes: { readonly both: number; readonly a: number; readonly b: number };
  /** Null where one of them has no SBOM that can be read. */
  readonly packages:
    | (PackageChanges & { readonly sboms: { readonly a: string; readonly b: string } })
    | null;
}

export interface Compared {
  readonly told: ImageComparison;
  /** The images whose layers can be compared. */
  readonly images: { readonly a: SeenManifest; readonly b: SeenManifest };
}

/** @throws InspectError for an index without images, and for a platform that is not there. */
export async function compareImages(
  a: ComparedSide,
  b: ComparedSide,
  platforms: {
    readonly asked: Platform | null;
    readonly usual: readonly Platform[];
    /** Of an SBOM that is read. */
    readonly sbomBytesMax?: number;
  },
): Promise<Compared> {
  const hint = (await platformsOf(a)) ?? (await platformsOf(b));
  const usual = [...(hint === null ? [] : [hint]), ...platforms.usual];
  const pickedA = await pick(a, { asked: platforms.asked, usual });
  const samePlatform = parsePlatform(pickedA.platform ?? "");
  const pickedB = await pick(b, {
    asked: platforms.asked,
    usual: [...(samePlatform === null ? [] : [samePlatform]), ...usual],
  });
  const images = { a: pickedA.image, b: pickedB.image };
  const configs = {
    a: await readConfig(a.content, images.a),
    b: await readConfig(b.content, images.b),
  };
  const layers = comparedLayers(toldLayers(images.a, configs.a), toldLayers(images.b, configs.b));
  const sum = (where: ComparedLayer["in"]): number =>
    layers.reduce((bytes, layer) => bytes + (layer.in === where ? layer.sizeBytes : 0), 0);
  return {
    images,
    told: {
      a: toldSide(a, pickedA, configs.a),
      b: toldSide(b, pickedB, configs.b),
      isSame: a.root.digest === b.root.digest,
      platforms: comparedPlatforms(a.root, b.root),
      config: compareValues(configs.a, configs.b),
      annotations: compareValues(images.a.facts.annotations, images.b.facts.annotations),
      layers,
      layerBytes: { both: sum("both"), a: sum("a"), b: sum("b") },
      packages: await comparedPackages(a, b, images, platforms.sbomBytesMax ?? sbomBytesMax),
    },
  };
}

/** Of an image that is in no index: the other one is to be of the same platform. */
async function platformsOf({ content, root }: ComparedSide): Promise<Platform | null> {
  if (root.parsed.kind === "index") return null;
  return parsePlatform(platformIn(await readConfig(content, root)) ?? "");
}

async function pick(
  { content, root }: ComparedSide,
  platforms: { readonly asked: Platform | null; readonly usual: readonly Platform[] },
): Promise<Picked> {
  const picked = await pickImage(content, root, platforms);
  if (picked !== null) return picked;
  throw new InspectError(`${content.label}: ${root.digest} is an index without images`);
}

function toldSide({ root }: ComparedSide, { image, platform }: Picked, config: unknown): ToldSide {
  const { digest, artifactKind } = root;
  return {
    digest,
    kind: artifactKind.id,
    label: artifactKind.label,
    imageDigest: image.digest,
    platform: platform ?? platformIn(config),
    sizeBytes: contentBytesOf(image),
  };
}

/** Those of the first in order, then what the second has beside them. */
function comparedLayers(a: readonly ToldLayer[], b: readonly ToldLayer[]): ComparedLayer[] {
  const [inA, inB] = [a, b].map((layers) => new Set(layers.map(({ digest }) => digest)));
  return [
    ...a.map((layer) => ({
      ...layer,
      in: inB?.has(layer.digest) === true ? ("both" as const) : ("a" as const),
    })),
    ...b
      .filter(({ digest }) => inA?.has(digest) !== true)
      .map((layer) => ({ ...layer, in: "b" as const })),
  ];
}

function comparedPlatforms(a: SeenManifest, b: SeenManifest): ImageComparison["platforms"] {
  if (a.parsed.kind !== "index" || b.parsed.kind !== "index") return null;
  const [was, is] = [platformDigests(a), platformDigests(b)];
  const names = [...new Set([...was.keys(), ...is.keys()])].sort();
  const that = (fits: (before?: string, after?: string) => boolean): string[] =>
    names.filter((name) => fits(was.get(name), is.get(name)));
  return {
    added: that((before) => before === undefined),
    removed: that((_, after) => after === undefined),
    changed: that(
      (before, after) => before !== undefined && after !== undefined && before !== after,
    ),
    same: that((before, after) => before === after),
  };
}

function platformDigests(root: SeenManifest): Map<string, string> {
  return new Map(
    childrenOf(root).flatMap((child) => {
      const platform = platformOf(child);
      return platform === null ? [] : [[platform, child.digest] as const];
    }),
  );
}

async function comparedPackages(
  a: ComparedSide,
  b: ComparedSide,
  images: Compared["images"],
  bytesMax: number,
): Promise<ImageComparison["packages"]> {
  const was = await findPackages(a.content, { root: a.root, image: images.a }, bytesMax);
  if (was === null) return null;
  const is = await findPackages(b.content, { root: b.root, image: images.b }, bytesMax);
  if (is === null) return null;
  return {
    ...comparePackages(was.packages, is.packages),
    sboms: { a: was.sbom, b: is.sbom },
  };
}
