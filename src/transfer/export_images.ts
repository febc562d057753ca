/**
 * Exports repositories of a registry into one archive: what the other side lacks, by a checkpoint that says what it has.
 *
 * The archive is an OCI layout, too: other tools read the images in it that are whole. It appears when all of it is
 * there, and it holds the checkpoint of the other side as it is after the import.
 */
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import type { Digest } from "../oci/digest.ts";
import { ociLayoutText } from "../oci/layout_index.ts";
import { isRepositoryName, isTag } from "../oci/reference.ts";
import type { RegistryClient } from "../client/registry_client.ts";
import { beginArchive, type ArchiveWriter } from "./archive_target.ts";
import type { CopyEvent, Counts } from "./copy_events.ts";
import { copyImages } from "./copy_images.ts";
import {
  checkpointFile,
  exportDigest,
  exportFile,
  formatCheckpoint,
  formatExport,
  repositoriesMax,
  type Checkpoint,
  type ExportedBlob,
  type ExportedManifest,
  type ExportedRepository,
  type ExportedTag,
  type RepositoryState,
} from "./export_format.ts";
import {
  TransferError,
  type ImageTarget,
  type ManifestPlace,
  type NamedBlob,
  type Placed,
  type PlacedManifest,
  type ProvenContent,
} from "./image_place.ts";
import { blobName } from "./layout_files.ts";
import { withEntries, type NewEntry } from "./layout_index_edit.ts";
import { RegistrySession } from "./registry_session.ts";
import { RegistrySource } from "./registry_source.ts";
import type { Retries } from "./retries.ts";

export interface ExportOptions {
  readonly client: RegistryClient;
  /** Such as `registry.example`: it begins the names of the images in the archive. */
  readonly server: string;
  /** Whether a repository is exported. */
  readonly isChosen: (repository: string) => boolean;
  readonly since: Checkpoint;
  /** Where the archive goes; null only tells what would be in it. */
  readonly path: string | null;
  readonly parallel: number;
  readonly retries: Retries;
  readonly onEvent?: (event: CopyEvent) => void;
  readonly onRepository?: (name: string) => void;
}

export interface ExportReport {
  /** Of the archive; null when nothing is new and none was written. */
  readonly digest: Digest | null;
  readonly repositories: number;
  readonly tags: number;
  readonly gone: number;
  readonly manifests: Counts;
  readonly blobs: Counts;
  readonly checkpoint: Checkpoint;
}

/** @throws TransferError when any image cannot be read: an export is whole, or there is none. */
export async function exportImages(options: ExportOptions): Promise<ExportReport> {
  const archive = new ExportArchive(options);
  try {
    const names = (await catalog(options)).filter(options.isChosen).toSorted();
    if (names.length === 0) throw new TransferError(`${options.server}: no repository fits`);
    for (const name of names) {
      options.onRepository?.(name);
      await archive.add(name);
    }
    return await archive.finish();
  } finally {
    await archive.close();
  }
}

async function catalog({ client, server, retries }: ExportOptions): Promise<string[]> {
  const session = new RegistrySession({ client, repository: "_", retries, label: server });
  const what = "list of repositories";
  const first = await session.ask(
    { method: "GET", url: "/v2/_catalog?n=1000" },
    { what, statuses: [200] },
  );
  const found = new Set<string>();
  for await (const page of client.paginate(first)) {
    if (page.status !== 200) throw session.refused(page, what);
    const parsed = parseStrictJson(page.body, { depthMax: 8 });
    const listed =
      "value" in parsed && isJsonObject(parsed.value) ? parsed.value["repositories"] : null;
    if (!Array.isArray(listed))
      throw new TransferError(`${server}: its list of repositories cannot be read`);
    for (const name of listed)
      if (typeof name === "string" && isRepositoryName(name)) found.add(name);
    if (found.size > repositoriesMax) {
      throw new TransferError(`${server}: it has more than ${repositoriesMax} repositories`);
    }
  }
  return [...found];
}

