/**
 * The workloads of benchmarks: each function gives what sets a scenario up and makes its operations.
 *
 * `scenarios.ts` is the table of `zot bench`; `npm run bench` uses the same functions with sizes of its own.
 */
import { systemClock } from "../lib/clock.ts";
import { newManifest, type Content } from "./content.ts";
import type { Done, Prepare, Run } from "./scenario.ts";
import { acceptManifests, expectStatus, type Image, type Way, type World } from "./world.ts";

const setUpAtOnce = 16;
const nothing: Done = { bytes: 0, firstByteMs: null };

/** Sizes of a mix, by the hundredth of the operations that have them. */
export interface Mix {
  readonly sizeBytes: number;
  readonly hundredths: number;
}

export function mixOf(sizeBytes: number): readonly Mix[] {
  return [{ sizeBytes, hundredths: 100 }];
}

export function listCatalog(): Prepare {
  return async ({ client, world }) => {
    await pushedImage(world, world.repository("catalog"), [1_000]);
    return async () => {
      const exchange = await client.catalog();
      expectStatus("GET of the catalog", exchange, [200]);
      return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
    };
  };
}

export function pushImages(mix: readonly Mix[], way: Way): Prepare {
  return async ({ world, count }) => {
    const images = imagesOf(world, world.newRepository("pushed"), count, mix);
    return async (index) => {
      const image = at(images, index);
      await world.pushImage(image, way);
      return { bytes: bytesOf(image), firstByteMs: null };
    };
  };
}

export function pullImages(mix: readonly Mix[]): Prepare {
  const pulled = pulledImages(mix);
  return async (run) => {
    const images = await pulled(run);
    // A stride that shares no factor with the number of images: sizes take turns.
    return (index) => run.world.pullImage(at(images, (index * 7) % images.length));
  };
}

/** Three pulls for each push, of one size. */
export function pullAndPushImages(sizeBytes: number): Prepare {
  const mix = mixOf(sizeBytes);
  const pulled = pulledImages(mix);
  return async (run) => {
    const { world, count } = run;
    const images = await pulled(run);
    const pushed = imagesOf(world, world.newRepository("mixed"), Math.ceil(count / 4), mix);
    return async (index) => {
      if (index % 4 !== 3) return world.pullImage(at(images, index % images.length));
      const image = at(pushed, Math.floor(index / 4));
      await world.pushImage(image);
      return { bytes: bytesOf(image), firstByteMs: null };
    };
  };
}

/** Images of many layers, each pulled once. */
export function pullLayers(layers: number, sizeBytes: number): Prepare {
  return async ({ world, count }) => {
    const sizes = Array.from({ length: layers }, () => sizeBytes);
    const repository = world.newRepository("layers");
    const images = numbered(count, (index) => world.newImage(repository, `v${index}`, sizes));
    await each(images, (image) => world.pushImage(image), 2);
    return (index) => world.pullImage(at(images, index));
  };
}

/** Each blob is another: an upload of a known one would be cheaper. */
export function pushBlobs(sizeBytes: number, way: Way = "whole"): Prepare {
  return async ({ world, count }) => {
    const contents = numbered(count, () => world.newContent(sizeBytes));
    const repository = world.repository("blobs");
    return async (index) => {
      await world.pushBlob(repository, at(contents, index), way);
      return { bytes: sizeBytes, firstByteMs: null };
    };
  };
}

/** Reads so many blobs of a size in turn. */
export function readBlobs(sizeBytes: number, blobs = 1): Prepare {
  const pushed = oncePerWorld(async ({ world }) => {
    const contents = numbered(blobs, () => world.newContent(sizeBytes));
    await each(contents, (content) => world.pushBlob(world.repository("reads"), content), 4);
    return contents;
  });
  return async (run) => {
    const contents = await pushed(run);
    const repository = run.world.repository("reads");
    return async (index) => {
      const content = at(contents, index % contents.length);
      const { firstByteMs } = await run.world.pullBlob(repository, content);
      return { bytes: sizeBytes, firstByteMs };
    };
  };
}

export function mountBlobs(): Prepare {
  return async ({ client, world, count }) => {
    const [from, target] = [world.newRepository("source"), world.newRepository("target")];
    const contents = numbered(count, () => world.newContent(1_000));
    await each(contents, (content) => world.pushBlob(from, content));
    return async (index) => {
      const { digest } = at(contents, index);
      const query = [
        ["mount", digest],
        ["from", from],
      ] as const;
      const exchange = await client.uploadStart(target, query);
      expectStatus("POST of a mount", exchange, [201]);
      return nothing;
    };
  };
}

/** Manifests over the same blobs, each with a tag of its own, into a repository that has so many tags before. */
export function pushManifests(tags = 0): Prepare {
  const filled = filledWithTags(tags);
  return async (run) => {
    const { world, count } = run;
    const base =
      tags > 0
        ? await filled(run)
        : await pushedImage(world, world.newRepository("manifests"), [1_000]);
    const round = crypto.randomUUID().slice(0, 8);
    const names = numbered(count, (index) => `${round}-${index}`);
    const manifests = names.map((label) => newManifest({ ...base, label }));
    return async (index) => {
      const manifest = at(manifests, index);
      await world.putManifest(base.repository, at(names, index), manifest);
      return { bytes: manifest.bytes.length, firstByteMs: null };
    };
  };
}

export function readManifest(
  method: "manifestHead" | "manifestGet",
  by: "digest" | "tag",
): Prepare {
  return async ({ client, world }) => {
    const image = await pushedImage(world, world.repository("manifest"), [1_000]);
    const reference = by === "digest" ? image.manifest.digest : image.tag;
    return async () => {
      const exchange = await client[method](image.repository, reference, acceptManifests);
      expectStatus(`${method === "manifestGet" ? "GET" : "HEAD"} of a manifest`, exchange, [200]);
      return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
    };
  };
}

