/**
 * THE table of workloads: those of the benchmark of zot (Go), and some that it lacks.
 *
 * Adding one is adding a row. Sizes are decimal (1 MB = 1,000,000 bytes), as in the names of zot's.
 */
import { systemClock } from "../lib/clock.ts";
import { newContent, newManifest, type Content } from "./content.ts";
import type { Done, Operation, Scenario } from "./scenario.ts";
import { acceptManifests, expectStatus, type Image, type World } from "./world.ts";

const megabyte = 1_000_000;
/** Slow readers take this much, then rest. */
const slowReadPauseMs = 5;
const manyTags = [10, 1_000, 10_000] as const;
const setUpAtOnce = 16;

const nothing: Done = { bytes: 0, firstByteMs: null };

/** Sizes of a mix, by the hundredth of the operations that have them. */
interface Mix {
  readonly sizeBytes: number;
  readonly hundredths: number;
}
const pullMix: readonly Mix[] = [
  { sizeBytes: 1 * megabyte, hundredths: 20 },
  { sizeBytes: 10 * megabyte, hundredths: 70 },
  { sizeBytes: 100 * megabyte, hundredths: 10 },
];
const evenMix: readonly Mix[] = [
  { sizeBytes: 1 * megabyte, hundredths: 34 },
  { sizeBytes: 10 * megabyte, hundredths: 33 },
  { sizeBytes: 100 * megabyte, hundredths: 33 },
];
const sizes = [
  { label: "1mb", sizeBytes: 1 * megabyte, share: 1 },
  { label: "10mb", sizeBytes: 10 * megabyte, share: 0.2 },
  { label: "100mb", sizeBytes: 100 * megabyte, share: 0.02 },
] as const;

