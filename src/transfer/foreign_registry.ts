/** The contract of a whole registry of another kind, which is read repository by repository. */
import type { ImageSource } from "./image_place.ts";

export interface ForeignImage {
  /** A tag or a digest. */
  readonly reference: string;
  /** Null: it is reached by its digest alone. */
  readonly tag: string | null;
  /** When the tag was set, in milliseconds since the epoch, as far as files tell; null where nothing does. */
  readonly at: number | null;
}

export interface ForeignRepository {
  readonly name: string;
  readonly source: ImageSource;
  /** Tags in the order of their times, then what has none. */
  readonly images: () => Promise<readonly ForeignImage[]>;
}

export interface ForeignRegistry {
  /** What people call it; the same each time. */
  readonly label: string;
  /** One after the other: each is closed by whoever got it. @throws TransferError where there is no such registry. */
  repositories(): AsyncIterable<ForeignRepository>;
  close(): Promise<void>;
}

/** What was set first comes first: so is the history that is made of it. */
export function inTime(images: readonly ForeignImage[]): ForeignImage[] {
  const [tagged, others] = [
    images.filter(({ tag }) => tag !== null),
    images.filter(({ tag }) => tag === null),
  ];
  return [...tagged.toSorted((one, other) => (one.at ?? 0) - (other.at ?? 0)), ...others];
}
