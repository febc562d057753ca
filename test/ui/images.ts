// Images as people push them, for the tests and pictures of the interface: layers that are real archives, configs with a
// history, several platforms, signatures, SBOMs, charts, and texts of somebody who means harm.

import { gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { tarOf } from "../../scripts/image/tar.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

export interface LayerWanted {
  readonly command: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

export interface ImageWanted {
  readonly architecture?: string;
  readonly variant?: string;
  readonly created?: string;
  readonly layers: readonly LayerWanted[];
  readonly config?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Pushes to a registry at `url`, with these headers. */
export class Pusher {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  async blob(repository: string, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const target = `v2/${repository}/blobs/uploads/?digest=${digest}`;
    await this.#send("POST", target, bytes, "application/octet-stream");
    return { mediaType, digest, size: bytes.length };
  }

  async manifest(repository: string, reference: string | null, value: object): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const { mediaType } = value as { mediaType: string };
    await this.#send("PUT", `v2/${repository}/manifests/${reference ?? digest}`, bytes, mediaType);
    return { mediaType, digest, size: bytes.length };
  }

  /** One image; `reference` null pushes it by its digest. */
  async image(
    repository: string,
    reference: string | null,
    wanted: ImageWanted,
  ): Promise<Descriptor> {
    const archives = wanted.layers.map(({ files }) => archiveOf(files));
    const layers: Descriptor[] = [];
    for (const bytes of archives) layers.push(await this.blob(repository, bytes, types.layer));
    const created = wanted.created ?? "2026-11-20T08:30:00Z";
    const config = Buffer.from(
      JSON.stringify({
        created,
        architecture: wanted.architecture ?? "amd64",
        os: "linux",
        ...(wanted.variant === undefined ? {} : { variant: wanted.variant }),
        config: wanted.config ?? {},
        rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
        history: wanted.layers.flatMap(({ command }) => [
          { created, created_by: command },
          ...(command.startsWith("COPY")
            ? [{ created, created_by: 'CMD ["/app"]', empty_layer: true }]
            : []),
        ]),
      }),
    );
    return await this.manifest(repository, reference, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: await this.blob(repository, config, types.config),
      layers,
      ...(wanted.annotations === undefined ? {} : { annotations: wanted.annotations }),
    });
  }

  /** An index of images, one for each. */
  async index(
    repository: string,
    tag: string,
    images: readonly ImageWanted[],
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<Descriptor> {
    const manifests = [];
    for (const wanted of images) {
      const { architecture = "amd64", variant } = wanted;
      const platform = { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) };
      manifests.push({ ...(await this.image(repository, null, wanted)), platform });
    }
    return await this.manifest(repository, tag, {
      schemaVersion: 2,
      mediaType: types.index,
      manifests,
      annotations,
    });
  }

  /** An artifact of one file, or one that refers to a subject. */
  async artifact(
    repository: string,
    reference: string | null,
    wanted: {
      readonly artifactType: string;
      readonly content: string | Uint8Array;
      readonly contentType: string;
      readonly config?: { readonly mediaType: string; readonly value: object };
      readonly subject?: Descriptor;
      readonly annotations?: Readonly<Record<string, string>>;
    },
  ): Promise<Descriptor> {
    const { config, subject, annotations } = wanted;
    const { content } = wanted;
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    return await this.manifest(repository, reference, {
      schemaVersion: 2,
      mediaType: types.manifest,
      artifactType: wanted.artifactType,
      config: await this.blob(
        repository,
        Buffer.from(JSON.stringify(config?.value ?? {})),
        config?.mediaType ?? types.empty,
      ),
      layers: [await this.blob(repository, bytes, wanted.contentType)],
      ...(subject === undefined ? {} : { subject }),
      ...(annotations === undefined ? {} : { annotations }),
    });
  }

  async #send(method: string, target: string, body: Uint8Array, type: string): Promise<void> {
    const headers = { ...this.#headers, "content-type": type };
    const response = await fetch(`${this.#url}/${target}`, { method, headers, body });
    if (response.status !== 201) {
      throw new Error(`${method} ${target}: ${response.status} ${await response.text()}`);
    }
  }
}

function archiveOf(files: LayerWanted["files"]): Uint8Array {
  const entries = Object.entries(files).map(([path, content]) => ({
    path,
    mode: 0o644,
    owner: 0,
    content: typeof content === "string" ? Buffer.from(content) : content,
  }));
  return gzipSync(tarOf(entries, 0), { level: 1 });
}

/** Bytes that no compression makes smaller; the same for the same seed. */
export function noise(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = (seed + 1) * 0x9e3779b9;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
