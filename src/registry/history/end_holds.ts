/**
 * Ends holds: held content goes when its window is over, and the oldest first while the disk is short or
 * more is held than may be. Undo never fills a disk.
 */
import { collection } from "../../metadata/collection.ts";
import type { HeldRecord } from "../../metadata/past.ts";
import { recordCommit } from "../../metadata/records.ts";
import { CollectionClock } from "../collection/collection_clock.ts";
import type { Disk } from "../../storage/blob_store.ts";
import type { Registry } from "../registry.ts";
import { sweepOrphans } from "../sweep_orphans.ts";
import { leastFree } from "./undo_settings.ts";

/** What goes at once; between two such rounds others have their turn. */
const sliceMax = 256;
/** Where others lie on other disks, so many times as much is looked through for what lies on one. */
const othersFactor = 16;
/** Until more goes where that was not enough: what went is to be swept first. */
const stillShortMs = 500;
/** Until the disk is looked at again while there is something that could give way. */
const lookAgainMs = 10_000;

/** The job, which believes no clock that jumped ahead: held content and pins wait for as long again. */
export function endHoldsJob(registry: Registry): (signal: AbortSignal) => Promise<number | null> {
  const { metadata, clock, report } = registry;
  const holds = new CollectionClock({
    name: "clock of holds",
    clock,
    // Collection tells of a jump.
    report: (level, message, fields) => {
      if (level === "error") report(level, message, fields);
    },
    reads: metadata.records(collection),
    commit: async (change) => {
      await metadata.commit(recordCommit(collection, change));
    },
  });
  return async (signal) => {
    const { items } = await metadata.past.heldTotals();
    const [pin] = await metadata.past.endedPins(Number.MAX_SAFE_INTEGER, 1);
    await holds.look({ isWaiting: items > 0 || pin !== undefined });
    return endHolds(registry, signal, (ms) => holds.dueUntil(ms));
  };
}

/** One run. Gives how soon to come again; null for the usual time. */
export async function endHolds(
  registry: Registry,
  signal?: AbortSignal,
  dueUntil = (ms: number): number => registry.clock.now() - ms,
): Promise<number | null> {
  const { metadata } = registry;
  for (;;) {
    if (signal?.aborted === true) return null;
    const due = await metadata.past.heldSince(dueUntil(registry.undo().windowMs), sliceMax);
    await release(registry, due);
    if (due.length < sliceMax) break;
  }
  const { pinMs } = registry.undo();
  await unpin(registry, dueUntil(pinMs) + pinMs);
  const { items, bytes } = await metadata.past.heldTotals();
  if (items === 0) return null;
  let isShort = false;
  for (const { disk, shortBytes } of await shortDisks(registry, bytes)) {
    isShort = true;
    await giveWay(registry, disk, shortBytes);
  }
  if (!isShort) return lookAgainMs;
  await sweepOrphans(registry, { signal });
  return stillShortMs;
}

/** A part of the disk that a push which found no room may ask for again. */
const askedAgainPart = 0.05;

/** A push found no room, though the disk may have as much as should be free: what undo holds goes before it is refused again. */
export async function makeRoom(registry: Registry): Promise<void> {
  const { blobs } = registry;
  let fullest: { disk: Disk; totalBytes: number; freePart: number } | null = null;
  for (const disk of blobs.disks) {
    const room = await blobs.room(disk.example);
    if (room === null) continue;
    const freePart = room.freeBytes / Math.max(room.totalBytes, 1);
    if (fullest !== null && freePart >= fullest.freePart) continue;
    fullest = { disk, totalBytes: room.totalBytes, freePart };
  }
  if (fullest === null) return;
  await giveWay(registry, fullest.disk, fullest.totalBytes * askedAgainPart);
}

const anywhere: Disk = { example: null, has: () => true };

