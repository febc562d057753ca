/**
 * All that is worth telling of one image or artifact: platforms, layers, sizes, config, labels, and what refers to it.
 */
import { artifactSummary } from "../oci/artifact_summary.ts";
import { artifactKindOf, type ArtifactKind } from "../oci/artifact_kinds.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { isManifestType } from "../oci/media_types.ts";
import type { ImageContent } from "./image_content.ts";
import { keptUnderTags } from "./signed_by_tag.ts";
import { pickImage, platformOf } from "./pick_image.ts";
import { listIn, objectIn, textIn } from "./read_members.ts";
import {
  childrenOf,
  configOf,
  contentBytesOf,
  layersOf,
  readConfig,
  seeManifest,
  type SeenManifest,
} from "./seen_manifest.ts";

/** Images of an index whose manifests are read, to tell their sizes. */
export const childrenReadMax = 64;

export interface ToldLayer {
  readonly digest: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** The command that made it, or the name of the file that it is; null where nothing says. */
  readonly from: string | null;
}

export interface ToldPlatform {
  /** Null for what is no image, such as an attestation. */
  readonly platform: string | null;
  readonly digest: string;
  readonly kind: string;
  /** Of its content; null where its manifest was not read. */
  readonly sizeBytes: number | null;
}

export interface ToldReferrer {
  readonly digest: string;
  readonly kind: string;
  readonly label: string;
  readonly artifactType: string | null;
  /** Of its manifest. */
  readonly sizeBytes: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** What it is about: the index, or an image in it. */
  readonly subject: string;
}

export interface ToldImage {
  readonly reference: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly kind: string;
  readonly label: string;
  readonly artifactType: string | null;
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject: string | null;
  /** Config and layers of the image, or of all images of an index that were read. */
  readonly sizeBytes: number;
  /** Of an index. */
  readonly platforms: readonly ToldPlatform[];
  /** What the rest is about: the image, or one of an index; null for an index without images. */
  readonly image: ToldImageParts | null;
  readonly referrers: readonly ToldReferrer[];
}

export interface ToldImageParts {
  readonly digest: string;
  readonly platform: string | null;
  readonly sizeBytes: number;
  readonly config: { readonly digest: string; readonly mediaType: string } | null;
  readonly summary: readonly (readonly [label: string, value: string])[];
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly ToldLayer[];
}

/** Null when the reference is absent. @throws InspectError. */
export async function inspectImage(
  content: ImageContent,
  reference: string,
  platforms: { readonly asked: Platform | null; readonly usual: readonly Platform[] },
): Promise<ToldImage | null> {
  const root = await seeManifest(content, reference);
  if (root === null) return null;
  const picked = await pickImage(content, root, platforms);
  const children = await toldPlatforms(content, root);
  const image = picked === null ? null : await toldParts(content, picked.image, picked.platform);
  const subjects = [root.digest, ...(picked === null ? [] : [picked.image.digest])];
  const { digest, mediaType, artifactKind, facts, parsed } = root;
  const read = children.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  return {
    reference,
    digest,
    mediaType,
    kind: artifactKind.id,
    label: artifactKind.label,
    artifactType: parsed.artifactType,
    annotations: facts.annotations,
    subject: parsed.subject?.digest ?? null,
    sizeBytes: parsed.kind === "index" ? read : contentBytesOf(root),
    platforms: children,
    image,
    referrers: await toldReferrers(content, [...new Set(subjects)]),
  };
}

async function toldPlatforms(content: ImageContent, root: SeenManifest): Promise<ToldPlatform[]> {
  const told: ToldPlatform[] = [];
  for (const [at, child] of childrenOf(root).entries()) {
    const isRead = at < childrenReadMax && isManifestType(child.mediaType);
    const manifest = isRead ? await seeManifest(content, child.digest, child.annotations) : null;
    told.push({
      platform: platformOf(child),
      digest: child.digest,
      kind: manifest?.artifactKind.id ?? kindOfDescriptor(child).id,
      sizeBytes: manifest === null ? null : contentBytesOf(manifest),
    });
  }
  return told;
}

