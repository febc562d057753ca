// What a scripted upstream holds, and how a well-behaved registry answers for it.

import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import type { ScriptedAnswer, ScriptedRequest } from "./scripted_request.ts";

interface HeldManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface Repository {
  readonly manifests: Map<string, HeldManifest>;
  readonly tags: Map<string, string>;
  readonly blobs: Map<string, Uint8Array>;
}

/** A small image: what `addImage` made. */
export interface AddedImage {
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly config: { readonly digest: string; readonly bytes: Uint8Array };
  readonly layers: readonly { readonly digest: string; readonly bytes: Uint8Array }[];
}

export class UpstreamContent {
  readonly #repositories = new Map<string, Repository>();
  /** Whether it has the referrers API. */
  hasReferrers = true;
  /** Names and tags on a page of a list, where the client asks for no fewer. */
  pageSize = 1000;

  addBlob(name: string, content: string | Uint8Array): string {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf("sha256", bytes);
    this.#repository(name).blobs.set(digest, bytes);
    return digest;
  }

  /** Under its digest, and under the tag where one is given. */
  addManifest(
    name: string,
    manifest: unknown,
    options: { readonly tag?: string; readonly mediaType?: string } = {},
  ): string {
    const bytes =
      manifest instanceof Uint8Array
        ? manifest
        : new TextEncoder().encode(JSON.stringify(manifest));
    const digest = digestOf("sha256", bytes);
    const repository = this.#repository(name);
    const mediaType = options.mediaType ?? mediaTypeOf(bytes);
    repository.manifests.set(digest, { mediaType, bytes });
    if (options.tag !== undefined) repository.tags.set(options.tag, digest);
    return digest;
  }

  /** An image of one configuration and the layers given; one small layer where none is. */
  addImage(
    name: string,
    tag: string | null,
    layers: readonly (string | Uint8Array)[] = [`layer of ${name}:${tag}`],
  ): AddedImage {
    const put = (content: string | Uint8Array) => {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      return { digest: this.addBlob(name, bytes), bytes };
    };
    const config = put(JSON.stringify({ architecture: "amd64", os: "linux", of: name, tag }));
    const held = layers.map(put);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.bytes.length },
      layers: held.map(({ digest, bytes }) => ({
        mediaType: mediaTypes.ociLayer,
        digest,
        size: bytes.length,
      })),
    };
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const digest = this.addManifest(name, bytes, tag === null ? {} : { tag });
    return { digest, bytes, config, layers: held };
  }

  moveTag(name: string, tag: string, digest: string): void {
    this.#repository(name).tags.set(tag, digest);
  }

  removeTag(name: string, tag: string): void {
    this.#repository(name).tags.delete(tag);
  }

  removeManifest(name: string, digest: string): void {
    this.#repository(name).manifests.delete(digest);
  }

  removeBlob(name: string, digest: string): void {
    this.#repository(name).blobs.delete(digest);
  }

  answer(request: ScriptedRequest): ScriptedAnswer {
    if (request.method !== "GET" && request.method !== "HEAD") return { status: 405 };
    if (request.path === "/v2/") return json({});
    if (request.path === "/v2/_catalog") {
      return this.#list(request, [...this.#repositories.keys()], (repositories) => ({
        repositories,
      }));
    }
    const match = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/.exec(request.path);
    const [, name = "", kind = "", reference = ""] = match ?? [];
    const repository = this.#repositories.get(name);
    if (repository === undefined) return absent("NAME_UNKNOWN");
    if (kind === "manifests") return manifest(repository, reference, request);
    if (kind === "blobs") return blob(repository, reference, request);
    if (kind === "referrers") {
      return this.hasReferrers ? referrers(repository, reference) : absent("NOT_FOUND");
    }
    return this.#list(request, [...repository.tags.keys()], (tags) => ({ name, tags }));
  }

  #repository(name: string): Repository {
    const found = this.#repositories.get(name);
    if (found !== undefined) return found;
    const fresh: Repository = { manifests: new Map(), tags: new Map(), blobs: new Map() };
    this.#repositories.set(name, fresh);
    return fresh;
  }

  #list(
    request: ScriptedRequest,
    all: string[],
    body: (page: string[]) => unknown,
  ): ScriptedAnswer {
    const last = request.query.get("last") ?? "";
    const size = Math.min(this.pageSize, Number(request.query.get("n") ?? this.pageSize));
    const left = all.sort().filter((each) => each > last);
    const page = left.slice(0, size);
    const end = page.at(-1) ?? "";
    const next = `<${request.path}?n=${size}&last=${encodeURIComponent(end)}>; rel="next"`;
    return json(body(page), left.length > page.length ? { Link: next } : {});
  }
}

function mediaTypeOf(bytes: Uint8Array): string {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const said =
    typeof parsed === "object" && parsed !== null && "mediaType" in parsed
      ? parsed.mediaType
      : null;
  return typeof said === "string" ? said : mediaTypes.ociImage;
}

function manifest(
  { manifests, tags }: Repository,
  reference: string,
  request: ScriptedRequest,
): ScriptedAnswer {
  const digest = tags.get(reference) ?? reference;
  const held = manifests.get(digest);
  if (held === undefined) return absent("MANIFEST_UNKNOWN");
  const headers = { "Docker-Content-Digest": digest, ETag: `"${digest}"` };
  if (request.headers.get("if-none-match") === `"${digest}"`) return { status: 304, headers };
  return { headers: { ...headers, "Content-Type": held.mediaType }, body: held.bytes };
}

function blob({ blobs }: Repository, digest: string, request: ScriptedRequest): ScriptedAnswer {
  const bytes = blobs.get(digest);
  if (bytes === undefined) return absent("BLOB_UNKNOWN");
  const etag = `"${digest}"`;
  const headers = {
    "Docker-Content-Digest": digest,
    "Content-Type": mediaTypes.octetStream,
    "Accept-Ranges": "bytes",
    ETag: etag,
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const ifRange = request.headers.get("if-range");
  if (range === null || (ifRange !== null && ifRange !== etag)) return { headers, body: bytes };
  const from = Number(range[1]);
  const to = range[2] === "" ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1);
  if (from >= bytes.length) {
    return { status: 416, headers: { "Content-Range": `bytes */${bytes.length}` } };
  }
  return {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${from}-${to}/${bytes.length}` },
    body: bytes.subarray(from, to + 1),
  };
}

function referrers({ manifests }: Repository, subject: string): ScriptedAnswer {
  const found = [...manifests].flatMap(([digest, { mediaType, bytes }]) => {
    const parsed = JSON.parse(new TextDecoder().decode(bytes)) as {
      readonly subject?: { readonly digest?: string };
      readonly artifactType?: string;
      readonly config?: { readonly mediaType?: string };
      readonly annotations?: Record<string, string>;
    };
    if (parsed.subject?.digest !== subject) return [];
    const artifactType = parsed.artifactType ?? parsed.config?.mediaType;
    const { annotations } = parsed;
    return [{ mediaType, digest, size: bytes.length, artifactType, annotations }];
  });
  return {
    headers: { "Content-Type": mediaTypes.ociIndex },
    body: JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: found }),
  };
}

function json(value: unknown, headers: Record<string, string> = {}): ScriptedAnswer {
  return { headers: { "Content-Type": mediaTypes.json, ...headers }, body: JSON.stringify(value) };
}

function absent(code: string): ScriptedAnswer {
  return {
    status: 404,
    headers: { "Content-Type": mediaTypes.json },
    body: JSON.stringify({ errors: [{ code, message: "not there" }] }),
  };
}
