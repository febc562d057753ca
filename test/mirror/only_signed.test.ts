// `onlySigned` of pulls: what comes here has a signature at its upstream, or belongs to something that has one.

import { expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { mirrorWorld, type MirrorWorld, type MirrorWorldOptions } from "./mirror_world.ts";
import type { ScriptedUpstream } from "./scripted_upstream.ts";

const notation = "application/vnd.cncf.notary.signature";
const seal = (options: MirrorWorldOptions = {}): Promise<MirrorWorld> =>
  mirrorWorld({ hosts: ["up.test"], ...options, mirror: { onlySigned: true, ...options.mirror } });

/** A manifest about another one; its digest. */
function about(
  { content }: ScriptedUpstream,
  subject: { readonly digest: string; readonly bytes: Uint8Array },
  artifactType: string,
): string {
  const config = content.addBlob("app", "{}");
  return content.addManifest("app", {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    artifactType,
    config: { mediaType: mediaTypes.ociEmpty, digest: config, size: 2 },
    layers: [],
    subject: { mediaType: mediaTypes.ociImage, digest: subject.digest, size: subject.bytes.length },
  });
}

async function statusOf(world: MirrorWorld, reference: string): Promise<number> {
  const answer = await world.get(`up.test/app/manifests/${reference}`);
  await answer.arrayBuffer();
  return answer.status;
}

test("an image without a signature is not there, by tag and by digest, and the answer says why", async () => {
  await using world = await seal();
  const image = world.upstream.content.addImage("app", "v1");
  const answer = await world.get("up.test/app/manifests/v1");
  expect(answer.status).toBe(404);
  expect(await answer.json()).toEqual({
    errors: [
      {
        code: "MANIFEST_UNKNOWN",
        message: "up.test has no signature of this image, and only signed ones are mirrored",
      },
    ],
  });
  expect(await statusOf(world, image.digest)).toBe(404);
  expect(world.upstream.asked("GET", `/manifests/v1`)).toEqual([]);
  expect((await world.get(`up.test/app/blobs/${image.config.digest}`)).status).toBe(404);
});

test("a signed one comes, with its signature and what else is about it; what is about another one does not", async () => {
  await using world = await seal();
  const { upstream } = world;
  const image = upstream.content.addImage("app", "v1");
  const signature = about(upstream, image, notation);
  const list = about(upstream, image, "application/spdx+json");
  const other = upstream.content.addImage("app", "v2");
  const otherList = about(upstream, other, "application/spdx+json");
  expect(await statusOf(world, "v1")).toBe(200);
  expect(await statusOf(world, signature)).toBe(200);
  expect(await statusOf(world, list)).toBe(200);
  expect(await statusOf(world, otherList)).toBe(404);
  expect(await statusOf(world, "v2")).toBe(404);
  // That it is signed is not asked each time.
  const asked = upstream.asked("GET", "/referrers/").length;
  expect(await statusOf(world, "v1")).toBe(200);
  expect(upstream.asked("GET", "/referrers/").length).toBe(asked);
});

test("an image, or an index, that says it is about a signed one needs a signature of its own", async () => {
  await using world = await seal();
  const { upstream } = world;
  const { content } = upstream;
  const image = content.addImage("app", "v1");
  about(upstream, image, notation);
  expect(await statusOf(world, "v1")).toBe(200);
  const size = image.bytes.length;
  const subject = { mediaType: mediaTypes.ociImage, digest: image.digest, size };
  const config = { mediaType: mediaTypes.ociConfig, digest: content.addBlob("app", "{}"), size: 2 };
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociImage, layers: [], subject };
  const typed = { artifactType: "application/spdx+json" };
  const others = [
    content.addManifest("app", { ...manifest, config }),
    content.addManifest("app", { ...manifest, ...typed, config }),
    content.addManifest("app", {
      ...typed,
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
      subject,
    }),
  ];
  for (const digest of others) expect(await statusOf(world, digest)).toBe(404);
});

test("images of a signed index come though nobody signed them", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  await using world = await seal({ clock });
  const { content } = world.upstream;
  const child = content.addImage("app", null, ["child"]);
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ mediaType: mediaTypes.ociImage, digest: child.digest, size: child.bytes.length }],
  };
  const digest = content.addManifest("app", index, { tag: "multi" });
  about(world.upstream, { digest, bytes: Buffer.from(JSON.stringify(index)) }, notation);
  expect(await statusOf(world, child.digest)).toBe(404);
  expect(await statusOf(world, "multi")).toBe(200);
  // That it was refused is remembered for as long as of a tag that is not there.
  await clock.advance(31_000);
  expect(await statusOf(world, child.digest)).toBe(200);
});

test.each([
  [true, 200],
  [false, 404],
])("tags of cosign count where they are taken: %p", async (takesCosignTags, status) => {
  await using world = await seal({ mirror: { takesCosignTags } });
  const { content } = world.upstream;
  const image = content.addImage("app", "v1");
  const tag = `${image.digest.replace(":", "-")}.sig`;
  content.addImage("app", tag);
  expect(await statusOf(world, "v1")).toBe(status);
  expect(await statusOf(world, tag)).toBe(status);
});

test("a tag that moves to what nobody signed is not served, also not from here; with its signature it is", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  await using world = await seal({ clock });
  const { upstream } = world;
  const first = upstream.content.addImage("app", "v1", ["first"]);
  about(upstream, first, notation);
  expect(await statusOf(world, "v1")).toBe(200);
  const second = upstream.content.addImage("app", "v1", ["second"]);
  await clock.advance(2_000);
  expect(await statusOf(world, "v1")).toBe(404);
  expect(await statusOf(world, first.digest)).toBe(200);
  about(upstream, second, notation);
  await clock.advance(31_000);
  expect(await statusOf(world, "v1")).toBe(200);
});

test("an upstream that cannot be asked for signatures is in trouble: what is here is served", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  await using world = await seal({ clock });
  const { upstream } = world;
  const image = upstream.content.addImage("app", "v1");
  about(upstream, image, notation);
  expect(await statusOf(world, "v1")).toBe(200);
  upstream.on("GET", /\/referrers\//, () => ({ status: 500 }));
  await clock.advance(11 * 60_000);
  const answer = await world.get("up.test/app/manifests/v1");
  expect([answer.status, answer.headers.get("x-zot-cache")]).toEqual([200, "stale"]);
  upstream.content.addImage("app", "v2");
  expect(await statusOf(world, "v2")).toBe(502);
});
