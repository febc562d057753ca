// What was made of damaged bytes is made again when they are right.

import { expect, test } from "bun:test";
import { rename } from "node:fs/promises";
import { parseDigest } from "../../oci/digest.ts";
import { summaries } from "../../metadata/summaries.ts";
import { blobKey } from "../../storage/layout.ts";
import { image, openWorld, pushImage, repository } from "../../../test/registry/world.ts";
import { mend } from "./fill.ts";
import { lookAt } from "./look_at.ts";

test("an image whose configuration was damaged has its platform once that is right again", async () => {
  await using world = await openWorld();
  const pushed = image(1);
  await pushImage(world, pushed, "v1");
  const { registry } = world;
  const { signal } = new AbortController();
  const config = parseDigest(
    (JSON.parse(new TextDecoder().decode(pushed.bytes)) as { config: { digest: string } }).config
      .digest,
  );
  if (config === null) throw new Error("an image has a configuration");
  const path = world.pathOf(blobKey(repository, config));
  const reads = registry.metadata.records(summaries);
  const platform = async () => {
    const [found] = await reads.changed(0, 9);
    return (await reads.find(found?.id ?? 0, pushed.digest))?.platform;
  };
  await rename(path, `${path}.away`);
  await lookAt(registry, { repository, tags: ["v1"], came: [], went: [] }, signal);
  expect(await platform()).toEqual({ os: "", arch: "" });
  expect(await reads.poor(0, 9)).toMatchObject([{ repository, digest: pushed.digest }]);
  await mend(registry, signal);
  expect(await reads.poor(0, 9)).toHaveLength(1);
  await rename(`${path}.away`, path);
  await mend(registry, signal);
  expect(await platform()).toEqual({ os: "linux", arch: "amd64" });
  expect(await reads.poor(0, 9)).toEqual([]);
});
