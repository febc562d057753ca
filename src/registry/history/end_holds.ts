/**
 * Ends the time for undos: held content goes when its window is over, and the oldest first while the disk is short or
 * more is held than may be. Undo never fills a disk.
 */
import type { HeldRecord } from "../../metadata/past.ts";
import type { FreeSpace, Registry } from "../registry.ts";
import { sweepOrphans } from "../sweep_orphans.ts";

/** What goes in one commit round; between two of them others have their turn. */
const sliceMax = 256;
/** Until the disk is looked at again, where held content is what could give way. */
const lookAgainMs = 10_000;

export interface EndedHolds {
  /** Rows whose window was over. */
  readonly due: number;
  /** Rows that went before, for want of space. */
  readonly early: number;
}

/** One run of the job. */
export async function endHolds(registry: Registry, signal?: AbortSignal): Promise<EndedHolds> {
  const due = await endDue(registry, signal);
  const early = await endEarly(registry, signal);
  await unpin(registry, signal);
  return { due, early };
}

/** When to come again: soon while there is something that could give way; null for the usual time. */
export async function holdsLookAgain(registry: Registry): Promise<number | null> {
  const { items } = await registry.metadata.past.heldTotals();
  return items > 0 ? lookAgainMs : null;
}

async function endDue(registry: Registry, signal: AbortSignal | undefined): Promise<number> {
  const { metadata, clock } = registry;
  let ended = 0;
  while (signal?.aborted !== true) {
    const until = clock.now() - registry.undo().windowMs;
    const slice = await metadata.past.heldSince(until, sliceMax);
    await release(registry, slice);
    ended += slice.length;
    if (slice.length < sliceMax) break;
  }
  return ended;
}

async function endEarly(registry: Registry, signal: AbortSignal | undefined): Promise<number> {
  let ended = 0;
  while (signal?.aborted !== true && (await isShort(registry))) {
    const slice = await registry.metadata.past.heldSince(Number.MAX_SAFE_INTEGER, sliceMax);
    if (slice.length === 0) break;
    await release(registry, await enoughOf(registry, slice));
    ended += slice.length;
    // The disk has more only when the bytes are gone.
    await sweepOrphans(registry, signal);
  }
  return ended;
}

/** Whether more is held than may be, or less of the disk is free than should. */
async function isShort(registry: Registry): Promise<boolean> {
  const { bytesMax, minFree } = registry.undo();
  const { bytes, items } = await registry.metadata.past.heldTotals();
  if (items === 0) return false;
  if (bytesMax !== null && bytes > bytesMax) return true;
  const room = await registry.blobs.room();
  return room !== null && room.freeBytes < leastFree(minFree, room.totalBytes);
}
