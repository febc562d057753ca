/**
 * What a benchmark puts into a registry, and takes out again.
 *
 * Everything lies in repositories under one prefix with a random part, so that runs do not meet. A request whose answer
 * is not the one of the specification ends the operation with a `BenchError` that names it. `cleanUp` deletes the
 * manifests and blobs that were pushed, as far as the registry allows. `scenarios.ts` says which operations are
 * measured.
 */
import type { Exchange } from "../client/exchange.ts";
import { locationOf, type RegistryClient } from "../client/registry_client.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { KiB, MiB } from "../lib/bytes.ts";
import {
  ContentMaker,
  newManifest,
  partOf,
  streamOf,
  type Content,
  type ManifestContent,
} from "./content.ts";

/** An answer that the workload did not expect. */
export class BenchError extends Error {
  override readonly name = "BenchError";
  /** Short and the same for all errors of a kind: they are counted by it. */
  readonly kind: string;

  constructor(what: string, exchange: Exchange) {
    const kind = `${what}: ${exchange.status}`;
    super(`${kind} ${new TextDecoder().decode(exchange.body.subarray(0, 300))}`);
    this.kind = kind;
  }
}

/** Some registries show a manifest only to those who ask for its type. */
export const acceptManifests = {
  headers: [["Accept", `${mediaTypes.ociImage}, ${mediaTypes.ociIndex}`]] as const,
};
const configBytes = 512;
const chunkBytes = 5 * MiB;
/** Clients written in Go send pieces of this size. */
const streamPieceBytes = 32 * KiB;
const deletesAtOnce = 8;

/** How a blob is pushed: PUT with all of it, PATCH by PATCH, or one PATCH without a length. */
export type Way = "whole" | "chunks" | "stream";

interface Pushed {
  readonly repository: string;
  readonly digest: string;
  readonly kind: "blob" | "manifest";
}

export interface Image {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: ManifestContent;
  readonly config: Content;
  readonly layers: readonly Content[];
}

export class World {
  readonly #client: RegistryClient;
  readonly #prefix: string;
  readonly #maker = new ContentMaker();
  readonly #pushed = new Map<string, Pushed>();
  #repositories = 0;

  constructor(client: RegistryClient, prefix: string) {
    this.#client = client;
    this.#prefix = `${prefix}/${crypto.randomUUID().slice(0, 8)}`;
  }

  repository(name: string): string {
    return `${this.#prefix}/${name}`;
  }

  /** A repository that this world has not used yet. */
  newRepository(name: string): string {
    this.#repositories += 1;
    return this.repository(`${name}-${this.#repositories}`);
  }

  /** A blob that was not pushed yet. */
  newContent(sizeBytes: number): Content {
    return this.#maker.make(sizeBytes);
  }

  async pushBlob(repository: string, content: Content, way: Way = "whole"): Promise<void> {
    if (way === "whole") await this.#pushWhole(repository, content);
    else if (way === "chunks") await this.#pushInChunks(repository, content);
    else await this.#pushStream(repository, content);
    this.#remember({ repository, digest: content.digest, kind: "blob" });
  }

