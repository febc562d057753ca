/**
 * Summaries of images: what search and the interface show of manifests and their configurations, found by an index. A
 * store of its own beside the metadata, filled after the push and rebuilt from the content at any time.
 *
 * A *summary* is made of the bytes of one manifest, and of its configuration. An *image* is a tag of a repository
 * whose manifest has a summary. What a tag points at is read again where it is written, so that whoever summarises
 * twice, late or after a crash does no harm. Names of a user's stars and bookmarks are the only facts that are not in
 * the content.
 */
import type { Digest } from "../oci/digest.ts";
import type { SignatureTool } from "../oci/signatures.ts";
import type { RecordStore } from "./records.ts";

/** Raised when summaries are made in another way: older ones are made again. */
export const summaryVersion = 2;

export interface Platform {
  readonly os: string;
  /** With its variant: `arm64/v8`. */
  readonly arch: string;
}

/** Texts for people, as the manifest or its configuration have them; absent where they are empty. */
export interface SummaryTexts {
  readonly title?: string;
  readonly description?: string;
  readonly licenses?: string;
  readonly vendor?: string;
  readonly source?: string;
  readonly documentation?: string;
  readonly authors?: string;
  /** Of the configuration. */
  readonly author?: string;
  readonly labels?: string;
}

export interface SummarisedLayer {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A manifest of an index that is here, as the index shows it. */
export interface SummarisedChild {
  readonly digest: Digest;
  readonly platform: Platform;
}

/** What is known of one manifest. */
export interface Summary {
  readonly digest: Digest;
  readonly kind: "image" | "index";
  /** The manifest's own type, else that of its configuration. */
  readonly artifactType: string | null;
  readonly config: { readonly digest: string; readonly mediaType: string } | null;
  /** Of an image. */
  readonly platform: Platform;
  /** When it was made, in milliseconds since the epoch; null where nothing says so. */
  readonly updatedAt: number | null;
  /** The same, where an annotation or label says so. */
  readonly annotatedAt: number | null;
  /** Of an image with manifest, configuration and layers; of an index, of its manifests. */
  readonly sizeBytes: number;
  readonly texts: SummaryTexts;
  /** As its annotations alone name it. */
  readonly annotatedVendor: string | null;
}

/** A summary to write. */
export interface NewSummary extends Summary {
  readonly layers: readonly SummarisedLayer[];
  /** Of an index, the images in it, those of indexes in it included. */
  readonly children: readonly SummarisedChild[];
  /** Manifests that an index names, whether they are here or not: it is made again when they come or go. */
  readonly names: readonly string[];
  /** Bytes that it is made of were damaged: it is made again when they are right. */
  readonly isPoor?: boolean;
}

export type Preference = "star" | "bookmark";

export type SummaryChange =
  /** Does nothing where the repository has no such manifest any more. */
  | { readonly kind: "summarise"; readonly repository: string; readonly summary: NewSummary }
  /** The images of these tags become what the tags say now. */
  | { readonly kind: "set-images"; readonly repository: string; readonly tags: readonly string[] }
  /** What was removed from the repository goes, unless it is there again. */
  | { readonly kind: "forget"; readonly repository: string; readonly digests: readonly Digest[] }
  /** What is told of the repository as a whole is made again. */
  | { readonly kind: "refresh"; readonly repository: string }
  /** All repositories are to be looked at, by this version. */
  | { readonly kind: "begin-round"; readonly version: number }
  /** All tags of a repository were looked at since the round began. */
  | { readonly kind: "end-repository"; readonly repository: string; readonly round: number }
  /** On where it was off, and off where it was on. */
  | {
      readonly kind: "toggle";
      readonly preference: Preference;
      readonly user: string;
      readonly repository: string;
    };

/** A repository with its images. Its id is the same for ever, also while it is removed. */
export interface RepositorySummary {
  readonly id: number;
  readonly name: string;
  /** Tags that are images; a repository without any is not shown. */
  readonly images: number;
  /** The newest image by its own time, of which the first tag by byte order. */
  readonly newest: { readonly tag: string; readonly digest: Digest } | null;
  /** The time of the newest image, or the last push of a tag. */
  readonly updatedAt: number | null;
  readonly platforms: readonly Platform[];
  readonly vendors: readonly string[];
  readonly pulls: number;
  readonly stars: number;
  /** Whether somebody signed the newest image. */
  readonly isSigned: boolean;
  /** Grows with every change of any repository. */
  readonly version: number;
}

/** A tag with the manifest that it points at. */
export interface ImageRow {
  readonly repository: number;
  readonly name: string;
  readonly tag: string;
  readonly digest: Digest;
  /** The number of its summary. */
  readonly summary: number;
  readonly updatedAt: number | null;
  /** When the tag was set last. */
  readonly setAt: number;
}

/** An image that was found, before anything else of it is read. */
export interface FoundImage {
  readonly repository: number;
  readonly tag: string;
  /** The number of its summary. */
  readonly summary: number;
  /** The image of an index that was found; null where the tag points at what was found. */
  readonly child: string | null;
}

/** What is told of an image in a list. */
export interface ImageDetails {
  readonly summary: StoredSummary;
  /** Null where the manifest is gone by now. */
  readonly facts: ManifestFacts | null;
}

export interface StoredSummary extends Summary {
  readonly id: number;
  readonly repository: number;
}

/** Beside its summary, what the metadata know of a manifest. */
export interface ManifestFacts {
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly pushedAt: number;
  readonly pushedBy: string | null;
  readonly pulls: number;
  readonly pulledAt: number | null;
}

export interface Signature {
  readonly tool: SignatureTool;
  /** Of the manifest that holds it. */
  readonly digest: string;
}

/** A manifest that is here, and whether its summary is as new as ours would be. */
export interface SummarisableManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly subject: string | null;
  readonly isSummarised: boolean;
}

