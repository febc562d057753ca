/**
 * What search shows of an image, made from the manifest and its configuration. Where several places may say the same,
 * annotations come before labels, and the names of OCI before those of label-schema; empty texts count as absent.
 */
import { isJsonObject, type JsonObject } from "../../lib/strict_json.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Manifest, ManifestReference } from "../../oci/manifest.ts";
import type { NewSummary, Platform, Summary, SummaryTexts } from "../../metadata/summaries.ts";

/** Characters of a text that are kept. */
const textMax = 4_096;
/** Characters of a vendor, of which a repository tells many at once. */
const vendorMax = 256;
/** Characters of a platform's parts. */
const platformMax = 128;

const oci = "org.opencontainers.image.";
const labelSchema = "org.label-schema.";

/** Where each text stands: its name in OCI's annotations, and in those of label-schema. */
const places = {
  title: ["title", "name"],
  description: ["description", "description"],
  licenses: ["licenses", "license"],
  vendor: ["vendor", "vendor"],
  source: ["source", "vcs-url"],
  documentation: ["documentation", "usage"],
} as const;

type Texts = Readonly<Record<string, string>>;

/** A manifest as it is here. */
export interface MadeOf {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly sizeBytes: number;
  readonly manifest: Manifest;
}

/** A configuration as JSON; null where it is none of an image, or cannot be read. */
export function summariseImage(image: MadeOf, config: unknown): NewSummary {
  const { digest, manifest, sizeBytes } = image;
  const annotations = manifest.annotations ?? {};
  const body = isJsonObject(config) ? config : {};
  const labels = labelsOf(body);
  const layers = manifest.references.filter(({ role }) => role === "layer");
  const own = manifest.references.find(({ role }) => role === "config")?.descriptor ?? null;
  const annotatedAt = annotatedTime(annotations) ?? annotatedTime(labels);
  return {
    digest,
    kind: "image",
    artifactType: manifest.artifactType,
    config: own === null ? null : { digest: own.digest, mediaType: own.mediaType },
    platform: platformOf(body),
    updatedAt: annotatedAt ?? timeOf(body["created"]) ?? lastOfHistory(body),
    annotatedAt,
    sizeBytes: sizeBytes + bytesOf(layers) + (own?.size ?? 0),
    texts: textsOf(annotations, labels, clean(body["author"])),
    annotatedVendor: vendorOf(annotations),
    layers: layers.map(({ descriptor }) => ({
      digest: descriptor.digest,
      sizeBytes: descriptor.size,
    })),
    children: [],
    names: [],
  };
}

/** A summary of a manifest whose bytes say nothing that we can read. */
export function summariseUnread(
  { digest, sizeBytes }: Omit<MadeOf, "manifest">,
  kind: "image" | "index",
): NewSummary {
  return {
    ...nothing,
    digest,
    kind,
    sizeBytes,
    layers: [],
    children: [],
    names: [],
  };
}

const nothing = {
  artifactType: null,
  config: null,
  platform: { os: "", arch: "" },
  updatedAt: null,
  annotatedAt: null,
  texts: {},
  annotatedVendor: null,
} as const;

/**
 * What an index says of itself, and else what its images say. `known` has what it leads to and is here: the manifests
 * that it names, and the images of indexes among them.
 */
