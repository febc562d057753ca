// A server with search, images that are pushed to it, and queries. `settled` waits until all that was pushed before
// is summarised: pages of the feed are taken in order, so a push after one that shows up says so of all before.

import { expect } from "bun:test";
import type { Exchange } from "../../src/client/exchange.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { content, descriptor, manifestOf, type ManifestContent } from "../http/content.ts";
import { startWorld, type SendOptions, type World } from "../http/world.ts";
import { eventually } from "../processes.ts";

export const searchPath = "/v2/_zot/ext/search";
const markers = "zz-marker";

export interface ImageParts {
  /** Texts that stand for layers. */
  readonly layers?: readonly string[];
  readonly config?: unknown;
  readonly configType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Further members of the manifest. */
  readonly members?: object;
}

export interface Pushed extends ManifestContent {
  readonly config: string;
  readonly layers: readonly string[];
  readonly size: number;
}

/** Members of an answer's data, by the names of its queries. */
export type Data = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly data: Data | null;
  readonly errors: readonly { readonly message: string }[] | null;
}

export class SearchWorld implements AsyncDisposable {
  readonly world: World;
  readonly #headers: Readonly<Record<string, string>>;
  #marks = 0;

  constructor(world: World, headers: Readonly<Record<string, string>> = {}) {
    this.world = world;
    this.#headers = headers;
  }

  static async start(config: Readonly<Record<string, object>> = {}, headers = {}) {
    const world = await startWorld({
      ...config,
      extensions: { search: {}, ...config["extensions"] },
    });
    const started = new SearchWorld(world, headers);
    // From here on every push is in the part of the feed that search follows; what was there before is a job's.
    await started.settled();
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }

  send(method: string, target: string, options: SendOptions = {}): Promise<Exchange> {
    const headers = { ...this.#headers, ...(options.headers as Record<string, string>) };
    return this.world.send(method, target, { ...options, headers });
  }

  async blob(repository: string, data: string): Promise<ReturnType<typeof content>> {
    const blob = content(data);
    const at = `/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    const type = { "content-type": "application/octet-stream" };
    expect((await this.send("POST", at, { headers: type, body: blob.bytes })).status).toBe(201);
    return blob;
  }

  async put(repository: string, reference: string, manifest: ManifestContent): Promise<void> {
    const answer = await this.send("PUT", `/v2/${repository}/manifests/${reference}`, {
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
    });
    expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([201, ""]);
  }

  /** Pushes an image; under its digest without a tag. */
  async push(repository: string, tag: string | null, parts: ImageParts = {}): Promise<Pushed> {
    const { layers = ["layer"], config = {}, configType = mediaTypes.ociConfig } = parts;
    const text = typeof config === "string" ? config : JSON.stringify(config);
    const configBlob = await this.blob(repository, text);
    const blobs = [];
    for (const layer of layers) blobs.push(await this.blob(repository, layer));
    const manifest = manifestOf({
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      config: descriptor(configBlob, configType),
      layers: blobs.map((blob) => descriptor(blob, mediaTypes.ociLayer)),
      ...(parts.annotations === undefined ? {} : { annotations: parts.annotations }),
      ...parts.members,
    });
    await this.put(repository, tag ?? manifest.digest, manifest);
    return {
      ...manifest,
      config: configBlob.digest,
      layers: blobs.map(({ digest }) => digest),
      size: [manifest, configBlob, ...blobs].reduce((sum, { bytes }) => sum + bytes.length, 0),
    };
  }

  async index(
    repository: string,
    tag: string,
    children: readonly { readonly of: ManifestContent; readonly more?: object }[],
    members: object = {},
  ): Promise<ManifestContent> {
    const manifest = manifestOf(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: children.map(({ of, more }) => descriptor(of, of.mediaType, more)),
        ...members,
      },
      mediaTypes.ociIndex,
    );
    await this.put(repository, tag, manifest);
    return manifest;
  }

  /** Waits for the summaries, and takes the mark away again. */
  async settled(): Promise<void> {
    // What came with the first one may still be looked at beside it; the second one waits for all of that.
    const marked = [await this.#mark(), await this.#mark()];
    for (const { tag, digest } of marked) {
      const at = `/v2/${markers}/manifests/${digest}`;
      expect((await this.send("DELETE", at)).status).toBe(202);
      await eventually(`${tag} is gone`, async () => !(await this.#has(tag)));
    }
  }

  async #mark(): Promise<{ readonly tag: string; readonly digest: string }> {
    const tag = `m${(this.#marks += 1)}`;
    const manifest = manifestOf(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: { tag } },
      mediaTypes.ociIndex,
    );
    await this.put(markers, tag, manifest);
    await eventually(`${tag} is summarised`, () => this.#has(tag));
    return { tag, digest: manifest.digest };
  }

  async #has(tag: string): Promise<boolean> {
    const found = await this.data(`{ImageList(repo:"${markers}"){Results{Tag}}}`);
    return JSON.stringify(found).includes(`"${tag}"`);
  }

  async query(query: string, options: SendOptions = {}): Promise<Answer> {
    const target = `${searchPath}?query=${encodeURIComponent(query)}`;
    return answerOf(await this.send("GET", target, options));
  }

  async post(body: unknown, options: SendOptions = {}): Promise<Answer> {
    const headers = { "content-type": "application/json", ...(options.headers as object) };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return answerOf(await this.send("POST", searchPath, { ...options, headers, body: text }));
  }

  /** The data of a query that must succeed. */
  async data(query: string, options: SendOptions = {}): Promise<Data> {
    const { status, data, errors } = await this.query(query, options);
    expect([status, errors]).toEqual([200, null]);
    return data ?? {};
  }
}

export function answerOf(exchange: Exchange): Answer {
  const body = JSON.parse(Buffer.from(exchange.body).toString());
  return { status: exchange.status, data: body.data ?? null, errors: body.errors ?? null };
}
