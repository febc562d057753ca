// An image of one small layer, for tests of where an image comes from rather than of what runs in it.
//
// Its digests are new every time, so that no client has it in a cache.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Registry, runOk, tempDirectory } from "../harness.ts";
import { sha256 } from "./base_image.ts";
import { type Descriptor, mediaTypes, pushBlob, putManifest } from "./tested_registry.ts";

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";

export interface SmallImage {
  /** The manifest's bytes and digest. */
  readonly manifest: string;
  readonly digest: string;
  readonly layer: Descriptor;
  /** Pushes all of it. */
  push(registry: Registry, repository: string, tag: string): Promise<void>;
}

/** `layerBytes` are random, and so do not shrink. */
export async function smallImage(layerBytes = 256 * 1024): Promise<SmallImage> {
  await using directory = await tempDirectory("zot-small-image");
  const files = join(directory.path, "files");
  await mkdir(files);
  const content = new Uint8Array(layerBytes);
  for (let at = 0; at < layerBytes; at += 65_536) {
    crypto.getRandomValues(content.subarray(at, at + 65_536));
  }
  await Bun.write(join(files, "content"), content);
  const archive = join(directory.path, "layer.tar.gz");
  await runOk("tar", ["-C", files, "-czf", archive, "."]);
  const layerData = await Bun.file(archive).bytes();
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/content"] },
    rootfs: { type: "layers", diff_ids: [sha256(gunzipSync(layerData))] },
  });
  const layer = { mediaType: layerType, digest: sha256(layerData), size: layerData.length };
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: sha256(config), size: config.length },
    layers: [layer],
  });
  return {
    manifest,
    digest: sha256(manifest),
    layer,
    push: async (registry, repository, tag) => {
      await pushBlob(registry, repository, config, mediaTypes.config);
      await pushBlob(registry, repository, layerData, layerType);
      const put = await putManifest(registry, repository, tag, manifest, mediaTypes.manifest);
      if (put.status !== 201) throw new Error(`the push was answered ${put.status}`);
    },
  };
}
