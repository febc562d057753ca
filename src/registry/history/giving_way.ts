/**
 * What undo holds gives way to pushes before they are refused: a push that finds less of the disk free than it needs
 * waits until enough was removed, and no longer than a bound. A body whose length nobody says is watched on its way in.
 *
 * The job (`end_holds.ts`) keeps as much free as should be, and looks every few seconds: a fast burst fills a small disk
 * in between.
 */
import { must } from "../../lib/assert.ts";
import { KiB, MiB } from "../../lib/bytes.ts";
import type { Disk } from "../../storage/blob_store.ts";
import { isFull } from "../explain_failure.ts";
import type { Registry } from "../registry.ts";
import { sweepOrphans } from "../sweep_orphans.ts";
import { giveWay } from "./end_holds.ts";
import { leastFree } from "./undo_settings.ts";

/** A push waits no longer than that for space. */
export const givingWayMaxMs = 10_000;
/** A disk that had room to spare is looked at again after that, and while a body of unknown length comes in. */
export const roomLookEveryMs = 100;
/** Between two tries, the first and the longest: what goes may have to leave an `index.json` first. */
const pauseMinMs = 20;
const pauseMaxMs = 500;
/** Files that one try removes at most. */
const sweptMax = 256;
/** What a push needs beside its bytes: rows, a log, an `index.json`; a small disk has less for them. */
const besideBytes = 2 * MiB;
const besidePart = 0.05;
/** Bodies that are smaller need no more than that. */
const smallBytes = 64 * KiB;
/**
 * What is kept free ahead of a body: this much, and no more than a part of the disk. More gives way only for bytes that
 * come: whoever announces many and sends none takes no more than that from others' undo.
 */
const aheadBytesMax = 256 * MiB;
const aheadPart = 0.2;

/** How much is free, and what of that a push of so many bytes leaves too little of. */
interface Looked {
  /** Bytes without which the push fails. */
  readonly missingBytes: number;
  /** Bytes without which less is free than should be. */
  readonly shortBytes: number;
}

/** A body that is to be stored. */
export interface Wanted {
  /** Whose disk it is; null for that of the metadata. */
  readonly repository: string | null;
  /** Null where nobody says. */
  readonly lengthBytes: number | null;
}

function diskOf({ blobs: { disks } }: Registry, { repository }: Wanted): Disk {
  const found = disks.find(({ example, has }) =>
    repository === null ? example === null : has(repository),
  );
  return must(found, "every repository lies somewhere");
}

/** Waits for space where a body of this length would find none; null for one that nobody says. */
export async function spaceFor(registry: Registry, wanted: Wanted): Promise<void> {
  const { clock, roomSeen } = registry;
  const { lengthBytes } = wanted;
  const isSmall = lengthBytes !== null && lengthBytes <= smallBytes;
  const { spareAtMs } = roomSeen.of(diskOf(registry, wanted));
  if (isSmall && clock.monotonicMs() < spareAtMs + roomLookEveryMs) return;
  await makeSpace(registry, wanted);
}

/** Runs what takes a body; space is made ahead of it while one comes that is long, or of unknown length. */
export async function takingSpace<T>(
  registry: Registry,
  wanted: Wanted,
  work: () => Promise<T>,
): Promise<T> {
  const { lengthBytes } = wanted;
  await spaceFor(registry, wanted);
  if (lengthBytes !== null && lengthBytes <= smallBytes) return work();
  const done = new AbortController();
  const watching = watch(registry, wanted, done.signal);
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
  }
}

/**
 * Does what can be done again; where the disk is full, once more when something gave way. The repository says which
 * disk; null is that of the metadata.
 */
export async function withSpace<T>(
  registry: Registry,
  repository: string | null,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFull(error) || !(await makeSpace(registry, { repository, lengthBytes: null })))
      throw error;
    return work();
  }
}

async function watch(registry: Registry, wanted: Wanted, signal: AbortSignal): Promise<void> {
  for (;;) {
    await registry.clock.sleep(roomLookEveryMs, signal);
    if (signal.aborted) return;
    const { shortBytes } = await look(registry, wanted);
    if (shortBytes > 0) await remove(registry, diskOf(registry, wanted), shortBytes);
  }
}

/** Whether something gave way. */
async function makeSpace(registry: Registry, wanted: Wanted): Promise<boolean> {
  const { clock } = registry;
  const disk = diskOf(registry, wanted);
  const endMs = clock.monotonicMs() + givingWayMaxMs;
  let [hasGiven, pauseMs, lastBytes] = [false, pauseMinMs, Number.POSITIVE_INFINITY];
  for (;;) {
    const { missingBytes, shortBytes } = await look(registry, wanted);
    if (shortBytes <= 0 || !(await isYielding(registry))) return hasGiven;
    if (missingBytes >= lastBytes) {
      if (clock.monotonicMs() >= endMs) return hasGiven;
      await clock.sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, pauseMaxMs);
    }
    lastBytes = missingBytes;
    const going = remove(registry, disk, shortBytes);
    // There is enough for this one: it need not wait.
    if (missingBytes <= 0) return hasGiven;
    await going;
    hasGiven = true;
  }
}

async function look(registry: Registry, wanted: Wanted): Promise<Looked> {
  const { blobs, undo, clock, roomSeen } = registry;
  const { repository, lengthBytes } = wanted;
  const room = await blobs.room(repository);
  // What undo holds is no room for what comes.
  if (room === null) return { missingBytes: 0, shortBytes: 0 };
  const { freeBytes, totalBytes } = room;
  const ahead = Math.min(aheadBytesMax, totalBytes * aheadPart);
  const beside = Math.min(besideBytes, totalBytes * besidePart);
  const missingBytes = Math.min(lengthBytes ?? ahead, ahead) + beside - freeBytes;
  const least = leastFree(undo().minFree, totalBytes);
  const shortBytes = missingBytes + Math.max(least - beside, 0);
  if (shortBytes <= 0) {
    roomSeen.of(diskOf(registry, wanted)).spareAtMs = clock.monotonicMs();
  }
  return { missingBytes, shortBytes };
}

/** One at a time: those that come meanwhile wait for it, and look again. */
function remove(registry: Registry, disk: Disk, bytes: number): Promise<void> {
  const seen = registry.roomSeen.of(disk);
  seen.removing ??= release(registry, disk, bytes)
    .catch((error: unknown) => {
      registry.report("error", "held content could not give way", { error: String(error) });
    })
    .finally(() => {
      seen.removing = null;
    });
  return seen.removing;
}

/** Whether anything is held, or waits to be removed. */
async function isYielding({ metadata }: Registry): Promise<boolean> {
  const { items } = await metadata.past.heldTotals();
  return items > 0 || (await metadata.orphans(1)).length > 0;
}

async function release(registry: Registry, disk: Disk, bytes: number): Promise<void> {
  // What went before is on its way out, and may be enough.
  const swept = await sweepOrphans(registry, { limit: sweptMax });
  if (swept > 0) return;
  await giveWay(registry, disk, bytes);
  await sweepOrphans(registry, { limit: sweptMax });
}
