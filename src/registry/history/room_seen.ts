/** What this process knows of the room on each disk, for `giving_way.ts`. */
import type { Disk } from "../../storage/blob_store.ts";

export class RoomSeen {
  readonly #disks = new Map<string | null, SeenDisk>();

  of({ example }: Disk): SeenDisk {
    let seen = this.#disks.get(example);
    if (seen === undefined) {
      seen = new SeenDisk();
      this.#disks.set(example, seen);
    }
    return seen;
  }
}

class SeenDisk {
  /** When room to spare was seen last, on the monotonic clock. */
  spareAtMs = Number.NEGATIVE_INFINITY;
  /** What is being removed; null while nothing is. */
  removing: Promise<void> | null = null;
}