const tagsOnPage = "100";

/** The first page of 100 tags and, where there are more, one from the middle, in turn. */
export function listTags(tags: number): Prepare {
  const filled = filledWithTags(tags);
  return async (run) => {
    const { repository } = await filled(run);
    const first = [["n", tagsOnPage]] as const;
    const middle = [...first, ["last", tagName(Math.floor(tags / 2))]] as const;
    const pages = tags > Number(tagsOnPage) ? [first, middle] : [first];
    return async (index) => {
      const exchange = await run.client.tagsList(repository, at(pages, index % pages.length));
      expectStatus("GET of tags", exchange, [200]);
      return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
    };
  };
}

/** The referrers of one of the subjects among so many manifests; each subject has as many. */
export function listReferrers(referrers: number, manifests = referrers + 1): Prepare {
  const filled = oncePerWorld(async ({ world }) => {
    const base = await pushedImage(world, world.repository(`referrers-${manifests}`), [1_000]);
    const subjects = numbered(Math.floor(manifests / (referrers + 1)), (index) =>
      newManifest({ ...base, label: `s${index}` }),
    );
    await each(subjects, async (subject) => {
      await world.putManifest(base.repository, subject.digest, subject);
      for (let index = 0; index < referrers; index += 1) {
        const of = { digest: subject.digest, size: subject.bytes.length };
        const manifest = newManifest({ ...base, subject: of, label: `r${index}` });
        await world.putManifest(base.repository, manifest.digest, manifest);
      }
    });
    const { digest } = at(subjects, Math.floor(subjects.length / 2));
    return { repository: base.repository, digest };
  });
  return async (run) => {
    const { repository, digest } = await filled(run);
    return async () => {
      const exchange = await run.client.referrers(repository, digest);
      expectStatus("GET of referrers", exchange, [200]);
      return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
    };
  };
}

/** The version check, with the login that the client has. */
export function logIn(): Prepare {
  return async ({ client }) =>
    async () => {
      const exchange = await client.ping();
      expectStatus("GET of /v2/", exchange, [200]);
      return { bytes: exchange.bodyBytes, firstByteMs: exchange.firstByteMs };
    };
}

/** Other operations while slow readers sit on open downloads of one large blob. */
export function besideSlowReaders(
  slow: { readonly readers: number; readonly sizeBytes: number; readonly pauseMs: number },
  beside: Prepare,
): Prepare {
  return async (run) => {
    const { world, count } = run;
    const operation = await beside(run);
    const large = world.newContent(slow.sizeBytes);
    await world.pushBlob(world.repository("slow"), large);
    const done = new AbortController();
    const readers = numbered(slow.readers, () =>
      readSlowly(world, large, { pauseMs: slow.pauseMs, signal: done.signal }),
    );
    await Promise.all(readers.map(({ started }) => started));
    let left = count;
    return async (index) => {
      try {
        return await operation(index);
      } finally {
        left -= 1;
        if (left === 0) {
          done.abort();
          await Promise.all(readers.map(({ ended }) => ended));
        }
      }
    };
  };
}

/** Reads again and again until told to stop, resting after each piece. `ended` rejects when it was cut off before. */
function readSlowly(
  world: World,
  content: Content,
  { pauseMs, signal }: { readonly pauseMs: number; readonly signal: AbortSignal },
): { started: Promise<void>; ended: Promise<void> } {
  const start = Promise.withResolvers<void>();
  const rest = async (): Promise<void> => {
    start.resolve();
    if (signal.aborted) throw new Error("enough read");
    await systemClock.sleep(pauseMs);
  };
  const read = async (): Promise<void> => {
    while (!signal.aborted) await world.pullBlob(world.repository("slow"), content, rest);
  };
  const ended = read().catch((error: unknown) => {
    start.reject(error);
    if (!signal.aborted) throw error;
  });
  // Who waits for the end is told; until then a failure is not an unhandled one.
  ended.catch(() => {});
  return { started: start.promise, ended };
}

/** Made at the first round of a world, and the same in the others. */
function oncePerWorld<T>(make: (run: Run) => Promise<T>): (run: Run) => Promise<T> {
  const made = new WeakMap<World, Promise<T>>();
  return (run) => {
    const known = made.get(run.world) ?? make(run);
    made.set(run.world, known);
    return known;
  };
}

function filledWithTags(tags: number): (run: Run) => Promise<Image> {
  return oncePerWorld(async ({ world }) => {
    const image = await pushedImage(world, world.repository(`tags-${tags}`), [1_000]);
    const names = numbered(tags - 1, tagName);
    await each(names, (tag) => world.putManifest(image.repository, tag, image.manifest));
    return image;
  });
}

function tagName(index: number): string {
  return `t${String(index).padStart(6, "0")}`;
}

/** One image of each size of the mix, in its proportion of ten. */
function pulledImages(mix: readonly Mix[]): (run: Run) => Promise<Image[]> {
  return oncePerWorld(async ({ world }) => {
    const images = imagesOf(world, world.repository("pulled"), mix.length === 1 ? 2 : 10, mix);
    await each(images, (image) => world.pushImage(image), 2);
    return images;
  });
}

async function pushedImage(
  world: World,
  repository: string,
  layers: readonly number[],
): Promise<Image> {
  const image = world.newImage(repository, "latest", layers);
  await world.pushImage(image);
  return image;
}

function imagesOf(world: World, repository: string, count: number, mix: readonly Mix[]): Image[] {
  return numbered(count, (index) =>
    world.newImage(repository, `v${index}`, [sizeAt(mix, index, count)]),
  );
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
