/**
 * THE table of `zot bench`: the workloads of the benchmark of zot (Go), and some that it lacks.
 *
 * Adding one is adding a row. Sizes are decimal (1 MB = 1,000,000 bytes), as in the names of zot's.
 */
import type { Scenario } from "./scenario.ts";
import {
  besideSlowReaders,
  listCatalog,
  listReferrers,
  listTags,
  logIn,
  type Mix,
  mixOf,
  mountBlobs,
  pullAndPushImages,
  pullImages,
  pullLayers,
  pushBlobs,
  pushImages,
  pushManifests,
  readBlobs,
  readManifest,
} from "./workloads.ts";

const kilobyte = 1_000;
const megabyte = 1_000_000;
/** Slow readers take this much, then rest. */
const slowReadPauseMs = 5;

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
const ways = [
  { name: "monolith", way: "whole", says: "whole blobs" },
  { name: "chunk", way: "chunks", says: "in chunks" },
  { name: "stream", way: "stream", says: "blobs of unknown length" },
] as const;

export const scenarios: readonly Scenario[] = [
  { name: "catalog", title: "Get the catalog", share: 1, prepare: listCatalog() },
  ...ways.flatMap(({ name, way, says }) =>
    sizes.map(({ label, sizeBytes, share }) => ({
      name: `push-${name}-${label}`,
      title: `Push images of ${label}, ${says}`,
      share,
      prepare: pushImages(mixOf(sizeBytes), way),
    })),
  ),
  ...sizes.map(({ label, sizeBytes, share }) => ({
    name: `pull-${label}`,
    title: `Pull images of ${label}`,
    share,
    prepare: pullImages(mixOf(sizeBytes)),
  })),
  {
    name: "pull-mixed",
    title: "Pull images, 20 % 1 MB, 70 % 10 MB, 10 % 100 MB",
    share: 0.2,
    prepare: pullImages(pullMix),
  },
  {
    name: "push-monolith-mixed",
    title: "Push images of that mix, whole blobs",
    share: 0.1,
    prepare: pushImages(pullMix, "whole"),
  },
  {
    name: "push-chunk-mixed",
    title: "Push images of 1, 10 and 100 MB evenly, in chunks",
    share: 0.05,
    prepare: pushImages(evenMix, "chunks"),
  },
  ...sizes.map(({ label, sizeBytes, share }) => ({
    name: `pull-75-push-25-${label}`,
    title: `Pull 75 %, push 25 %, images of ${label}`,
    share,
    prepare: pullAndPushImages(sizeBytes),
  })),
  {
    name: "push-blob-1kb",
    title: "Push blobs of 1 kB",
    share: 2,
    prepare: pushBlobs(1 * kilobyte),
  },
  {
    name: "get-blob-1kb",
    title: "Get a blob of 1 kB",
    share: 10,
    prepare: readBlobs(1 * kilobyte),
  },
  {
    name: "get-blob-64kb",
    title: "Get a blob of 64 kB",
    share: 10,
    prepare: readBlobs(64 * kilobyte),
  },
  {
    name: "push-manifest",
    title: "Push manifests by tag over the same blobs",
    share: 2,
    prepare: pushManifests(),
  },
  {
    name: "head-manifest-by-digest",
    title: "HEAD of a manifest by digest",
    share: 10,
    prepare: readManifest("manifestHead", "digest"),
  },
  {
    name: "head-manifest-by-tag",
    title: "HEAD of a manifest by tag",
    share: 10,
    prepare: readManifest("manifestHead", "tag"),
  },
  {
    name: "get-manifest-by-tag",
    title: "Get a manifest by tag",
    share: 10,
    prepare: readManifest("manifestGet", "tag"),
  },
  ...[10, 1_000, 10_000].map((tags) => ({
    name: `tags-${tags}`,
    title: `List 100 tags of ${tags.toLocaleString("en")}`,
    share: 5,
    prepare: listTags(tags),
  })),
  {
    name: "referrers",
    title: "List 10 referrers of an image",
    share: 5,
    prepare: listReferrers(10),
  },
  {
    name: "mount",
    title: "Mount a blob into another repository",
    share: 2,
    prepare: mountBlobs(),
  },
  {
    name: "login",
    title: "Version check with the login that was given",
    share: 5,
    prepare: logIn(),
  },
  {
    name: "pull-20-layers",
    title: "Pull images of 20 layers of 1 MB, each image once",
    share: 0.05,
    prepare: pullLayers(20, 1 * megabyte),
  },
  {
    name: "slow-readers",
    title:
      "50 slow readers of a blob of 100 MB, and beside them quick reads of 1 kB that are measured",
    share: 5,
    prepare: besideSlowReaders(
      { readers: 50, sizeBytes: 100 * megabyte, pauseMs: slowReadPauseMs },
      readBlobs(1 * kilobyte),
    ),
  },
];
