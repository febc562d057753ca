/**
 * Where the bytes of an upload are cut that comes in several requests, of which nobody knows the last one.
 *
 * Up to one part they are an object of their own, which is content when nothing follows. More are parts of one object,
 * all of the same size within a request; what is too little for a part waits in an object of its own, and is sent again
 * with what follows. Parts grow with their number, so that uploads of any length have few enough.
 */
import { MiB } from "../../lib/bytes.ts";
import type { ObjectLimits } from "./object_store.ts";
import { partBytesMin, partsMax } from "./write_object.ts";

/** Less is no part, but for the last one, whatever the store takes. */
const shortPartBytesMin = 5 * MiB;
/** After so many parts the next ones are twice as long. */
const partsPerSize = 1_000;

export interface Cut {
  /** How many parts, of `partBytes`, the last of which may be shorter. */
  readonly parts: number;
  readonly partBytes: number;
  /** What is left behind them. */
  readonly tailBytes: number;
}

/** Bytes up to which an object is put in one request. */
export function wholeBytesMax(limits: ObjectLimits): number {
  return Math.min(Math.max(partBytesMin, limits.partBytesMin), limits.putBytesMax);
}

/** The length from which on a chunk leaves no tail. */
export function chunkBytesMin(limits: ObjectLimits): number {
  return Math.max(shortPartBytesMin, limits.partBytesMin);
}

/** Cuts bytes that come behind parts; the last ones leave no tail. */
export function cutParts(
  bytes: number,
  { storedParts, isLast }: { readonly storedParts: number; readonly isLast: boolean },
  limits: ObjectLimits,
): Cut {
  const growth = 2 ** Math.floor(storedParts / partsPerSize);
  const isShort = bytes < chunkBytesMin(limits) * growth;
  const isWhole = storedParts === 0 && bytes <= wholeBytesMax(limits);
  if (!isLast && (isShort || isWhole)) return { parts: 0, partBytes: 0, tailBytes: bytes };
  if (bytes === 0) return { parts: 0, partBytes: 0, tailBytes: 0 };
  const fitting = Math.floor(bytes / (Math.max(partBytesMin, limits.partBytesMin) * growth));
  const all = Math.min(limits.partsMax, storedParts < partsMax ? partsMax : Infinity);
  const parts = Math.min(Math.max(fitting, 1), Math.max(all - storedParts, 1));
  return { parts, partBytes: Math.ceil(bytes / parts), tailBytes: 0 };
}
