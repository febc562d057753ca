/**
 * Imports a proven export into a registry. First it is seen that all of it fits what is there; then content is sent; the
 * tags of each repository come last and all at once, so that whoever reads meanwhile sees the old or the new.
 */
import { Gate } from "../lib/gate.ts";
import type { Digest } from "../oci/digest.ts";
import type { RegistryClient } from "../client/registry_client.ts";
import type { ArchiveFiles } from "./archive_files.ts";
import { BlobContent, type BlobSource } from "./blob_content.ts";
import type { CopyEvent, Counts } from "./copy_events.ts";
import type {
  ExportedBlob,
  ExportedManifest,
  ExportedRepository,
  ExportedTag,
} from "./export_format.ts";
import { TransferError } from "./image_place.ts";
import { manifestIn, type ProvenExport } from "./import_archive.ts";
import { blobName } from "./layout_files.ts";
import { partsOf } from "./manifest_parts.ts";
import { RegistrySession } from "./registry_session.ts";
import { RegistrySource } from "./registry_source.ts";
import { RegistryTarget } from "./registry_target.ts";
import type { Retries } from "./retries.ts";

export interface ImportOptions {
  readonly files: ArchiveFiles;
  readonly proven: ProvenExport;
  readonly client: RegistryClient;
  readonly server: string;
  readonly retries: Retries;
  readonly parallel: number;
  readonly isDryRun: boolean;
  /** Sets tags whatever they point at. */
  readonly isForced: boolean;
  readonly onEvent?: (event: CopyEvent) => void;
}

export interface ImportReport {
  readonly tags: { readonly set: number; readonly there: number };
  readonly manifests: { readonly sent: Counts; readonly there: Counts };
  readonly blobs: { readonly sent: Counts; readonly mounted: Counts; readonly there: Counts };
  /** Repositories whose tags were set one after the other, because the registry cannot do it at once. */
  readonly oneByOne: readonly string[];
}

const questionsMax = 16;
const waitingMax = 10_000_000;
/** Tags that are set in one commit. */
const tagsAtOnce = 10_000;
/** Rounds of a repository whose content was collected while the rest of it came. */
const roundsMax = 3;
const noTagSet: readonly number[] = [404, 405, 501];

/** @throws TransferError; no tag was touched then but those of repositories that were done. */
export async function importImages(options: ImportOptions): Promise<ImportReport> {
  const { proven, isDryRun } = options;
  const works = proven.contents.repositories.map((each) => new RepositoryImport(options, each));
  for (const work of works) await work.check();
  if (!isDryRun) {
    for (const work of works) await work.send();
    for (const work of works) await work.setTags();
  }
  const sum = (of: (work: RepositoryImport) => Counts): Counts => ({
    count: works.reduce((total, work) => total + of(work).count, 0),
    sizeBytes: works.reduce((total, work) => total + of(work).sizeBytes, 0),
  });
  return {
    tags: {
      set: works.reduce((total, { toSet }) => total + toSet.length, 0),
      there: works.reduce((total, { tagsThere }) => total + tagsThere, 0),
    },
    manifests: {
      sent: sum(({ counts }) => counts.manifests),
      there: sum(({ counts }) => counts.manifestsThere),
    },
    blobs: {
      sent: sum(({ counts }) => counts.blobs),
      mounted: sum(({ counts }) => counts.mounted),
      there: sum(({ counts }) => counts.blobsThere),
    },
    oneByOne: works.flatMap((work) => (work.isOneByOne ? [work.name] : [])),
  };
}

const nothing = (): Counts => ({ count: 0, sizeBytes: 0 });

class RepositoryImport {
  readonly name: string;
  readonly counts = {
    blobs: nothing(),
    mounted: nothing(),
    blobsThere: nothing(),
    manifests: nothing(),
    manifestsThere: nothing(),
  };
  toSet: ExportedTag[] = [];
  tagsThere = 0;
  isOneByOne = false;
  readonly #options: ImportOptions;
  readonly #repository: ExportedRepository;
  readonly #session: RegistrySession;
  readonly #gate = new Gate({ runningMax: questionsMax, waitingMax });

  constructor(options: ImportOptions, repository: ExportedRepository) {
    this.#options = options;
    this.#repository = repository;
    this.name = repository.name;
    this.#session = this.#sessionOf(repository.name);
  }

