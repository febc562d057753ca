// Copying between every two kinds of places: the same bytes and digests on the other side, whatever an image has, and
// nothing sent twice.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { testRetries } from "../../test/contracts/image_places.ts";
import { serveRegistry, type ServedRegistry } from "../../test/served_registry.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { flipped, MemorySource, someBytes, type Made } from "../../test/transfer/memory_source.ts";
import { mediaTypes } from "../oci/media_types.ts";
import type { CopyEvent, CopyReport, ImageToCopy } from "./copy_events.ts";
import { copyImages, type CopyOptions } from "./copy_images.ts";
import type { ImageSource, ImageTarget } from "./image_place.ts";
import { openSource, openTarget } from "./open_place.ts";
import { parsePlaceName, type PlaceName } from "./place_name.ts";

let served: ServedRegistry;
let directory: TempDirectory;
let serial = 0;

beforeAll(async () => {
  served = await serveRegistry();
  directory = await tempDirectory();
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const kinds = ["registry", "directory", "archive"] as const;
type Kind = (typeof kinds)[number];

/** A place that is empty. */
function newPlace(kind: Kind): PlaceName {
  serial += 1;
  if (kind === "registry") return parsePlaceName(`${served.url}/team/app${serial}`);
  const path = join(directory.path, `place${serial}`);
  return parsePlaceName(kind === "directory" ? `oci:${path}` : `oci-archive:${path}.tar`);
}

const options = { retries: testRetries, client: {} };
const elsewhere = parsePlaceName("oci:elsewhere");

async function copied(
  source: ImageSource,
  target: ImageTarget,
  images: readonly ImageToCopy[],
  more: Partial<CopyOptions> = {},
): Promise<CopyReport> {
  try {
    return await copyImages({
      source,
      target,
      images,
      platforms: [],
      withReferrers: true,
      parallel: 4,
      retries: testRetries,
      ...more,
    });
  } finally {
    await target.close();
  }
}

async function copyTo(
  source: ImageSource,
  place: PlaceName,
  images: readonly ImageToCopy[],
  more: Partial<CopyOptions> & { from?: PlaceName } = {},
): Promise<CopyReport> {
  const { from = elsewhere, ...rest } = more;
  const target = await openTarget(place, { ...options, source: from, isDryRun: false });
  return copied(source, target, images, rest);
}

const tagged = (tag: string): ImageToCopy => ({ reference: tag, tag });

/** An index of two platforms and its attestation, signatures in both styles, and what refers to those. */
function everything(): { from: MemorySource; all: Made[] } {
  const from = new MemorySource();
  const amd = from.image(["shared", someBytes(70_000, 1)], "amd");
  const arm = from.image(["shared", someBytes(70_000, 2)], "arm");
  const odd = from.image(["attested"]);
  from.names.clear();
  const index = from.index(
    [
      { ...amd, platform: { os: "linux", architecture: "amd64" } } as Made,
      { ...arm, platform: { os: "linux", architecture: "arm64", variant: "v8" } } as Made,
      {
        ...odd,
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { "vnd.docker.reference.digest": amd.digest },
      } as Made,
    ],
    "multi",
    { annotations: { a: "b" } },
  );
  const signature = from.referrer(index, "signature of the index");
  const childSignature = from.referrer(arm, "signature of one image");
  const sbom = from.referrer(signature, "an SBOM of the signature", "application/vnd.test.sbom");
  const legacy = from.image(["cosign"], `${index.digest.replace(":", "-")}.sig`);
  const legacyChild = from.image(["cosign of a child"], `${amd.digest.replace(":", "-")}.att`);
  const single = from.image(["shared", "alone"], "single");
  const foreign = {
    mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    digest: `sha256:${"f".repeat(64)}`,
    size: 10,
    urls: ["https://example.com/x"],
  };
  const config = from.blobOf("{}", "application/vnd.docker.container.image.v1+json");
  const docker = from.manifestOf({ config, layers: [foreign] }, mediaTypes.dockerImage, "docker");
  const all = [
    index,
    amd,
    arm,
    odd,
    signature,
    childSignature,
    sbom,
    legacy,
    legacyChild,
    single,
    docker,
  ];
  return { from, all };
}

const everyTag = ["multi", "single", "docker"].map(tagged);

async function expectSame(
  from: MemorySource,
  all: readonly Made[],
  place: PlaceName,
): Promise<void> {
  const source = await openSource(place, options);
  for (const { digest } of all) {
    const read = await source.manifest(digest);
    const made = from.manifests.get(digest);
    expect(Buffer.from(read?.bytes ?? []).toString()).toBe(
      Buffer.from(made?.bytes ?? []).toString(),
    );
    expect(read?.mediaType).toBe(made?.mediaType ?? "");
  }
  for (const [digest, bytes] of from.blobs) {
    const open = await source.blob(digest as Made["digest"], {
      fromByte: 0,
      signal: testRetries.signal,
    });
    const pieces: Uint8Array[] = [];
    for await (const piece of open?.body ?? []) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(Buffer.from(bytes))).toBe(true);
  }
  for (const [name, digest] of from.names) expect(await source.head(name)).toBe(digest);
  await source.close();
}

describe("every two kinds of places", () => {
  for (const first of kinds) {
    for (const second of kinds) {
      test(`memory to ${first} to ${second}: the same bytes, types, tags and referrers`, async () => {
        const { from, all } = everything();
        const [one, two] = [newPlace(first), newPlace(second)];
        const report = await copyTo(from, one, everyTag);
        expect(report.failed).toEqual([]);
        await expectSame(from, all, one);
        const source = await openSource(one, options);
        const again = await copyTo(source, two, everyTag, { from: one });
        await source.close();
        expect(again.failed).toEqual([]);
        expect(again.referrers).toBe(5);
        expect(again.manifests.sent.count).toBe(all.length);
        const isMounted = first === "registry" && second === "registry";
        expect(again.blobs.mounted.count).toBe(isMounted ? report.blobs.sent.count : 0);
        await expectSame(from, all, two);
      });
    }
  }
});

describe("what is there", () => {
  for (const kind of ["registry", "directory"] as const) {
    test(`a second run into a ${kind} sends nothing, and asks for no manifest`, async () => {
      const { from } = everything();
      const place = newPlace(kind);
      await copyTo(from, place, everyTag);
      from.asked.length = 0;
      from.askedManifests.length = 0;
      const report = await copyTo(from, place, everyTag);
      expect(report.images.map(({ outcome }) => outcome)).toEqual(["there", "there", "there"]);
      expect(report.blobs.sent.count + report.manifests.sent.count).toBe(0);
      expect(from.asked).toEqual([]);
      expect(from.askedManifests).toEqual([]);
    });

    test(`a new signature of an image that is in the ${kind} arrives, and nothing else moves`, async () => {
      const { from } = everything();
      const place = newPlace(kind);
      await copyTo(from, place, everyTag);
      const multi = from.names.get("multi");
      const subject = from.manifests.get(multi ?? "");
      const late = from.referrer(
        { digest: subject!.digest, mediaType: mediaTypes.ociIndex, size: subject!.bytes.length },
        "signed later",
      );
      from.askedManifests.length = 0;
      const report = await copyTo(from, place, everyTag);
      expect(report.referrers).toBe(1);
      expect(report.manifests.sent.count).toBe(1);
      expect(from.askedManifests).toEqual([late.digest]);
      await expectSame(from, [late], place);
    });
  }

  test("a tag that moved follows, and the blobs that both images have are not sent", async () => {
    for (const kind of ["registry", "directory"] as const) {
      const from = new MemorySource();
      from.image(["base", "one"], "1");
      const place = newPlace(kind);
      await copyTo(from, place, [tagged("1")]);
      from.image(["base", "two"], "1");
      const report = await copyTo(from, place, [tagged("1")]);
      expect(report.blobs.there.count).toBe(2);
      expect(report.blobs.sent.count).toBe(1);
      const source = await openSource(place, options);
      expect(await source.head("1")).toBe(from.names.get("1") ?? "");
      expect(await source.tags()).toEqual(["1"]);
      await source.close();
    }
  });
});

describe("platforms", () => {
  const platform = (architecture: string) => ({ os: "linux", architecture });

  test("one platform takes the place of the index, and the report says so", async () => {
    const { from } = everything();
    const place = newPlace("registry");
    const report = await copyTo(from, place, [tagged("multi")], { platforms: [platform("arm64")] });
    const [image] = report.images;
    const index = from.names.get("multi") ?? "";
    expect(image?.digest).not.toBe(index as Made["digest"]);
    expect(image?.notes[0]).toContain(`only the image for linux/arm64 (${image?.digest})`);
    expect(image?.notes[0]).toContain(index);
    const source = await openSource(place, options);
    expect((await source.manifest("multi"))?.mediaType).toBe(mediaTypes.ociImage);
    expect(await source.manifest(index)).toBeNull();
    // The signature of the image came along, that of the index did not.
    expect(report.referrers).toBe(1);
    await source.close();
  });

  test("several platforms get an index of their own, with what attests them", async () => {
    const { from } = everything();
    from.names.set(
      "three",
      from.index([
        { ...from.image(["x"]), platform: platform("s390x") } as Made,
        ...(JSON.parse(
          new TextDecoder().decode(from.manifests.get(from.names.get("multi") ?? "")!.bytes),
        ).manifests as Made[]),
      ]).digest,
    );
    const place = newPlace("directory");
    const chosen = [platform("amd64"), platform("arm64")];
    const report = await copyTo(from, place, [tagged("three")], { platforms: chosen });
    const source = await openSource(place, options);
    const index = await source.manifest("three");
    expect(index?.digest).toBe(report.images[0]?.digest);
    const body: { manifests: { platform: { architecture: string } }[] } = JSON.parse(
      new TextDecoder().decode(index?.bytes),
    );
    expect(body.manifests.map((each) => each.platform.architecture)).toEqual([
      "amd64",
      "arm64",
      "unknown",
    ]);
    await source.close();
    const again = await copyTo(from, place, [tagged("three")], { platforms: chosen });
    expect(again.images[0]?.outcome).toBe("there");
  });

  test("a platform that is not there is an error that names those that are", async () => {
    const { from } = everything();
    const report = await copyTo(from, newPlace("directory"), [tagged("multi")], {
      platforms: [platform("riscv64")],
    });
    expect(String(report.failed[0]?.reason)).toContain(
      "no image for linux/riscv64; there are linux/amd64, linux/arm64/v8",
    );
  });
});

describe("sources that do wrong", () => {
  test("an image with a wrong blob fails, has no tag, and the others are copied", async () => {
    for (const kind of kinds) {
      const from = new MemorySource();
      const bad = from.blobOf("bad layer");
      from.image(["bad layer"], "bad");
      from.image(["good layer"], "good");
      from.faults.set(bad.digest, flipped(2));
      const place = newPlace(kind);
      const report = await copyTo(from, place, [tagged("bad"), tagged("good")]);
      expect(report.images.map(({ tag }) => tag)).toEqual(["good"]);
      expect(String(report.failed[0]?.reason)).toContain("does not have its digest");
      const source = await openSource(place, options);
      expect(await source.tags()).toEqual(["good"]);
      expect(await source.blob(bad.digest, { fromByte: 0, signal: testRetries.signal })).toBeNull();
      await source.close();
    }
  });

  test("an index whose image is missing fails, and names it", async () => {
    const from = new MemorySource();
    const child = from.image(["a"]);
    from.index([child, from.image(["b"])], "multi");
    from.manifests.delete(child.digest);
    const report = await copyTo(from, newPlace("registry"), [tagged("multi")]);
    expect(String(report.failed[0]?.reason)).toContain(`names ${child.digest}, which is not there`);
  });

  test("lists of referrers that lie end the copy neither wrongly nor never", async () => {
    const from = new MemorySource();
    const image = from.image(["a"], "1");
    const inside = from.index([image], null, { subject: image });
    const signature = from.referrer(image, "signed");
    // It refers to itself, to what does not refer to it, to what is gone, and in a circle.
    from.claims.set(signature.digest, [signature, image, inside]);
    from.claims.set(image.digest, [image, { ...signature, digest: `sha256:${"0".repeat(64)}` }]);
    from.claims.set(inside.digest, [inside, signature]);
    const report = await copyTo(from, newPlace("registry"), [tagged("1")]);
    expect(report.failed).toEqual([]);
    expect(report.referrers).toBe(2);
  });

  test("after many failures in a row the rest is not tried", async () => {
    const from = new MemorySource();
    const images = Array.from({ length: 50 }, (_, at) => tagged(`v${at}`));
    const report = await copyTo(from, newPlace("directory"), images);
    expect(report.images).toEqual([]);
    expect(report.failed.length).toBeGreaterThanOrEqual(10);
    expect(report.failed.length + report.untried).toBe(50);
    expect(report.untried).toBeGreaterThan(0);
  });

  test("a manifest of the old schema 1 is named as such", async () => {
    const from = new MemorySource();
    from.manifestOf({}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "old");
    const report = await copyTo(from, newPlace("directory"), [tagged("old")]);
    expect(String(report.failed[0]?.reason)).toContain("old schema 1");
  });
});

test("tags are set when all of their image is there, signatures included", async () => {
  const { from } = everything();
  const put: string[] = [];
  const events: CopyEvent[] = [];
  const inner = await openTarget(newPlace("registry"), {
    ...options,
    source: elsewhere,
    isDryRun: false,
  });
  const spied: ImageTarget = Object.create(inner, {
    putManifest: {
      value: async (...[manifest, as]: Parameters<ImageTarget["putManifest"]>) => {
        put.push(as.tag ?? manifest.digest);
        await inner.putManifest(manifest, as);
      },
    },
    ...Object.fromEntries(
      (
        ["tagDigest", "hasManifest", "manifest", "hasBlob", "putBlob", "finish", "close"] as const
      ).map((name) => [name, { value: (inner[name] as () => unknown).bind(inner) }]),
    ),
  });
  await copied(from, spied, [tagged("multi")], { onEvent: (event) => events.push(event) });
  expect(put.at(-1)).toBe("multi");
  expect(put).toHaveLength(9);
  expect(events.at(-1)?.kind).toBe("image-done");
});

test("a dry run tells what would go, and writes nothing", async () => {
  for (const kind of kinds) {
    const { from, all } = everything();
    const place = newPlace(kind);
    const target = await openTarget(place, { ...options, source: elsewhere, isDryRun: true });
    const dry = await copied(from, target, everyTag);
    expect(dry.manifests.sent.count).toBe(all.length);
    const real = await copyTo(from, place, everyTag);
    expect(real.blobs.sent).toEqual(dry.blobs.sent);
    expect(real.manifests.sent).toEqual(dry.manifests.sent);
  }
});