const empty: RepositoryState = { tags: new Map(), manifests: new Set(), blobs: new Set() };

/** The archive as it grows. */
class ExportArchive {
  readonly #options: ExportOptions;
  readonly #files = new Map<Digest, NamedBlob>();
  readonly #repositories: ExportedRepository[] = [];
  readonly #entries: NewEntry[] = [];
  readonly #checkpoint = new Map<string, RepositoryState>();
  readonly manifests: Counts = { count: 0, sizeBytes: 0 };
  readonly blobs: Counts = { count: 0, sizeBytes: 0 };
  #writer: ArchiveWriter | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ExportOptions) {
    this.#options = options;
    for (const [name, state] of options.since) this.#checkpoint.set(name, state);
  }

  /** A repository of the other side that has a blob; null when none has. */
  holderOf(digest: Digest): string | null {
    for (const [name, { blobs }] of this.#options.since) if (blobs.has(digest)) return name;
    return null;
  }

  async add(name: string): Promise<void> {
    const { client, server, retries, parallel, since, onEvent } = this.#options;
    const label = `${server}/${name}`;
    const source = new RegistrySource(
      new RegistrySession({ client, repository: name, retries, label }),
    );
    const before = since.get(name) ?? empty;
    const target = new ExportTarget(this, { name, label, before });
    const tags = await source.tags();
    const report = await copyImages({
      source,
      target,
      images: tags.map((tag) => ({ reference: tag, tag })),
      platforms: [],
      withReferrers: true,
      parallel,
      retries,
      ...(onEvent === undefined ? {} : { onEvent }),
    });
    const [failed] = report.failed;
    if (failed !== undefined) throw failed.reason;
    const gone = [...before.tags.keys()].filter((tag) => !tags.includes(tag));
    const repository = target.exported(gone);
    this.#checkpoint.set(name, stateAfter(before, repository));
    const { tags: set, manifests } = repository;
    if (set.length + manifests.length + gone.length === 0) return;
    this.#repositories.push(repository);
    for (const { tag, digest } of set) this.#list(name, tag, digest, manifests);
  }

  /** An image that is whole in the archive is listed for other tools. */
  #list(name: string, tag: string, digest: Digest, manifests: readonly ExportedManifest[]): void {
    const manifest = manifests.find((each) => each.digest === digest);
    if (manifest === undefined) return;
    const { mediaType, sizeBytes } = manifest;
    const fullName = `${this.#options.server}/${name}:${tag}`;
    this.#entries.push({
      mediaType,
      digest,
      sizeBytes,
      artifactType: null,
      name: `${name}:${tag}`,
      fullName,
    });
  }

  async finish(): Promise<ExportReport> {
    const { server } = this.#options;
    const repositories = this.#repositories;
    const contents = { source: server, repositories, files: [...this.#files.values()] };
    const document = formatExport(contents);
    const tags = repositories.reduce((sum, each) => sum + each.tags.length, 0);
    const gone = repositories.reduce((sum, each) => sum + each.gone.length, 0);
    const isNew = tags > 0 || this.manifests.count > 0;
    if (isNew) {
      await this.#write(checkpointFile, formatCheckpoint(this.#checkpoint));
      await this.#write("index.json", new TextEncoder().encode(withEntries(null, this.#entries)));
      await this.#write(exportFile, document);
      await this.#writer?.finish();
    }
    return {
      digest: isNew ? exportDigest(document) : null,
      repositories: repositories.length,
      tags,
      gone,
      manifests: this.manifests,
      blobs: this.blobs,
      checkpoint: this.#checkpoint,
    };
  }

  async close(): Promise<void> {
    await this.#writer?.close();
  }

  /** Content is in the archive once, however many repositories get it. */
  async put(
    { digest, sizeBytes }: NamedBlob,
    content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    counts: Counts,
  ): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#files.has(digest)) return;
      await this.#writerNow((writer) => writer.add(blobName(digest), sizeBytes, content()));
      this.#files.set(digest, { digest, sizeBytes });
      counts.count += 1;
      counts.sizeBytes += sizeBytes;
    });
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    await this.#inTurn(() => this.#writerNow((writer) => writer.add(name, bytes.length, [bytes])));
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    await turn;
  }

  /** Nothing is written where no archive is wanted. */
  async #writerNow(work: (writer: ArchiveWriter) => Promise<void>): Promise<void> {
    const { path } = this.#options;
    if (path === null) return;
    if (this.#writer === null) {
      this.#writer = await beginArchive(path);
      const marker = new TextEncoder().encode(ociLayoutText);
      await this.#writer.add("oci-layout", marker.length, [marker]);
    }
    await work(this.#writer);
  }
}