/** `updated`: newest image first; `set`: what was pushed last first; ties by name and tag. */
export type ImageOrder = "updated" | "set" | "tag" | "tag-descending";

/** Repositories to look at, by their ids; null for all. */
export type Within = readonly number[] | null;

export interface Offset {
  readonly offset: number;
  readonly limit: number;
}

export interface SummaryReads {
  /** Repositories that changed after this version, by version. */
  changed(version: number, limit: number): Promise<RepositorySummary[]>;
  /** Images of one repository. */
  imagesOf(repository: number, order: ImageOrder, page: Offset): Promise<ImageRow[]>;
  /** Images of several repositories. */
  newest(within: Within, order: "updated" | "set", page: Offset): Promise<ImageRow[]>;
  image(repository: number, tag: string): Promise<ImageRow | null>;
  /** Of some hundred places, the images that are there still, in the same order. */
  images(places: readonly Pick<FoundImage, "repository" | "tag">[]): Promise<ImageRow[]>;
  /** Tags of all images of a repository, one a line, in no order. */
  tagText(repository: number): Promise<string>;
  /** Images that are, or are made of, content whose digest begins so, in no order. */
  imagesWithDigest(prefix: string, within: Within, limit: number): Promise<FoundImage[]>;
  /** Images whose layers are the first of these, or all of them, in no order. */
  imagesBelow(summary: number, within: Within, limit: number): Promise<FoundImage[]>;
  /** Images whose first layers, or all of them, are these, in no order. */
  imagesAbove(summary: number, within: Within, limit: number): Promise<FoundImage[]>;
  /** Numbers of the summaries of a manifest, one in each repository that has it. */
  summariesOf(digest: string): Promise<number[]>;
  summary(id: number): Promise<StoredSummary | null>;
  /** Of some hundred summaries, by their ids. */
  details(ids: readonly number[]): Promise<ReadonlyMap<number, ImageDetails>>;
  find(repository: number, digest: string): Promise<StoredSummary | null>;
  children(id: number): Promise<SummarisedChild[]>;
  layers(id: number): Promise<SummarisedLayer[]>;
  facts(repository: number, digest: string): Promise<ManifestFacts | null>;
  /** Bytes of all content of a repository, each digest once. */
  sizeOf(repository: number): Promise<number>;
  /** Signatures of a manifest, the first hundred. */
  signatures(repository: number, digest: string): Promise<Signature[]>;
  /** How many signatures, or other layers, a manifest has beside its configuration. */
  layerCount(repository: number, digest: string): Promise<number>;
  /** Ids of the repositories that a user prefers. */
  preferred(user: string, preference: Preference): Promise<number[]>;
  /** Of some hundred digests: those that are manifests of a repository. */
  manifests(repository: string, digests: readonly string[]): Promise<SummarisableManifest[]>;
  /** Indexes of a repository that name a manifest. */
  indexesOf(repository: string, digest: string): Promise<Digest[]>;
  /** The round of looks at all repositories, 0 before the first, and by which version they are looked at. */
  round(): Promise<{ readonly round: number; readonly version: number }>;
  /** Repositories that were not looked at since it began, what changed last first. */
  unlooked(round: number, limit: number): Promise<string[]>;
  /** Of summaries that are poor, by their numbers. */
  poor(
    after: number,
    limit: number,
  ): Promise<{ readonly id: number; readonly repository: string; readonly digest: Digest }[]>;
  /** How far a round is. */
  progress(round: number): Promise<{ readonly looked: number; readonly all: number }>;
  /** All tags of a repository, what was set last first. */
  tagsOf(
    repository: string,
  ): Promise<{ readonly tag: string; readonly digest: Digest; readonly setAt: number }[]>;
  /** Tags that are images still, and gone. */
  goneTags(repository: string, limit: number): Promise<string[]>;
}

export const summaries: RecordStore<SummaryChange, SummaryReads> = { name: "summaries" };

/** Whether a tag is an image: signatures, and lists of referrers, are none. */
export function isImageTag(tag: string): boolean {
  return !/sha256-[0-9A-Za-z]+(?:\.sig)?$/.test(tag);
}
