// The registry that the client tests talk to, and the few raw requests that check what clients did.
//
// It is `bin/zot`; `ZOT_TEST_AGAINST=docker-registry` puts Debian's registry in its place, to tell a mistake
// in a test from one in the server. Tests of what only zot has (layout on disk, referrers) skip then.

import { expect } from "bun:test";
import { type Registry, startDockerRegistry, startZot } from "../harness.ts";
import { sha256 } from "./base_image.ts";

/** Whether the server is our own, with referrers and layouts on disk. */
export const isZot = process.env["ZOT_TEST_AGAINST"] !== "docker-registry";

/** Long enough for a cold and busy machine, which makes its base image first; short enough to end. */
export const clientTestMs = 600_000;

export function startRegistryUnderTest(): Promise<Registry> {
  return isZot ? startZot() : startDockerRegistry();
}

export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export interface Manifest {
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
}

/** A manifest's fields, for tests that know what they asked for. */
export function parseManifest(text: string): Manifest {
  const manifest: Manifest = JSON.parse(text);
  return manifest;
}

export interface Served {
  readonly text: string;
  readonly digest: string;
  readonly mediaType: string;
}

/** GETs a manifest and proves that bytes, Docker-Content-Digest and HEAD say the same. */
export async function getManifest(
  registry: Registry,
  repository: string,
  reference: string,
): Promise<Served> {
  const url = `${registry.url}/v2/${repository}/manifests/${reference}`;
  const headers = { accept: Object.values(mediaTypes).join(", ") };
  const got = await fetch(url, { headers });
  const text = await got.text();
  expect({ url, status: got.status, text }).toMatchObject({ url, status: 200 });
  const digest = sha256(text);
  expect(got.headers.get("docker-content-digest")).toBe(digest);
  const head = await fetch(url, { method: "HEAD", headers });
  expect(head.status).toBe(200);
  expect(head.headers.get("docker-content-digest")).toBe(digest);
  expect(Number(head.headers.get("content-length"))).toBe(Buffer.byteLength(text));
  expect(head.headers.get("content-type")).toBe(got.headers.get("content-type"));
  return { text, digest, mediaType: got.headers.get("content-type") ?? "" };
}

/** HEADs every blob that an image manifest names, and compares its length with the descriptor. */
export async function expectBlobsServed(
  registry: Registry,
  repository: string,
  manifest: Manifest,
): Promise<void> {
  for (const blob of [manifest.config, ...manifest.layers]) {
    const head = await fetch(`${registry.url}/v2/${repository}/blobs/${blob.digest}`, {
      method: "HEAD",
    });
    const length = Number(head.headers.get("content-length"));
    expect({ ...blob, status: head.status, size: length }).toEqual({ ...blob, status: 200 });
  }
}

/** Uploads a blob with POST and PUT; its descriptor. */
export async function pushBlob(
  registry: Registry,
  repository: string,
  bytes: string | Uint8Array<ArrayBuffer>,
  mediaType: string,
): Promise<Descriptor> {
  const digest = sha256(bytes);
  const start = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  expect(start.status).toBe(202);
  const location = new URL(start.headers.get("location") ?? "", registry.url);
  location.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  const put = await fetch(location, { method: "PUT", headers, body: bytes });
  expect({ status: put.status, text: await put.text() }).toEqual({ status: 201, text: "" });
  return { mediaType, digest, size: Buffer.byteLength(bytes) };
}

/** PUTs a manifest under a tag or its digest; the answer. */
export function putManifest(
  registry: Registry,
  repository: string,
  reference: string,
  text: string,
  mediaType: string,
): Promise<Response> {
  return fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body: text,
  });
}