  /** Whether the archive was made for what this side has. Nothing is changed. */
  async check(): Promise<void> {
    const { proven, isForced, server } = this.#options;
    const needs = proven.needs.get(this.name);
    const target = new RegistryTarget(this.#session, { mountFrom: null });
    await this.#all([...(needs?.manifests ?? [])], async (digest) => {
      if (!(await target.hasManifest(digest))) throw this.#lacks(digest);
    });
    await this.#all([...(needs?.blobs.values() ?? [])], async (blob) => {
      if (!(await target.hasBlob(blob))) throw this.#lacks(blob.digest);
    });
    await this.#all(this.#repository.blobs, async (blob) => {
      if (blob.from === null || (await target.hasBlob(blob))) return;
      const other = new RegistryTarget(this.#sessionOf(blob.from), { mountFrom: null });
      if (!(await other.hasBlob(blob))) throw this.#lacks(blob.digest, blob.from);
    });
    await this.#all(this.#repository.tags, async (tag) => {
      const found = await this.#session.head(tag.tag);
      if (found === tag.digest) {
        this.tagsThere += 1;
        return;
      }
      if (found !== tag.was && !isForced) {
        throw new TransferError(
          `${server}/${this.name}:${tag.tag} is ${found ?? "not there"}, and the archive takes it from ${tag.was ?? "nothing"} to ${tag.digest}: it is older than what is here, or was made for another side`,
        );
      }
      this.toSet.push(tag);
    });
  }

  /** Blobs, then manifests from the leaves up; no tag. */
  async send(): Promise<void> {
    for (let round = 1; ; round += 1) {
      try {
        await this.#sendOnce();
        return;
      } catch (error) {
        // Content without a name is collected after a while; a large import may take longer than that.
        const isCollected =
          error instanceof TransferError && /MANIFEST_BLOB_UNKNOWN/.test(error.message);
        if (!isCollected || round >= roundsMax) throw error;
      }
    }
  }

  async #sendOnce(): Promise<void> {
    const { files, parallel } = this.#options;
    const blobs = new Gate({ runningMax: parallel, waitingMax });
    await settled(this.#repository.blobs.map((blob) => blobs.run(() => this.#blob(blob))));
    const target = new RegistryTarget(this.#session, { mountFrom: null });
    const put = async ({ digest, mediaType, sizeBytes }: ExportedManifest): Promise<void> => {
      if (await target.hasManifest(digest)) {
        add(this.counts.manifestsThere, sizeBytes);
        return;
      }
      const manifest = await manifestIn(files, digest, mediaType);
      await target.putManifest(manifest, { tag: null, isListed: true });
      add(this.counts.manifests, sizeBytes);
    };
    const indexes: ExportedManifest[] = [];
    const images: ExportedManifest[] = [];
    for (const each of this.#repository.manifests) {
      const { kind } = partsOf(await manifestIn(files, each.digest, each.mediaType), files.label);
      (kind === "index" ? indexes : images).push(each);
    }
    await this.#all(images, put);
    for (const index of indexes) await put(index);
  }

  /** All tags at once. */
  async setTags(): Promise<void> {
    const { isForced } = this.#options;
    for (let at = 0; at < this.toSet.length; at += tagsAtOnce) {
      const page = this.toSet.slice(at, at + tagsAtOnce);
      const tags = page.map(({ tag, digest, was }) => ({
        tag,
        digest,
        ...(isForced ? {} : { expect: [was, digest] }),
      }));
      const exchange = await this.#session.ask(
        {
          method: "POST",
          url: this.#session.path("_zot/tags"),
          headers: [["Content-Type", "application/json"]],
          body: new TextEncoder().encode(JSON.stringify({ tags })),
        },
        { what: "tags", statuses: [200, ...noTagSet] },
      );
      if (exchange.status === 200) continue;
      // Of a manifest that is not there our own server says so, too.
      if (
        exchange.status === 404 &&
        /MANIFEST_UNKNOWN/.test(Buffer.from(exchange.body).toString())
      ) {
        throw this.#session.refused(exchange, "tags");
      }
      this.isOneByOne = true;
      await this.#setOneByOne(page);
    }
  }

  async #setOneByOne(tags: readonly ExportedTag[]): Promise<void> {
    const target = new RegistryTarget(this.#session, { mountFrom: null });
    for (const { tag, digest } of tags) {
      const manifest = await this.#session.manifest(digest);
      if (manifest === null) throw this.#lacks(digest);
      await target.putManifest(manifest, { tag, isListed: true });
    }
  }

  async #blob(blob: ExportedBlob): Promise<void> {
    const { files, retries, onEvent } = this.#options;
    const target = new RegistryTarget(this.#session, {
      mountFrom: blob.from ?? this.#earlier(blob.digest),
    });
    if (await target.hasBlob(blob)) {
      add(this.counts.blobsThere, blob.sizeBytes);
      return;
    }
    const source: BlobSource =
      blob.from === null
        ? {
            label: files.label,
            blob: async (digest, { fromByte }) => ({
              fromByte,
              body: files.read(blobName(digest), fromByte),
            }),
          }
        : new RegistrySource(this.#sessionOf(blob.from));
    const { digest, sizeBytes } = blob;
    onEvent?.({ kind: "blob-begun", digest, sizeBytes });
    const onBytes = (bytes: number): void => onEvent?.({ kind: "bytes", bytes });
    const outcome = await target.putBlob(new BlobContent(blob, { source, retries, onBytes }));
    add(outcome === "mounted" ? this.counts.mounted : this.counts.blobs, sizeBytes);
    onEvent?.({ kind: "blob-done", digest, sizeBytes, outcome });
  }

  /** A repository of this import that got the blob before this one. */
  #earlier(digest: Digest): string | null {
    for (const { name, blobs } of this.#options.proven.contents.repositories) {
      if (name === this.name) return null;
      if (blobs.some((blob) => blob.digest === digest)) return name;
    }
    return null;
  }

  #sessionOf(repository: string): RegistrySession {
    const { client, retries, server } = this.#options;
    return new RegistrySession({ client, repository, retries, label: `${server}/${repository}` });
  }

  #lacks(digest: Digest, from?: string): TransferError {
    const { server, files } = this.#options;
    return new TransferError(
      `${server}/${from ?? this.name} lacks ${digest}, which ${files.label} takes for granted: export anew with the checkpoint of this side`,
    );
  }

  #all<T>(of: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
    return settled(of.map((each) => this.#gate.run(() => work(each))));
  }
}

function add(counts: Counts, sizeBytes: number): void {
  counts.count += 1;
  counts.sizeBytes += sizeBytes;
}

/** Waits for all, so that nothing runs on behind an error. */
async function settled(works: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
