/** What this process knows of the room on the disk, for `giving_way.ts`. */
export class RoomSeen {
  /** When room to spare was seen last, on the monotonic clock. */
  spareAtMs = Number.NEGATIVE_INFINITY;
  /** What is being removed; null while nothing is. */
  removing: Promise<void> | null = null;
}
