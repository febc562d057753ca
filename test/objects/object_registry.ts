// A registry over a fake store that counts what it is asked and fails on demand.

import { createHash } from "node:crypto";
import { startWorld, type World } from "../http/world.ts";
import { FakeS3 } from "./fake_s3.ts";

export interface ObjectRegistry extends AsyncDisposable {
  readonly fake: FakeS3;
  readonly world: World;
  /** What the store was asked since the last look, by operation; probes of readiness are left out. */
  readonly counted: () => Record<string, number>;
}

export function driverOf(fake: FakeS3, more: object = {}): object {
  return {
    name: "s3",
    bucket: "bucket",
    regionendpoint: fake.url,
    secure: false,
    accesskey: "fake",
    secretkey: "x",
    ...more,
  };
}

export async function startObjectRegistry(storage: object = {}): Promise<ObjectRegistry> {
  const fake = await FakeS3.start();
  const world = await startWorld({ storage: { storageDriver: driverOf(fake), ...storage } });
  let seen = fake.asked.length;
  return {
    fake,
    world,
    counted: () => {
      const asked = fake.asked.slice(seen).filter(({ key }) => key !== "registry.json");
      seen = fake.asked.length;
      const byOperation = Map.groupBy(asked, ({ operation }) => operation);
      return Object.fromEntries([...byOperation].map(([name, each]) => [name, each.length]));
    },
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pushes a blob as clients do: a session, and all bytes with its end. */
export async function pushed(world: World, repository: string, bytes: Uint8Array) {
  const opened = await world.send("POST", `/v2/${repository}/blobs/uploads/`);
  const location = opened.headers.get("location") ?? "";
  return {
    location,
    answer: await world.send("PUT", `${location}?digest=${sha256(bytes)}`, { body: bytes }),
  };
}

export function manifestOf(config: Uint8Array, layers: readonly Uint8Array[]): Uint8Array {
  const described = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const document = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: described("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map((each) => described("application/vnd.oci.image.layer.v1.tar", each)),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

export const manifestHeaders = {
  "content-type": "application/vnd.oci.image.manifest.v1+json",
} as const;
