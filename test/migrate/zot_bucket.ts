// A bucket as zot (Go) writes it (seen at commit 6d19b44): its directory twice, an OCI layout for each repository, and an
// object without bytes where another repository has the content.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FakeS3 } from "../objects/fake_s3.ts";
import { sha256 } from "../objects/object_registry.ts";

const directory = "zot";
const mediaType = "application/vnd.oci.image.manifest.v1+json";
const changed = new Date("2021-03-04T05:06:07.000Z");

export interface WrittenRepository {
  readonly name: string;
  readonly blobs: readonly Uint8Array[];
  readonly tags: Readonly<Record<string, Uint8Array>>;
}

export function fillBucket(store: FakeS3, repositories: readonly WrittenRepository[]): void {
  const written = new Set<string>();
  const put = (key: string, bytes: Uint8Array): void => {
    store.objects.set(key, { bytes: Buffer.from(bytes), changed, headers: {} });
  };
  for (const { name, blobs, tags } of repositories) {
    const root = `${directory}/${directory}/${name}`;
    put(`${root}/oci-layout`, text({ imageLayoutVersion: "1.0.0" }));
    const manifests = Object.entries(tags).map(([tag, bytes]) => ({
      mediaType,
      digest: sha256(bytes),
      size: bytes.length,
      annotations: { "org.opencontainers.image.ref.name": tag },
    }));
    put(`${root}/index.json`, text({ schemaVersion: 2, manifests }));
    for (const bytes of [...blobs, ...Object.values(tags)]) {
      const digest = sha256(bytes);
      const isStub = written.has(digest);
      written.add(digest);
      const key = `${root}/blobs/${digest.replace(":", "/")}`;
      if (store.objects.has(key)) continue;
      put(key, isStub ? new Uint8Array() : bytes);
    }
  }
}

/** The configuration of the zot (Go) that wrote it. */
export async function zotBucketConfig(path: string, storageDriver: object): Promise<string> {
  const file = join(path, "zot-go.json");
  const storage = {
    rootDirectory: "/tmp/zot",
    dedupe: true,
    remoteCache: true,
    storageDriver: { ...storageDriver, rootdirectory: `/${directory}` },
  };
  await writeFile(
    file,
    JSON.stringify({ distSpecVersion: "1.1.1", storage, http: { port: "5000" } }),
  );
  return file;
}

function text(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
