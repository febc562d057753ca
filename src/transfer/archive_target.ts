/**
 * A tar archive with an OCI layout as a target of images. It is written once, from the front to the end.
 */
import type { Digest } from "../oci/digest.ts";
import { ociLayoutText } from "../oci/layout_index.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { isTag } from "../oci/reference.ts";
import { subjectOfTag } from "../oci/referrers.ts";
import { openArchiveOutput, type ArchiveOutput } from "./archive_output.ts";
import type {
  ImageTarget,
  ManifestPlace,
  NamedBlob,
  Placed,
  PlacedManifest,
  ProvenContent,
} from "./image_place.ts";
import { blobName, fileError } from "./layout_files.ts";
import { withEntries, type NewEntry } from "./layout_index_edit.ts";
import { partsOf } from "./manifest_parts.ts";
import { fileHeader, paddingOf, tarEnd } from "../lib/tar_format.ts";

/** Writes files into a tar archive, one after the other. */
export class ArchiveWriter {
  readonly #output: ArchiveOutput;
  #atByte = 0;

  constructor(output: ArchiveOutput) {
    this.#output = output;
  }

  /** A file that fails leaves the archive as it was before it, where it can be taken back. */
  async add(
    name: string,
    sizeBytes: number,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const start = this.#atByte;
    try {
      await this.#write(fileHeader(name, sizeBytes));
      for await (const piece of content) await this.#write(piece);
      await this.#write(new Uint8Array(paddingOf(sizeBytes)));
    } catch (error) {
      await this.#output.goBack(start);
      this.#atByte = start;
      throw fileError(this.#output.path, error);
    }
  }

  /** Ends the archive, which then has its name. */
  async finish(): Promise<void> {
    try {
      await this.#write(tarEnd());
      await this.#output.finish();
    } catch (error) {
      throw fileError(this.#output.path, error);
    }
  }

  close(): Promise<void> {
    return this.#output.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    await this.#output.write(bytes);
    this.#atByte += bytes.length;
  }
}

export async function beginArchive(path: string): Promise<ArchiveWriter> {
  return new ArchiveWriter(await openArchiveOutput(path));
}

/** An image as `docker load` of any version reads it, in `manifest.json`. */
interface LoadableImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

const configTypes: ReadonlySet<string> = new Set([
  mediaTypes.ociConfig,
  "application/vnd.docker.container.image.v1+json",
]);

/** Null for what is no container image. */
function loadableOf(bytes: Uint8Array, fullName: string | null): LoadableImage | null {
  const body: {
    config?: { digest: string; mediaType: string };
    layers?: { digest: string }[] | null;
  } = JSON.parse(new TextDecoder().decode(bytes));
  if (body.config === undefined || !configTypes.has(body.config.mediaType)) return null;
  const path = ({ digest }: { digest: string }): string => `blobs/${digest.replace(":", "/")}`;
  return {
    Config: path(body.config),
    RepoTags: fullName === null ? [] : [fullName],
    Layers: (body.layers ?? []).map(path),
  };
}

export class ArchiveTarget implements ImageTarget {
  readonly label: string;
  readonly isWhole = false;
  readonly parallelMax = 1;
  readonly #path: string;
  #writer: ArchiveWriter | null = null;
  readonly #written = new Set<Digest>();
  readonly #entries: NewEntry[] = [];
  /** Null for what docker cannot load in this way: then it has to read the layout. */
  readonly #loadable: (LoadableImage | null)[] = [];
  readonly #repository: string | null;
  #turn: Promise<unknown> = Promise.resolve();

  /** `repository`: what the images are called when they are loaded, such as `registry.example/team/app`. */
  constructor(path: string, { label, repository }: { label: string; repository: string | null }) {
    this.#path = path;
    this.label = label;
    this.#repository = repository;
  }

  async tagDigest(): Promise<string | null> {
    return null;
  }

  async hasManifest(): Promise<boolean> {
    return false;
  }

  async manifest(): Promise<PlacedManifest | null> {
    return null;
  }

  async hasBlob({ digest }: NamedBlob): Promise<boolean> {
    return this.#written.has(digest);
  }

  async putBlob(content: ProvenContent): Promise<Placed> {
    await this.#add(content.digest, content.sizeBytes, () => content.from(0));
    return "sent";
  }

  async putManifest(manifest: PlacedManifest, { tag, isListed }: ManifestPlace): Promise<void> {
    const { digest, bytes, mediaType } = manifest;
    await this.#add(digest, bytes.length, () => [bytes]);
    if (!isListed && tag === null) return;
    const { subject, artifactType, kind } = partsOf(manifest, this.label);
    const shown = subject === null ? null : artifactType;
    const fullName = tag === null ? null : this.#fullName(tag);
    const sizeBytes = bytes.length;
    this.#entries.push({ mediaType, digest, sizeBytes, artifactType: shown, name: tag, fullName });
    if (tag === null || subjectOfTag(tag) !== null) return;
    this.#loadable.push(kind === "image" ? loadableOf(bytes, fullName) : null);
  }

  /** A tag belongs to the repository that it comes from; a name that is more than a tag stands for itself. */
  #fullName(name: string): string | null {
    if (!isTag(name)) return name;
    return this.#repository === null ? null : `${this.#repository}:${name}`;
  }

  async finish(): Promise<void> {
    const index = new TextEncoder().encode(withEntries(null, this.#entries));
    const loadable = new TextEncoder().encode(JSON.stringify(this.#loadable));
    await this.#inTurn(async (writer) => {
      if (!this.#loadable.includes(null)) {
        await writer.add("manifest.json", loadable.length, [loadable]);
      }
      await writer.add("index.json", index.length, [index]);
      await writer.finish();
    });
  }

  async close(): Promise<void> {
    await this.#writer?.close();
    this.#writer = null;
  }

  #add(
    digest: Digest,
    sizeBytes: number,
    content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    return this.#inTurn(async (writer) => {
      if (this.#written.has(digest)) return;
      await writer.add(blobName(digest), sizeBytes, content());
      this.#written.add(digest);
    });
  }

  /** An archive has one end. */
  async #inTurn(work: (writer: ArchiveWriter) => Promise<void>): Promise<void> {
    const turn = this.#turn.then(async () => {
      await work(await this.#open());
    });
    this.#turn = turn.catch(() => {});
    await turn;
  }

  /** Begun with the first file, so that a copy that fails before it leaves nothing. */
  async #open(): Promise<ArchiveWriter> {
    if (this.#writer !== null) return this.#writer;
    const writer = await beginArchive(this.#path);
    this.#writer = writer;
    const marker = new TextEncoder().encode(ociLayoutText);
    await writer.add("oci-layout", marker.length, [marker]);
    return writer;
  }
}