async function toldParts(
  content: ImageContent,
  image: SeenManifest,
  platform: string | null,
): Promise<ToldImageParts> {
  const config = await readConfig(content, image);
  const descriptor = configOf(image);
  const { annotations } = image.facts;
  const own = platformIn(config);
  return {
    digest: image.digest,
    platform: platform ?? own,
    sizeBytes: contentBytesOf(image),
    config:
      descriptor === null ? null : { digest: descriptor.digest, mediaType: descriptor.mediaType },
    summary: artifactSummary(image.artifactKind, { config, annotations }),
    environment: listIn(objectIn(config, "config"), "Env").flatMap((entry) =>
      typeof entry === "string" ? [entry] : [],
    ),
    labels: textsIn(objectIn(config, "config"), "Labels"),
    layers: toldLayers(image, config),
  };
}

/** `os/architecture[/variant]` of a config; null where it says none. */
export function platformIn(config: unknown): string | null {
  const [os, architecture] = [textIn(config, "os"), textIn(config, "architecture")];
  if (os === null || architecture === null) return null;
  const variant = textIn(config, "variant");
  return [os, architecture, ...(variant === null ? [] : [variant])].join("/");
}

function textsIn(value: unknown, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(objectIn(value, name)).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(entries);
}

/** Layers with what made them: entries of the history that made none are passed over. */
export function toldLayers(image: SeenManifest, config: unknown): ToldLayer[] {
  const commands = listIn(config, "history").flatMap((entry) => {
    const isEmpty =
      typeof entry === "object" && entry !== null && Reflect.get(entry, "empty_layer");
    return isEmpty === true ? [] : [textIn(entry, "created_by")];
  });
  return layersOf(image).map(({ digest, mediaType, size, annotations }, at) => ({
    digest,
    mediaType,
    sizeBytes: size,
    from: annotations?.["org.opencontainers.image.title"] ?? commands[at] ?? null,
  }));
}

async function toldReferrers(
  content: ImageContent,
  subjects: readonly Digest[],
): Promise<ToldReferrer[]> {
  const told = new Map<string, ToldReferrer>();
  for (const subject of subjects) {
    for (const referrer of await content.referrers(subject)) {
      told.set(referrer.digest, await toldReferrer(content, referrer, subject));
    }
    for (const seen of await keptUnderTags(content, subject)) {
      if (!told.has(seen.digest)) told.set(seen.digest, toldManifest(seen, subject));
    }
  }
  return [...told.values()];
}

/** Referrers of a layout come without their types: the manifest has them. */
async function toldReferrer(
  content: ImageContent,
  referrer: Descriptor,
  subject: string,
): Promise<ToldReferrer> {
  const { digest, artifactType = null, size, annotations = {} } = referrer;
  const isRead = artifactType === null && parseDigest(digest) !== null;
  const seen = isRead ? await seeManifest(content, digest) : null;
  if (seen !== null) return toldManifest(seen, subject);
  const { id: kind, label } = kindOfDescriptor(referrer);
  return { digest, kind, label, artifactType, sizeBytes: size, annotations, subject };
}

function toldManifest(seen: SeenManifest, subject: string): ToldReferrer {
  const { digest, artifactKind, parsed, sizeBytes, facts } = seen;
  return {
    digest,
    kind: artifactKind.id,
    label: artifactKind.label,
    artifactType: parsed.artifactType,
    sizeBytes,
    annotations: facts.annotations,
    subject,
  };
}

/** The kind of what a descriptor names, as far as it says. */
export function kindOfDescriptor({
  mediaType,
  artifactType,
  annotations,
}: Descriptor): ArtifactKind {
  return artifactKindOf({
    kind: mediaType.includes("index") || mediaType.includes("manifest.list") ? "index" : "image",
    artifactType: artifactType ?? null,
    configType: null,
    layerTypes: [],
    annotations: annotations ?? {},
  });
}