/** Ends the oldest holds of what lies on a disk, of so many bytes together. */
export async function giveWay(
  registry: Registry,
  { has }: Pick<Disk, "has">,
  bytes: number,
): Promise<void> {
  const isOne = registry.blobs.disks.length === 1;
  const limit = isOne ? sliceMax : sliceMax * othersFactor;
  const held = await registry.metadata.past.heldSince(Number.MAX_SAFE_INTEGER, limit);
  const oldest = held.filter(({ repository }) => has(repository)).slice(0, sliceMax);
  const going = enoughOf(await imageByImage(registry, oldest), bytes);
  if (going.length === 0) return;
  await release(registry, going);
  registry.report("warn", "what was held for an undo goes before its time: space is short", {
    items: going.length,
    bytes: sum(going),
  });
}

/** Bytes that nothing holds any more and that the sweep has not removed yet: it waits until index.json is written. */
async function waitingBytes(
  { metadata, blobs }: Registry,
  { has }: Pick<Disk, "has">,
): Promise<number> {
  const orphans = (await metadata.orphans(sliceMax)).filter(({ repository }) => has(repository));
  const looks = await Promise.all(
    orphans.map(({ repository, digest }) => blobs.lookAt(repository, digest)),
  );
  return looks.reduce((bytes, look) => bytes + (look?.sizeBytes ?? 0), 0);
}

interface ShortDisk {
  readonly disk: Pick<Disk, "has">;
  readonly shortBytes: number;
}

/** What must go where, so that no more is held than may be and as much of each disk is free as should. */
async function shortDisks(registry: Registry, heldBytes: number): Promise<ShortDisk[]> {
  const { bytesMax, minFree } = registry.undo();
  const beyond = bytesMax === null ? 0 : heldBytes - bytesMax;
  const short: ShortDisk[] = [];
  for (const disk of registry.blobs.disks) {
    const room = await registry.blobs.room(disk.example);
    if (room === null) continue;
    const missing = leastFree(minFree, room.totalBytes) - room.freeBytes;
    // What went already, and is about to be swept, is not to go twice.
    const shortBytes = missing <= 0 ? 0 : missing - (await waitingBytes(registry, disk));
    if (shortBytes > 0) short.push({ disk, shortBytes });
  }
  const going = short.reduce((bytes, { shortBytes }) => bytes + shortBytes, 0);
  return beyond > going ? [{ disk: anywhere, shortBytes: beyond }] : short;
}

/**
 * In the order in which they go: behind each manifest the blobs that no other held one names, so that what is left can
 * be brought back whole. What retention removed at one moment is all equally old.
 */
async function imageByImage(
  { metadata }: Registry,
  oldest: readonly HeldRecord[],
): Promise<readonly HeldRecord[]> {
  const ordered = new Map<string, HeldRecord>();
  const parentsGoing = new Map<string, number>();
  const add = (held: HeldRecord): void => {
    const name = `${held.repository} ${held.digest}`;
    if (!ordered.has(name)) ordered.set(name, held);
  };
  for (const held of oldest) {
    add(held);
    const { repository, since } = held;
    for (const blob of await metadata.past.heldNamedBy(repository, held.digest)) {
      const name = `${repository} ${blob.digest}`;
      const going = (parentsGoing.get(name) ?? 0) + 1;
      parentsGoing.set(name, going);
      if (going >= blob.parents) add({ ...blob, repository, since });
    }
  }
  return [...ordered.values()];
}

/** As many of the oldest as have so many bytes; one at least. */
function enoughOf(oldest: readonly HeldRecord[], bytes: number): readonly HeldRecord[] {
  let left = bytes;
  const past = oldest.findIndex(({ sizeBytes }) => {
    left -= sizeBytes;
    return left <= 0;
  });
  return past === -1 ? oldest : oldest.slice(0, past + 1);
}

function sum(held: readonly HeldRecord[]): number {
  return held.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
}

async function release({ metadata }: Registry, held: readonly HeldRecord[]): Promise<void> {
  await Promise.all(
    held.map(({ repository, digest }) =>
      metadata.commit({
        repository,
        preconditions: [],
        changes: [{ kind: "release-held", digest }],
        by: null,
      }),
    ),
  );
}

async function unpin({ metadata }: Registry, until: number): Promise<void> {
  const ended = await metadata.past.endedPins(until, sliceMax);
  await Promise.all(
    ended.map(({ repository, digest }) =>
      metadata.commit({
        repository,
        preconditions: [],
        changes: [{ kind: "unpin", digest }],
        by: null,
      }),
    ),
  );
}
