// What a hostile upstream, or a hostile client, tries with a mirror.

import { describe, expect, test } from "bun:test";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { mirrorWorld, sha256 } from "./mirror_world.ts";

const secret = new TextEncoder().encode("what only some may read ".repeat(1_000));

/** A manifest that names content which its author knows by digest alone. */
function namingManifest(digest: string, sizeBytes: number, config: string): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: { mediaType: mediaTypes.ociConfig, digest: config, size: 2 },
    layers: [{ mediaType: mediaTypes.ociLayer, digest, size: sizeBytes }],
  };
}

describe("a manifest upstream that names content of others", () => {
  test("does not bring out what was pushed here, for who may read the mirror alone", async () => {
    await using world = await mirrorWorld();
    const digest = sha256(secret);
    const put = await world.get(`private/app/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      body: secret,
    });
    expect(put.status).toBe(201);
    const { content } = world.upstream;
    const config = content.addBlob("evil/app", "{}");
    content.addManifest("evil/app", namingManifest(digest, secret.length, config), { tag: "1" });
    expect((await world.get("docker.io/evil/app/manifests/1")).status).toBe(200);
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
    expect(world.upstream.asked("GET", digest)).toHaveLength(1);
  });

  test("does not bring out what came from another upstream", async () => {
    await using world = await mirrorWorld({ hosts: ["docker.io", "private.example"] });
    const [evil, good] = world.upstreams;
    const image = good!.content.addImage("team/app", "1", [secret]);
    await world.get("private.example/team/app/manifests/1");
    const digest = image.layers[0]!.digest;
    expect(await world.bytes(`private.example/team/app/blobs/${digest}`)).toEqual(secret);
    const config = evil!.content.addBlob("evil/app", "{}");
    evil!.content.addManifest("evil/app", namingManifest(digest, secret.length, config), {
      tag: "1",
    });
    await world.get("docker.io/evil/app/manifests/1");
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
  });

  test("does not read along while that comes from another upstream, nor what was left of it", async () => {
    await using world = await mirrorWorld({
      hosts: ["docker.io", "private.example"],
      mirror: { onClientGone: "stop" },
    });
    const [evil, good] = world.upstreams;
    const large = new Uint8Array(3 * 1024 * 1024).fill(7);
    const image = good!.content.addImage("team/app", "1", [large]);
    const digest = image.layers[0]!.digest;
    const config = evil!.content.addBlob("evil/app", "{}");
    evil!.content.addManifest("evil/app", namingManifest(digest, large.length, config), {
      tag: "1",
    });
    await world.get("private.example/team/app/manifests/1");
    await world.get("docker.io/evil/app/manifests/1");
    const letGo = Promise.withResolvers<void>();
    good!.on("GET", new RegExp(digest), async () => {
      await letGo.promise;
      return null;
    });
    const waiting = world.get(`private.example/team/app/blobs/${digest}`);
    await good!.awaitAsked("GET", digest);
    expect((await world.get(`docker.io/evil/app/blobs/${digest}`)).status).toBe(404);
    expect(evil!.asked("GET", digest)).toHaveLength(1);
    letGo.resolve();
    expect(sha256(new Uint8Array(await (await waiting).arrayBuffer()))).toBe(digest);
  });
});
