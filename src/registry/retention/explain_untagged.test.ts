// What one answer about untagged manifests costs, however many parts they name.

import { expect, test } from "bun:test";
import { openWorld, pushBlob } from "../../../test/registry/world.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { parseReference } from "../../oci/reference.ts";
import { pushManifest } from "../push_manifest.ts";
import { explainUntagged } from "./explain_untagged.ts";

const repository = "a";

test("manifests are told while what they name is little; others have their turn in between", async () => {
  await using world = await openWorld();
  const encoder = new TextEncoder();
  const layers: object[] = [];
  for (let count = 0; count < 10; count += 1) {
    const bytes = encoder.encode(`layer ${count}`);
    const digest = await pushBlob(world, bytes, repository);
    layers.push({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest,
      size: bytes.length,
    });
  }
  for (let count = 0; count < 6; count += 1) {
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      config: layers[0],
      layers,
      annotations: { count: String(count) },
    };
    const bytes = encoder.encode(JSON.stringify(manifest));
    const reference = parseReference(digestOf("sha256", bytes));
    if (reference.kind !== "digest") throw new Error("expected a digest");
    const request = { repository, reference, bytes, contentType: mediaTypes.ociImage };
    await pushManifest(world.registry, { ...request, tags: [], tagIs: null, by: null });
  }
  const all = await explainUntagged(world.registry, repository);
  expect([all.manifests.length, all.isCutOff]).toEqual([6, false]);
  let turns = 0;
  const over = new AbortController();
  const others = (async () => {
    while (!over.signal.aborted) {
      await new Promise(setImmediate);
      turns += 1;
    }
  })();
  const some = await explainUntagged(world.registry, repository, 25);
  over.abort();
  await others;
  expect([some.manifests.length, some.isCutOff]).toEqual([3, true]);
  expect(turns).toBeGreaterThanOrEqual(3);
});