function stateAfter(
  before: RepositoryState,
  { tags, gone, manifests, blobs }: ExportedRepository,
): RepositoryState {
  const names = new Map(before.tags);
  for (const { tag, digest } of tags) names.set(tag, digest);
  // They stay on the other side, and are told once.
  for (const tag of gone) names.delete(tag);
  return {
    tags: names,
    manifests: new Set([...before.manifests, ...manifests.map(({ digest }) => digest)]),
    blobs: new Set([...before.blobs, ...blobs.map(({ digest }) => digest)]),
  };
}

/** One repository of the other side, as the checkpoint says it is. */
class ExportTarget implements ImageTarget {
  readonly label: string;
  readonly isWhole = true;
  readonly parallelMax = 1;
  readonly #archive: ExportArchive;
  readonly #name: string;
  readonly #before: RepositoryState;
  readonly #tags: ExportedTag[] = [];
  readonly #manifests = new Map<Digest, ExportedManifest>();
  readonly #blobs = new Map<Digest, ExportedBlob>();

  constructor(
    archive: ExportArchive,
    { name, label, before }: { name: string; label: string; before: RepositoryState },
  ) {
    this.#archive = archive;
    this.#name = name;
    this.label = label;
    this.#before = before;
  }

  exported(gone: readonly string[]): ExportedRepository {
    return {
      name: this.#name,
      tags: this.#tags,
      gone,
      manifests: [...this.#manifests.values()],
      blobs: [...this.#blobs.values()],
    };
  }

  async tagDigest(tag: string): Promise<string | null> {
    return this.#before.tags.get(tag) ?? null;
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return this.#before.manifests.has(digest);
  }

  /** The bytes are on the other side. */
  async manifest(): Promise<PlacedManifest | null> {
    return null;
  }

  async hasBlob({ digest }: NamedBlob): Promise<boolean> {
    return this.#before.blobs.has(digest);
  }

  async putBlob(content: ProvenContent): Promise<Placed> {
    const { digest, sizeBytes } = content;
    const from = this.#archive.holderOf(digest);
    if (from === null) {
      await this.#archive.put(content, () => content.from(0), this.#archive.blobs);
    }
    this.#blobs.set(digest, { digest, sizeBytes, from });
    return from === null ? "sent" : "mounted";
  }

  async putManifest(manifest: PlacedManifest, { tag }: ManifestPlace): Promise<void> {
    const { digest, bytes, mediaType } = manifest;
    if (!this.#before.manifests.has(digest) && !this.#manifests.has(digest)) {
      const sizeBytes = bytes.length;
      await this.#archive.put({ digest, sizeBytes }, () => [bytes], this.#archive.manifests);
      this.#manifests.set(digest, { digest, sizeBytes, mediaType });
      // What is a manifest here may be a blob of an index elsewhere.
      this.#blobs.delete(digest);
    }
    if (tag === null || !isTag(tag) || this.#tags.some((each) => each.tag === tag)) return;
    this.#tags.push({ tag, digest, was: this.#before.tags.get(tag) ?? null });
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}
}