export function summariseIndex(index: MadeOf, known: ReadonlyMap<string, NewSummary>): NewSummary {
  const { digest, manifest } = index;
  const annotations = manifest.annotations ?? {};
  const children = new Map<string, { digest: Digest; platform: Platform }>();
  const names: string[] = [];
  let sizeBytes = 0;
  for (const { descriptor } of manifest.references) {
    names.push(descriptor.digest);
    const child = known.get(descriptor.digest);
    if (child === undefined) continue;
    sizeBytes += child.sizeBytes;
    if (isAttestation(descriptor)) continue;
    const shown = child.kind === "index" ? child.children : [child];
    for (const { digest: leaf, platform } of shown) {
      const described = platformOf({ ...descriptor.platform });
      children.set(leaf, {
        digest: leaf,
        platform: isEmpty(platform) && child.kind === "image" ? described : platform,
      });
    }
    if (child.kind === "index") names.push(...child.names);
  }
  const shown = [...children.values()];
  const leaves = [...known.values()].flatMap((each) => (each.kind === "index" ? [] : [each]));
  const images = new Map(leaves.map((leaf) => [leaf.digest as string, leaf]));
  const first = images.get(shown[0]?.digest ?? "") ?? null;
  const annotatedAt = annotatedTime(annotations) ?? first?.annotatedAt ?? null;
  return {
    digest,
    kind: "index",
    artifactType: manifest.artifactType,
    config: null,
    platform: { os: "", arch: "" },
    updatedAt: annotatedAt ?? newestOf(shown.map((child) => images.get(child.digest))),
    annotatedAt,
    sizeBytes,
    texts: { ...first?.texts, ...textsOf(annotations, {}, null) },
    annotatedVendor: vendorOf(annotations) ?? first?.annotatedVendor ?? null,
    layers: [],
    children: shown,
    names: [...new Set(names)],
  };
}

/** What BuildKit says about an image in its index is no image. */
export function isAttestation({ annotations }: ManifestReference["descriptor"]): boolean {
  return annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

function newestOf(summaries: readonly (Summary | undefined)[]): number | null {
  const times = summaries.flatMap((each) => each?.updatedAt ?? []);
  return times.length === 0 ? null : Math.max(...times);
}

function bytesOf(references: readonly ManifestReference[]): number {
  return references.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function textsOf(annotations: Texts, labels: Texts, author: string | null): SummaryTexts {
  const texts: Record<string, string | null> = {
    ...Object.fromEntries(
      Object.keys(places).map((name) => [
        name,
        textOf(name as keyof typeof places, annotations) ??
          textOf(name as keyof typeof places, labels),
      ]),
    ),
    authors: clean(annotations[`${oci}authors`]) ?? clean(labels[`${oci}authors`]),
    labels: clean(annotations[`${labelSchema}labels`]) ?? clean(labels[`${labelSchema}labels`]),
    author,
  };
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== null));
}

function textOf(name: keyof typeof places, texts: Texts, max = textMax): string | null {
  const [own, older] = places[name];
  return clean(texts[`${oci}${own}`], max) ?? clean(texts[`${labelSchema}${older}`], max);
}

function vendorOf(annotations: Texts): string | null {
  return textOf("vendor", annotations, vendorMax);
}

function annotatedTime(texts: Texts): number | null {
  return timeOf(texts[`${oci}created`]) ?? timeOf(texts[`${labelSchema}build-date`]);
}

function labelsOf(config: JsonObject): Texts {
  const inner = config["config"];
  const labels = isJsonObject(inner) ? inner["Labels"] : null;
  if (!isJsonObject(labels)) return {};
  const texts = Object.entries(labels).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts) as Texts;
}

function lastOfHistory({ history }: JsonObject): number | null {
  const last: unknown = Array.isArray(history) ? history.at(-1) : null;
  return isJsonObject(last) ? timeOf(last["created"]) : null;
}

function platformOf(config: JsonObject): Platform {
  const [os, architecture, variant] = ["os", "architecture", "variant"].map(
    (name) => clean(config[name], platformMax) ?? "",
  );
  const arch = architecture ?? "";
  return { os: os ?? "", arch: variant ? `${arch}/${variant}` : arch };
}

function isEmpty({ os, arch }: Platform): boolean {
  return os === "" && arch === "";
}

const earliestMs = Date.parse("0001-01-02T00:00:00Z");
const latestMs = Date.parse("9999-12-31T23:59:59Z");
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch of a time in RFC 3339; null for anything else, and for Go's zero. */
function timeOf(value: unknown): number | null {
  if (typeof value !== "string" || !rfc3339.test(value)) return null;
  const ms = Date.parse(value);
  return ms >= earliestMs && ms <= latestMs ? ms : null;
}

/** A text that can be kept and shown; null for none. */
function clean(value: unknown, max = textMax): string | null {
  if (typeof value !== "string" || value === "") return null;
  return value.slice(0, max).replaceAll("\0", "").toWellFormed() || null;
}
