// Content is the same for the same seed, another for another, and right in itself.
import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { digestOf } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import { dataSets } from "./cases/data_sets.ts";
import { ContentMaker, exampleTypes, plainDescriptor } from "./content.ts";

describe("ContentMaker", () => {
  test("the seed decides every byte", () => {
    const make = (seed: string): string => new ContentMaker(seed).image().digest;
    expect(make("a")).toBe(make("a"));
    expect(make("a")).not.toBe(make("b"));
  });

  test("noise differs from call to call and has the size asked for", () => {
    const maker = new ContentMaker("x");
    expect(maker.noise(0)).toHaveLength(0);
    expect(maker.noise(1000)).toHaveLength(1000);
    expect(Buffer.compare(maker.noise(64), maker.noise(64))).not.toBe(0);
    expect(maker.name("tag")).toMatch(/^tag-[0-9a-f]{12}$/);
  });

  test("a layer is a tar archive that tar can read", async () => {
    const maker = new ContentMaker("tar");
    const archive = gunzipSync(maker.layer({ gzip: true }).bytes);
    const tar = Bun.spawn(["tar", "tf", "-"], { stdin: archive, stdout: "pipe" });
    expect(await new Response(tar.stdout).text()).toMatch(/^file-\d+\.txt\n$/);
    expect(await tar.exited).toBe(0);
  });

  test("an image names its blobs by digest and size", () => {
    const maker = new ContentMaker("image");
    const image = maker.image({ artifactType: exampleTypes.one, annotations: { a: "b" } });
    const parsed = JSON.parse(new TextDecoder().decode(image.bytes));
    for (const { digest, size } of [parsed.config, ...parsed.layers]) {
      expect(maker.blobs.get(digest)?.bytes.length).toBe(size);
      expect(digestOf("sha256", maker.blobs.get(digest)!.bytes)).toBe(digest);
    }
    expect(image.descriptor).toMatchObject({
      artifactType: exampleTypes.one,
      annotations: { a: "b" },
    });
    expect(plainDescriptor(image)).toEqual({
      mediaType: image.mediaType,
      digest: image.digest,
      size: image.bytes.length,
    });
  });

  test("without artifactType the config's type stands in the list of referrers", () => {
    const maker = new ContentMaker("type");
    const image = maker.image({ configType: exampleTypes.two });
    expect(image.descriptor.artifactType).toBe(exampleTypes.two);
    expect(maker.index([image]).descriptor.artifactType).toBeUndefined();
  });
});

describe("data sets", () => {
  test.each(dataSets.map((set) => [set.id, set] as const))(
    "%s is made of valid manifests",
    (_id, set) => {
      const maker = new ContentMaker("seed", set.algorithm);
      const tags = set.make(maker);
      expect(maker.manifests.length).toBeGreaterThan(0);
      for (const { bytes, mediaType, digest } of maker.manifests) {
        expect(() => parseManifest(bytes, mediaType)).not.toThrow();
        expect(digest).toBe(digestOf(set.algorithm, bytes));
      }
      for (const [, manifest] of tags) expect(maker.manifests).toContain(manifest);
    },
  );

  test("have the shapes that the table says", () => {
    const shapes = dataSets.map((set) => {
      const maker = new ContentMaker("seed", set.algorithm);
      const tags = set.make(maker);
      return [set.id, maker.blobs.size, maker.manifests.length, tags.length];
    });
    expect(shapes).toContainEqual(["image", 3, 1, 1]);
    expect(shapes).toContainEqual(["nested-index", 11, 7, 1]);
    expect(shapes).toContainEqual(["empty-index", 0, 1, 1]);
    expect(shapes).toContainEqual(["artifact-without-layers", 1, 1, 1]);
    expect(shapes).toContainEqual(["artifacts-with-subject", 9, 4, 3]);
    expect(shapes).toContainEqual(["non-distributable", 2, 1, 1]);
    expect(shapes).toContainEqual(["tag-parameters-sha512", 6, 3, 4]);
  });
});