export const scenarios: readonly Scenario[] = [
  {
    name: "catalog",
    title: "Get the catalog",
    share: 1,
    prepare: async ({ client, world }) => {
      await world.pushImage(
        world.newImage(world.repository("catalog"), "latest", [1_000]),
        "whole",
      );
      return async () => {
        const exchange = await client.catalog();
        expectStatus("GET of the catalog", exchange, [200]);
        return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
      };
    },
  },
  ...sizes.map(({ label, sizeBytes, share }) =>
    push(`push-monolith-${label}`, `Push images of ${label}, whole blobs`, share, "whole", [
      { sizeBytes, hundredths: 100 },
    ]),
  ),
  ...sizes.map(({ label, sizeBytes, share }) =>
    push(`push-chunk-${label}`, `Push images of ${label}, in chunks`, share, "chunks", [
      { sizeBytes, hundredths: 100 },
    ]),
  ),
  ...sizes.map(({ label, sizeBytes, share }) =>
    pull(`pull-${label}`, `Pull images of ${label}`, share, [{ sizeBytes, hundredths: 100 }]),
  ),
  pull("pull-mixed", "Pull images, 20 % 1 MB, 70 % 10 MB, 10 % 100 MB", 0.2, pullMix),
  push("push-monolith-mixed", "Push images of that mix, whole blobs", 0.1, "whole", pullMix),
  push(
    "push-chunk-mixed",
    "Push images of 1, 10 and 100 MB evenly, in chunks",
    0.05,
    "chunks",
    evenMix,
  ),
  ...sizes.map(({ label, sizeBytes, share }) => pullAndPush(label, sizeBytes, share)),
  {
    name: "push-blob-1kb",
    title: "Push blobs of 1 kB",
    share: 2,
    prepare: async ({ world, count }) => {
      const contents = Array.from({ length: count }, () => newContent(1_000));
      return async (index) => {
        const content = at(contents, index);
        await world.pushBlob(world.repository("small"), content);
        return { bytes: content.sizeBytes, firstByteMs: null };
      };
    },
  },
  {
    name: "get-blob-1kb",
    title: "Get a blob of 1 kB",
    share: 10,
    prepare: ({ world }) => readBlob(world, 1_000),
  },
  {
    name: "get-blob-64kb",
    title: "Get a blob of 64 kB",
    share: 10,
    prepare: ({ world }) => readBlob(world, 64_000),
  },
  {
    name: "push-manifest",
    title: "Push manifests by tag over the same blobs",
    share: 2,
    prepare: async (run) => {
      const base = await pushedImage(run.world, "manifests", [1_000]);
      const manifests = numbered(run.count, (index) =>
        newManifest({ ...base, label: `n${index}` }),
      );
      return async (index) => {
        const manifest = at(manifests, index);
        await run.world.putManifest(base.repository, `t${index}`, manifest);
        return { bytes: manifest.bytes.length, firstByteMs: null };
      };
    },
  },
  manifestRead("head-manifest-by-digest", "HEAD of a manifest by digest", "manifestHead", "digest"),
  manifestRead("head-manifest-by-tag", "HEAD of a manifest by tag", "manifestHead", "tag"),
  manifestRead("get-manifest-by-tag", "Get a manifest by tag", "manifestGet", "tag"),
  ...manyTags.map((tags) => tagList(tags)),
  {
    name: "referrers",
    title: "List 10 referrers of an image",
    share: 5,
    prepare: async ({ client, world }) => {
      const image = await pushedImage(world, "subjects", [1_000]);
      const subject = { digest: image.manifest.digest, size: image.manifest.bytes.length };
      for (let index = 0; index < 10; index += 1) {
        const manifest = newManifest({ ...image, subject, label: `r${index}` });
        await world.putManifest(image.repository, manifest.digest, manifest);
      }
      return async () => {
        const exchange = await client.referrers(image.repository, image.manifest.digest);
        expectStatus("GET of referrers", exchange, [200]);
        return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
      };
    },
  },
  {
    name: "mount",
    title: "Mount a blob into another repository",
    share: 2,
    prepare: async ({ client, world, count }) => {
      const from = world.repository("source");
      const contents = Array.from({ length: count }, () => newContent(1_000));
      await each(contents, (content) => world.pushBlob(from, content));
      return async (index) => {
        const { digest } = at(contents, index);
        const query = [
          ["mount", digest],
          ["from", from],
        ] as const;
        const exchange = await client.uploadStart(world.repository("target"), query);
        expectStatus("POST of a mount", exchange, [201]);
        return nothing;
      };
    },
  },
  {
    name: "login",
    title: "Version check with the login that was given",
    share: 5,
    prepare:
      async ({ client }) =>
      async () => {
        const exchange = await client.ping();
        expectStatus("GET of /v2/", exchange, [200]);
        return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
      },
  },
  {
    name: "pull-20-layers",
    title: "Pull images of 20 layers of 1 MB, each image once",
    share: 0.05,
    prepare: async ({ world, count }) => {
      const layers = Array.from({ length: 20 }, () => 1 * megabyte);
      const images = numbered(count, (index) =>
        world.newImage(world.repository("layers"), `v${index}`, layers),
      );
      await each(images, (image) => world.pushImage(image, "whole"), 2);
      return (index) => world.pullImage(at(images, index));
    },
  },
  {
    name: "slow-readers",
    title:
      "50 slow readers of a blob of 100 MB, and beside them quick reads of 1 kB that are measured",
    share: 5,
    prepare: async ({ world, count }) => {
      const large = newContent(100 * megabyte);
      const small = newContent(1_000);
      const repository = world.repository("slow");
      await world.pushBlob(repository, large);
      await world.pushBlob(repository, small);
      const done = new AbortController();
      const readers = Array.from({ length: 50 }, () =>
        readSlowly(world, repository, large, done.signal),
      );
      let left = count;
      return async () => {
        const { firstByteMs } = await world.pullBlob(repository, small);
        left -= 1;
        if (left === 0) {
          done.abort();
          await Promise.allSettled(readers);
        }
        return { bytes: small.sizeBytes, firstByteMs };
      };
    },
  },
];

function push(
  name: string,
  title: string,
  share: number,
  way: "whole" | "chunks",
  mix: readonly Mix[],
): Scenario {
  return {
    name,
    title,
    share,
    prepare: async ({ world, count }) => {
      const images = imagesOf(world, name, count, mix);
      return async (index) => {
        const image = at(images, index);
        await world.pushImage(image, way);
        return { bytes: bytesOf(image), firstByteMs: null };
      };
    },
  };
}

function pull(name: string, title: string, share: number, mix: readonly Mix[]): Scenario {
  return {
    name,
    title,
    share,
    prepare: async ({ world }) => {
      const images = await pulledImages(world, name, mix);
      // A stride that shares no factor with the number of images: sizes take turns.
      return (index) => world.pullImage(at(images, (index * 7) % images.length));
    },
  };
}

