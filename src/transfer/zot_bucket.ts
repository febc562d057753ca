/**
 * A bucket that zot (Go) wrote: an OCI layout for each repository. Content that several repositories have lies in one of
 * them; the others have an object of no bytes in its place, which stands for it (a stub).
 */
import { parseDigest, type Digest } from "../oci/digest.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { FileTree } from "./file_tree.ts";
import {
  inTime,
  type ForeignImage,
  type ForeignRegistry,
  type ForeignRepository,
} from "./foreign_registry.ts";
import { TransferError } from "./image_place.ts";
import { blobName, type LayoutFiles } from "./layout_files.ts";
import { openLayoutSource, tagOfName, type LayoutSource } from "./layout_source.ts";

/** Digests of no bytes, which are no stubs. */
const empty: ReadonlySet<string> = new Set(
  (["sha256", "sha512"] as const).map(
    (algorithm) => `${algorithm}:${new Bun.CryptoHasher(algorithm).digest("hex")}`,
  ),
);

const indexFile = /^(.+)\/index\.json$/;
const blobFile = /^(.+)\/blobs\/([^/]+)\/([^/]+)$/;

interface Found {
  readonly names: readonly string[];
  /** Of stubs: which repository has the bytes. */
  readonly holders: ReadonlyMap<Digest, string>;
}

export class ZotBucket implements ForeignRegistry {
  readonly label: string;
  readonly #files: FileTree;
  readonly #prefixes: readonly string[];

  /** `prefixes`: where the repositories may lie in the tree; the first one that has any counts. */
  constructor(files: FileTree, prefixes: readonly string[]) {
    this.#files = files;
    this.#prefixes = prefixes;
    this.label = `zot:${files.label}`;
  }

  async *repositories(): AsyncGenerator<ForeignRepository, void, void> {
    for (const prefix of this.#prefixes) {
      const found = await this.#find(prefix);
      if (found.names.length === 0) continue;
      for (const name of found.names) yield await this.#opened(prefix, name, found.holders);
      return;
    }
    throw new TransferError(
      `${this.label}: expected repositories that zot (Go) wrote, found none; ` +
        "name the configuration file that it was started with",
    );
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  /** Lists the bucket; a second time where there are stubs, to find what they stand for. */
  async #find(prefix: string): Promise<Found> {
    const names: string[] = [];
    const stubs = new Set<Digest>();
    for await (const { name, sizeBytes } of this.#files.list(prefix)) {
      const path = name.slice(prefix.length);
      const [, repository] = indexFile.exec(path) ?? [];
      if (repository !== undefined && isRepositoryName(repository)) names.push(repository);
      const digest = sizeBytes === 0 ? digestIn(path) : null;
      if (digest !== null && !empty.has(digest)) stubs.add(digest);
    }
    const holders = new Map<Digest, string>();
    if (stubs.size === 0) return { names, holders };
    for await (const { name, sizeBytes } of this.#files.list(prefix)) {
      const digest = sizeBytes === 0 ? null : digestIn(name.slice(prefix.length));
      if (digest !== null && stubs.has(digest)) holders.set(digest, name);
    }
    return { names, holders };
  }

  async #opened(
    prefix: string,
    name: string,
    holders: Found["holders"],
  ): Promise<ForeignRepository> {
    const files = new StubbedFiles(this.#files, {
      root: `${prefix}${name}/`,
      label: `${this.label}/${name}`,
      holders,
    });
    const source = await openLayoutSource(files);
    const timeOf = async (text: string): Promise<number | null> => {
      const digest = parseDigest(text);
      if (digest === null) return null;
      return (await this.#files.stat(`${prefix}${name}/${blobName(digest)}`))?.changedAt ?? null;
    };
    return { name, source, images: () => imagesOf(source, timeOf) };
  }
}

async function imagesOf(
  source: LayoutSource,
  timeOf: (digest: string) => Promise<number | null>,
): Promise<readonly ForeignImage[]> {
  const images: ForeignImage[] = [];
  for (const { descriptor, name } of source.entries) {
    const tag = name === null ? null : tagOfName(name);
    const at = tag === null ? null : await timeOf(descriptor.digest);
    images.push({ reference: name ?? descriptor.digest, tag, at });
  }
  return inTime(images);
}

/** `…/blobs/sha256/<hex>`; null for any other name. */
function digestIn(path: string): Digest | null {
  const [, , algorithm, hex] = blobFile.exec(path) ?? [];
  return parseDigest(`${algorithm}:${hex}`);
}

/** The files of a layout, with what its stubs stand for in their place. */
class StubbedFiles implements LayoutFiles {
  readonly label: string;
  readonly #files: FileTree;
  readonly #root: string;
  readonly #holders: Found["holders"];

  constructor(
    files: FileTree,
    { root, label, holders }: { root: string; label: string; holders: Found["holders"] },
  ) {
    this.#files = files;
    this.#root = root;
    this.#holders = holders;
    this.label = label;
  }

  async size(name: string): Promise<number | null> {
    const sizeBytes = await this.#files.size(`${this.#root}${name}`);
    if (sizeBytes !== 0) return sizeBytes;
    const digest = digestIn(`${this.#root}${name}`);
    if (digest === null || empty.has(digest)) return sizeBytes;
    const holder = this.#holders.get(digest);
    return holder === undefined ? null : this.#files.size(holder);
  }

  async *read(name: string, fromByte: number): AsyncGenerator<Uint8Array, void, void> {
    const digest = digestIn(`${this.#root}${name}`);
    const holder = digest === null ? undefined : this.#holders.get(digest);
    const own = `${this.#root}${name}`;
    const isStub = holder !== undefined && (await this.#files.size(own)) === 0;
    yield* this.#files.read(isStub ? holder : own, fromByte);
  }

  async close(): Promise<void> {}
}
