// Rows 6 to 8, 30 and 38 of zot's cases with retention and collection together: what is left of manifests, repositories
// and indexes once rules have removed tags.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { collecting, hourMs, openCollector } from "../../../test/registry/collecting.ts";
import {
  bytesOf,
  image,
  openWorld,
  pushImage,
  putManifest,
  repository,
  type World,
} from "../../../test/registry/world.ts";
import { runHere } from "../../jobs/heavy_work.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { retentionOptions } from "./options.ts";
import { RetentionJob } from "./retention_job.ts";

/** Runs rules that keep tags which a pattern fits, and collects what they leave once the delays are over. */
async function keeping(world: World, pattern: string, more: object = {}): Promise<void> {
  const policies = retentionOptions.policies.type.parse([
    { repositories: ["**"], keepTags: [{ patterns: [pattern] }], ...more },
  ]);
  const retention = { dryRun: false, delay: null, policies };
  const { registry, report } = world;
  const settings = () => collecting({ retention });
  const job = new RetentionJob({
    registry,
    heavy: runHere({ ...registry, report }),
    report,
    settings,
  });
  await job.run(new AbortController().signal);
  await world.clock.advance(hourMs + 60_000);
  await openCollector(world, { retention }).settle();
}

const tags = ({ registry }: World) =>
  registry.metadata.tags(repository, { after: null, limit: 99 });
const isHere = async ({ registry }: World, digest: Digest): Promise<boolean> =>
  (await registry.metadata.manifestByDigest(repository, digest)) !== null;

async function pushIndex(world: World, children: readonly object[], tag: string) {
  const bytes = bytesOf({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children });
  const digest = digestOf("sha256", bytes);
  await putManifest(world, bytes, tag);
  return { digest, descriptor: { mediaType: mediaTypes.ociIndex, digest, size: bytes.length } };
}

test("6 tags, untagged, referrers, referrers of those and the repository go in one pass", async () => {
  await using world = await openWorld();
  const [app, other] = [image(1), image(2)];
  const signature = image(3, { subject: app.descriptor });
  const note = image(4, { subject: signature.descriptor });
  await pushImage(world, app, "0.0.1");
  for (const one of [other, signature, note]) await pushImage(world, one, null);
  await keeping(world, "v1", { deleteReferrers: true, deleteUntagged: true });
  expect(await world.registry.metadata.repositories({ after: null, limit: 9 })).toEqual([]);
  expect(existsSync(world.pathOf(repository))).toBe(false);
});

test.each([
  ["7 two tags of one digest that no pattern fits go, with their manifest", "none", []],
  ["8 of two tags of one digest one goes, and the manifest stays", "first", ["first"]],
])("%s", async (_row, pattern, left) => {
  await using world = await openWorld();
  const app = image(1);
  for (const tag of ["first", "second"]) await pushImage(world, app, tag);
  await keeping(world, pattern);
  expect(await tags(world)).toEqual(left);
  expect(await isHere(world, app.digest)).toBe(left.length > 0);
});

test("30 of nested indexes the image that a pattern fits stays alone", async () => {
  await using world = await openWorld();
  const images = [image(1), image(2)] as const;
  for (const [at, one] of images.entries()) await pushImage(world, one, `manifest${at + 1}`);
  const inner = await pushIndex(
    world,
    images.map(({ descriptor }) => descriptor),
    "inner",
  );
  const outer = await pushIndex(world, [inner.descriptor], "outer");
  await keeping(world, "manifest2");
  expect(await tags(world)).toEqual(["manifest2"]);
  const all = [images[0].digest, images[1].digest, inner.digest, outer.digest];
  expect(await Promise.all(all.map((digest) => isHere(world, digest)))).toEqual([
    false,
    true,
    false,
    false,
  ]);
});