  /** POST and PUT with the whole blob [end-4a, end-6]. */
  async #pushWhole(repository: string, content: Content): Promise<void> {
    const location = await this.#start(repository);
    const exchange = await this.#client.uploadPut(location, content.digest, { body: content.body });
    expectStatus("PUT of a blob", exchange, [201]);
  }

  /** POST, one PATCH in pieces whose number nobody said, PUT. */
  async #pushStream(repository: string, content: Content): Promise<void> {
    const location = await this.#start(repository);
    const body = streamOf(content, streamPieceBytes);
    const patched = await this.#client.uploadPatch(location, { body });
    expectStatus("PATCH of an upload", patched, [202]);
    const next = locationOf(patched) ?? location;
    const exchange = await this.#client.uploadPut(next, content.digest);
    expectStatus("PUT of an upload", exchange, [201]);
  }

  /** POST, PATCH by PATCH, PUT [end-5]. */
  async #pushInChunks(repository: string, content: Content): Promise<void> {
    let location = await this.#start(repository);
    for (let first = 0; first < content.sizeBytes; first += chunkBytes) {
      const last = Math.min(first + chunkBytes, content.sizeBytes) - 1;
      const body = partOf(content, first, last);
      const patched = await this.#client.uploadPatch(location, { body, range: `${first}-${last}` });
      expectStatus("PATCH of an upload", patched, [202]);
      location = locationOf(patched) ?? location;
    }
    const exchange = await this.#client.uploadPut(location, content.digest);
    expectStatus("PUT of an upload", exchange, [201]);
  }

  async putManifest(
    repository: string,
    reference: string,
    manifest: ManifestContent,
  ): Promise<void> {
    const exchange = await this.#client.manifestPut(repository, reference, {
      mediaType: mediaTypes.ociImage,
      body: manifest.bytes,
    });
    expectStatus("PUT of a manifest", exchange, [201]);
    this.#remember({ repository, digest: manifest.digest, kind: "manifest" });
  }

  /** Content of an image that was not pushed yet. */
  newImage(repository: string, tag: string, layerBytes: readonly number[]): Image {
    const config = this.newContent(configBytes);
    const layers = layerBytes.map((size) => this.newContent(size));
    return {
      repository,
      tag,
      config,
      layers,
      manifest: newManifest({ config, layers, label: tag }),
    };
  }

  async pushImage(image: Image, way: Way = "whole"): Promise<void> {
    for (const content of [image.config, ...image.layers]) {
      await this.pushBlob(image.repository, content, way);
    }
    await this.putManifest(image.repository, image.tag, image.manifest);
  }

  /** HEAD and GET of the manifest, then its blobs at once, as clients do. */
  async pullImage(image: Image): Promise<{ bytes: number; firstByteMs: number }> {
    const { repository, tag, manifest } = image;
    expectStatus(
      "HEAD of a manifest",
      await this.#client.manifestHead(repository, tag, acceptManifests),
      [200],
    );
    const got = await this.#client.manifestGet(repository, manifest.digest, acceptManifests);
    expectStatus("GET of a manifest", got, [200]);
    const blobs = [image.config, ...image.layers];
    const pulled = await Promise.all(blobs.map((content) => this.pullBlob(repository, content)));
    return {
      bytes: got.bodyBytes + blobs.reduce((sum, content) => sum + content.sizeBytes, 0),
      firstByteMs: pulled.at(-1)?.firstByteMs ?? got.firstByteMs,
    };
  }

  async pullBlob(
    repository: string,
    content: Content,
    onBody: (piece: Uint8Array) => void | Promise<void> = () => {},
  ): Promise<{ firstByteMs: number }> {
    const exchange = await this.#client.blobGet(repository, content.digest, { onBody });
    expectStatus("GET of a blob", exchange, [200]);
    if (exchange.bodyBytes !== content.sizeBytes)
      throw new BenchError("GET of a blob: short", exchange);
    return { firstByteMs: exchange.firstByteMs };
  }

  /** Deletes what was pushed, manifests first; returns how many the registry refused. */
  async cleanUp(): Promise<number> {
    let refused = 0;
    // Blobs go when no manifest names them any more.
    for (const kind of ["manifest", "blob"] as const) {
      const next = this.#pushed.values().filter((item) => item.kind === kind);
      const work = async (): Promise<void> => {
        for (const { repository, digest } of next) {
          const exchange =
            kind === "manifest"
              ? await this.#client.manifestDelete(repository, digest)
              : await this.#client.blobDelete(repository, digest);
          if (exchange.status !== 202 && exchange.status !== 404) refused += 1;
        }
      };
      await Promise.all(Array.from({ length: deletesAtOnce }, work));
    }
    this.#pushed.clear();
    return refused;
  }

  /** Once, however often it was pushed. */
  #remember(pushed: Pushed): void {
    this.#pushed.set(`${pushed.kind} ${pushed.repository} ${pushed.digest}`, pushed);
  }

  async #start(repository: string) {
    const exchange = await this.#client.uploadStart(repository);
    expectStatus("POST of an upload", exchange, [202]);
    const location = locationOf(exchange);
    if (location === null) throw new BenchError("POST of an upload: no Location", exchange);
    return location;
  }
}

export function expectStatus(what: string, exchange: Exchange, statuses: readonly number[]): void {
  if (!statuses.includes(exchange.status)) throw new BenchError(what, exchange);
}
