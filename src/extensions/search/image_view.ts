/**
 * Images and their manifests as GraphQL asks for them: a member for each field of the schema. What needs a look of its
 * own, or writes a time, is a function, which is called when the field is asked for.
 */
import type {
  ImageRow,
  ManifestFacts,
  Platform,
  StoredSummary,
  SummarisedLayer,
} from "../../metadata/summaries.ts";
import { parseDigest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { readContent } from "../../registry/content.ts";
import { resolveBlob } from "../../registry/resolve.ts";
import { historyOf } from "./history_of.ts";
import { isMediaTypeOfConfig } from "../../oci/image_config.ts";
import { referrersOf } from "./referrers_of.ts";
import type { Searching } from "./searching.ts";
import { int, time } from "./values.ts";

/** Bytes of a configuration whose history is read. */
const configBytesMax = 1024 * 1024;
/** Signatures that are told one by one. */
const signaturesMax = 100;

/** A manifest that can be seen, and where it is. */
interface Seen {
  readonly repository: string;
  readonly summary: StoredSummary;
  readonly facts: ManifestFacts | null;
}

/** What a manifest has, whether a tag points at it or an index names it. */
function seenView(searching: Searching, { repository, summary, facts }: Seen) {
  const { reads } = searching;
  const { repository: id, digest } = summary;
  return {
    Digest: digest,
    LastUpdated: () => time(summary.updatedAt),
    Size: String(summary.sizeBytes),
    DownloadCount: int(facts?.pulls ?? 0),
    ArtifactType: summary.artifactType ?? "",
    // Nothing here scans: a result is what somebody pushed.
    Vulnerabilities: null,
    IsSigned: async () => (await reads.signatures(id, digest)).length > 0,
    SignatureInfo: () => signatureInfo(searching, summary),
    Referrers: () => referrersOf(searching, repository, digest, []),
  };
}

/** One entry for each layer of each signature. */
async function signatureInfo({ reads }: Searching, { repository, digest }: StoredSummary) {
  const views: { Tool: string; IsTrusted: boolean; Author: string }[] = [];
  for (const signature of await reads.signatures(repository, digest)) {
    const count = await reads.layerCount(repository, signature.digest);
    for (let each = 0; each < count && views.length < signaturesMax; each += 1) {
      views.push({ Tool: signature.tool, IsTrusted: false, Author: "" });
    }
  }
  return views;
}

function manifestView(searching: Searching, seen: Seen, platform: Platform) {
  const { summary, repository } = seen;
  const layers = async (): Promise<SummarisedLayer[]> => {
    searching.takeParts(1);
    const found = await searching.reads.layers(summary.id);
    searching.takeParts(found.length);
    return found;
  };
  return {
    ...seenView(searching, seen),
    ConfigDigest: summary.config?.digest ?? "",
    Platform: platformView(platform),
    Layers: async () =>
      (await layers()).map(({ digest, sizeBytes }) => ({
        Size: String(sizeBytes),
        Digest: digest,
      })),
    History: async () => {
      searching.takeConfig();
      return historyOf(await configOf(searching, repository, summary), await layers());
    },
  };
}

/** Null for what is no configuration of an image, too large, or not there. */
async function configOf(
  { registry }: Searching,
  repository: string,
  { config }: StoredSummary,
): Promise<Uint8Array | null> {
  const digest = config === null ? null : parseDigest(config.digest);
  if (config === null || digest === null || !isMediaTypeOfConfig(config.mediaType)) return null;
  const { found } = await resolveBlob(registry, repository, digest);
  if (found === null || found.damagedSince !== undefined) return null;
  return found.sizeBytes > configBytesMax ? null : readContent(registry, found);
}

/** Of an image itself, of an index its images. */
function manifestsOf(searching: Searching, seen: Seen, parts: Shown) {
  const { kind, platform } = seen.summary;
  if (kind === "image") return [manifestView(searching, seen, platform)];
  return imagesOf(searching, seen, parts);
}

async function imagesOf(searching: Searching, { repository, summary }: Seen, parts: Shown) {
  const { reads } = searching;
  const views: ReturnType<typeof manifestView>[] = [];
  for (const { child, platform } of await shownIn(searching, summary, parts)) {
    const facts = await reads.facts(summary.repository, child.digest);
    views.push(manifestView(searching, { repository, summary: child, facts }, platform));
  }
  return views;
}

/** Images of an index, those alone that were found where it was searched for them. */
async function shownIn(searching: Searching, { id, repository }: StoredSummary, parts: Shown) {
  const { reads } = searching;
  const shown: { readonly child: StoredSummary; readonly platform: Platform }[] = [];
  searching.takeParts(1);
  for (const { digest, platform } of await reads.children(id)) {
    if (parts?.has(digest) === false) continue;
    searching.takeParts(1);
    const child = await reads.find(repository, digest);
    if (child !== null) shown.push({ child, platform });
  }
  return shown;
}

/** Of an index of which some images are shown, what these make of it, as in zot. */
function partView(searching: Searching, summary: StoredSummary, parts: Shown) {
  if (parts === null || summary.kind === "image") return {};
  const shown = () => shownIn(searching, summary, parts);
  return {
    Size: async () => String((await shown()).reduce((sum, { child }) => sum + child.sizeBytes, 0)),
    LastUpdated: async () => {
      const times = (await shown()).flatMap(({ child }) => child.updatedAt ?? []);
      return time(times.length === 0 ? null : Math.max(...times));
    },
  };
}

/** Digests of the images of an index that are shown; null for all. */
type Shown = ReadonlySet<string> | null;

/** A tag, or a manifest that has none: then it is empty. */
export interface Tagged {
  readonly tag: string;
  /** When the tag was set; null without one. */
  readonly setAt: number | null;
}

export type ImageView = ReturnType<typeof imageView>;

export function imageView(
  searching: Searching,
  seen: Seen,
  { tag, setAt }: Tagged,
  parts: Shown = null,
) {
  const { repository, summary, facts } = seen;
  const { kind, texts } = summary;
  return {
    ...seenView(searching, seen),
    ...partView(searching, summary, parts),
    RepoName: repository,
    Tag: tag,
    // Docker's manifests say the same as OCI's.
    MediaType: kind === "index" ? mediaTypes.ociIndex : mediaTypes.ociImage,
    Manifests: () => manifestsOf(searching, seen, parts),
    LastPullTimestamp: () => time(facts?.pulledAt ?? null),
    PushTimestamp: () => time(facts?.pushedAt ?? null),
    PushedBy: searching.showsWho ? (facts?.pushedBy ?? "") : "",
    TaggedTimestamp: () => time(setAt ?? facts?.pushedAt ?? null),
    Title: texts.title ?? "",
    Description: texts.description ?? "",
    Licenses: texts.licenses ?? "",
    Labels: texts.labels ?? "",
    Source: texts.source ?? "",
    Documentation: texts.documentation ?? "",
    Vendor: texts.vendor ?? "",
    Authors: texts.authors ?? (kind === "image" ? texts.author : undefined) ?? "",
    IsDeletable: () => searching.caller.may("delete", repository),
  };
}

export function platformView({ os, arch }: Platform): {
  readonly Os: string;
  readonly Arch: string;
} {
  return { Os: os, Arch: arch };
}

/** Of indexes, by `name:tag`, the images that are shown. */
export type Parts = ReadonlyMap<string, ReadonlySet<string>>;

/** Views of these images, but for those that are gone by now. */
export async function viewsOf(
  searching: Searching,
  rows: readonly ImageRow[],
  parts: Parts = new Map(),
): Promise<ImageView[]> {
  searching.takeParts(rows.length);
  const details = await searching.reads.details(rows.map(({ summary }) => summary));
  return rows.flatMap((row) => {
    const found = details.get(row.summary);
    if (found === undefined) return [];
    // Many tags may tell the texts of one manifest.
    for (const text of Object.values(found.summary.texts)) searching.takeTexts(text.length);
    const shown = parts.get(`${row.name}:${row.tag}`) ?? null;
    return imageView(searching, { repository: row.name, ...found }, row, shown);
  });
}