/** Three pulls for each push, of one size. */
function pullAndPush(label: string, sizeBytes: number, share: number): Scenario {
  return {
    name: `pull-75-push-25-${label}`,
    title: `Pull 75 %, push 25 %, images of ${label}`,
    share,
    prepare: async ({ world, count }) => {
      const mix = [{ sizeBytes, hundredths: 100 }];
      const pulled = await pulledImages(world, `mixed-${label}`, mix);
      const pushed = imagesOf(world, `mixed-push-${label}`, Math.ceil(count / 4), mix);
      return async (index) => {
        if (index % 4 !== 3) return world.pullImage(at(pulled, index % pulled.length));
        const image = at(pushed, Math.floor(index / 4));
        await world.pushImage(image, "whole");
        return { bytes: bytesOf(image), firstByteMs: null };
      };
    },
  };
}

function manifestRead(
  name: string,
  title: string,
  method: "manifestHead" | "manifestGet",
  by: "digest" | "tag",
): Scenario {
  return {
    name,
    title,
    share: 10,
    prepare: async ({ client, world }) => {
      const image = await pushedImage(world, name, [1_000]);
      const reference = by === "digest" ? image.manifest.digest : image.tag;
      return async () => {
        const exchange = await client[method](image.repository, reference, acceptManifests);
        expectStatus(title, exchange, [200]);
        return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
      };
    },
  };
}

function tagList(tags: number): Scenario {
  return {
    name: `tags-${tags}`,
    title: `List 100 tags of ${tags.toLocaleString("en")}`,
    share: 5,
    prepare: async ({ client, world }) => {
      const image = await pushedImage(world, `tags-${tags}`, [1_000]);
      const names = numbered(tags - 1, (index) => `t${String(index).padStart(6, "0")}`);
      await each(names, (tag) => world.putManifest(image.repository, tag, image.manifest));
      return async () => {
        const exchange = await client.tagsList(image.repository, [["n", "100"]]);
        expectStatus("GET of tags", exchange, [200]);
        return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
      };
    },
  };
}

async function readBlob(world: World, sizeBytes: number): Promise<Operation> {
  const content = newContent(sizeBytes);
  const repository = world.repository("reads");
  await world.pushBlob(repository, content);
  return async () => {
    const { firstByteMs } = await world.pullBlob(repository, content);
    return { bytes: sizeBytes, firstByteMs };
  };
}

/** Reads until told to stop, resting after each piece. */
async function readSlowly(
  world: World,
  repository: string,
  content: Content,
  signal: AbortSignal,
): Promise<void> {
  const rest = async (): Promise<void> => {
    if (signal.aborted) throw new Error("enough read");
    await systemClock.sleep(slowReadPauseMs);
  };
  while (!signal.aborted) await world.pullBlob(repository, content, rest);
}

function imagesOf(world: World, name: string, count: number, mix: readonly Mix[]): Image[] {
  return numbered(count, (index) =>
    world.newImage(world.repository(name), `v${index}`, [sizeAt(mix, index, count)]),
  );
}

/** One image of each size of the mix, in its proportion of ten. */
async function pulledImages(world: World, name: string, mix: readonly Mix[]): Promise<Image[]> {
  const images = mix.length === 1 ? imagesOf(world, name, 2, mix) : imagesOf(world, name, 10, mix);
  await each(images, (image) => world.pushImage(image, "whole"), 2);
  return images;
}

async function pushedImage(world: World, name: string, layers: readonly number[]): Promise<Image> {
  const image = world.newImage(world.repository(name), "latest", layers);
  await world.pushImage(image, "whole");
  return image;
}

function sizeAt(mix: readonly Mix[], index: number, count: number): number {
  const hundredth = (index * 100) / count;
  let sum = 0;
  for (const { sizeBytes, hundredths } of mix) {
    sum += hundredths;
    if (hundredth < sum) return sizeBytes;
  }
  return mix[0]?.sizeBytes ?? 0;
}

function bytesOf(image: Image): number {
  return [image.config, ...image.layers].reduce((sum, content) => sum + content.sizeBytes, 0);
}

function numbered<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}

async function each<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = setUpAtOnce,
): Promise<void> {
  const next = items.values();
  const worker = async (): Promise<void> => {
    for (const item of next) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
