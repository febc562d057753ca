// A small image of one layer, pushed over HTTP.

import { expect } from "bun:test";
import { createHash } from "node:crypto";

const config = new TextEncoder().encode(JSON.stringify({ architecture: "amd64", os: "linux" }));

export function described(bytes: Uint8Array): { digest: string; size: number } {
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
  };
}

/** The manifest of an image of one layer. */
export function manifestOf(layer: Uint8Array): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...described(config) },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...described(layer) }],
    }),
  );
}

export async function pushSmallImage(
  { url }: { readonly url: string },
  repository: string,
  tag: string,
  layer: Uint8Array,
): Promise<void> {
  for (const bytes of [layer, config]) {
    const target = `${url}/v2/${repository}/blobs/uploads/?digest=${described(bytes).digest}`;
    expect((await fetch(target, { method: "POST", body: bytes })).status).toBe(201);
  }
  const put = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: "PUT",
    headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
    body: manifestOf(layer),
  });
  expect(put.status).toBe(201);
}
