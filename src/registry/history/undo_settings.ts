/** How long removed content is held for an undo, and when it gives way: `storage.undo` and `storage.minFree`. */

export interface UndoSettings {
  /** How long removed content is held; 0 holds nothing. */
  readonly windowMs: number;
  /** How long retention leaves alone what was brought back. */
  readonly pinMs: number;
  /** Bytes that are held at most; null for no limit. */
  readonly bytesMax: number | null;
  /** While less of the disk is free, held content goes. */
  readonly minFree: FreeSpace;
}

/** A part of the disk from 0 to 1, or bytes. */
export type FreeSpace = { readonly part: number } | { readonly bytes: number };

/** The same in bytes, of a disk of this size. */
export function leastFree(minFree: FreeSpace, totalBytes: number): number {
  return "part" in minFree ? Math.floor(minFree.part * totalBytes) : minFree.bytes;
}

/** What the configuration says. */
export function undoSettings(storage: {
  readonly undo: { readonly window: number; readonly pin: number; readonly maxBytes: number };
  readonly minFree: FreeSpace;
}): UndoSettings {
  const { undo, minFree } = storage;
  return {
    windowMs: undo.window,
    pinMs: undo.pin,
    bytesMax: undo.maxBytes === 0 ? null : undo.maxBytes,
    minFree,
  };
}
