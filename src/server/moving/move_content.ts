/**
 * Moves the content of a registry into another one's stores: bytes once for each digest, proven on the way, and a further
 * name for each repository that has them. What is there already is left alone, since nothing but proven bytes gets there.
 */
import { assert } from "../../lib/assert.ts";
import type { ContentRow } from "../../metadata/rows/content_rows.ts";
import type { Digest } from "../../oci/digest.ts";
import { copyContent } from "../../storage/copy_content.ts";
import type { Stores } from "../../storage/stores.ts";
import type { Amount, Arrival, MoveEvent } from "./move_events.ts";

export interface ContentMove {
  readonly from: Pick<Stores, "blobs">;
  readonly to: Pick<Stores, "blobs" | "uploads">;
  /** Whether the target keeps content of two repositories once. */
  readonly dedupes: (one: string, other: string) => boolean;
  /** Digests at once. */
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: MoveEvent) => void;
  readonly onLost: (content: ContentRow) => Promise<void>;
}

export type Amounts = Readonly<Record<Arrival, Amount>>;

/** @throws what a store throws, and where it was told to stop. */
export async function moveContent(
  pages: AsyncIterable<readonly ContentRow[]>,
  move: ContentMove,
): Promise<Amounts> {
  const mover = new Mover(move);
  const running = new Set<Promise<void>>();
  const failed: unknown[] = [];
  let before: { readonly digest: Digest; readonly moved: Promise<void> } | null = null;
  for await (const rows of pages) {
    for (const group of Map.groupBy(rows, ({ digest }) => digest).values()) {
      if (running.size >= move.parallel) await Promise.race(running);
      if (failed.length > 0) break;
      const digest = group[0]?.digest;
      assert(digest !== undefined, "a group has a row");
      // A digest that goes on from the page before finds there what it can share.
      const after = before?.digest === digest ? before.moved : Promise.resolve();
      const moved: Promise<void> = after
        .then(() => mover.move(group))
        .catch((error: unknown) => void failed.push(error))
        .finally(() => running.delete(moved));
      running.add(moved);
      before = { digest, moved };
    }
    if (failed.length > 0) break;
  }
  await Promise.all(running);
  if (failed.length > 0) throw failed[0];
  return mover.amounts;
}

class Mover {
  readonly #move: ContentMove;
  readonly amounts: Record<Arrival, { contents: number; bytes: number }> = {
    sent: { contents: 0, bytes: 0 },
    shared: { contents: 0, bytes: 0 },
    there: { contents: 0, bytes: 0 },
    lost: { contents: 0, bytes: 0 },
  };
  /** Of the digest that was moved last: who has it in the target. */
  readonly #holders = new Map<Digest, string>();

  constructor(move: ContentMove) {
    this.#move = move;
  }

  /** Rows of one digest. */
  async move(rows: readonly ContentRow[]): Promise<void> {
    const lost: ContentRow[] = [];
    for (const row of rows) {
      this.#move.signal.throwIfAborted();
      const how = await this.#moveOne(row);
      if (how === "lost") lost.push(row);
      else this.#arrived(row, how);
    }
    for (const row of lost) {
      // Another repository may have the right bytes.
      if (await this.#isShared(row)) this.#arrived(row, "shared");
      else await this.#lose(row);
    }
  }

  #arrived(row: ContentRow, how: Arrival): void {
    const { digest, repository, sizeBytes } = row;
    const amount = this.amounts[how];
    amount.contents += 1;
    amount.bytes += sizeBytes;
    const isRepeated = this.#holders.has(digest);
    this.#move.onEvent({ kind: "arrived", how, sizeBytes, isRepeated });
    if (how !== "lost") this.#remember(digest, repository);
  }

  async #lose(row: ContentRow): Promise<void> {
    this.#arrived(row, "lost");
    await this.#move.onLost(row);
  }

  async #isShared({ digest, repository }: Pick<ContentRow, "digest" | "repository">) {
    const { to, dedupes } = this.#move;
    const holder = this.#holders.get(digest) ?? null;
    if (holder === null || !dedupes(holder, repository)) return false;
    return to.blobs.share(digest, { from: holder, to: repository, mayCopy: false });
  }

  async #moveOne({ digest, repository, sizeBytes }: ContentRow): Promise<Arrival> {
    const { from, to, onEvent } = this.#move;
    if ((await to.blobs.size(repository, digest)) === sizeBytes) return "there";
    if (await this.#isShared({ digest, repository })) return "shared";
    const onBytes = (bytes: number): void => onEvent({ kind: "bytes", bytes });
    const source = { stores: from, from: repository, onBytes };
    const isMoved = await copyContent(digest, source, { stores: to, to: repository });
    return isMoved ? "sent" : "lost";
  }

  #remember(digest: Digest, repository: string): void {
    this.#holders.delete(digest);
    this.#holders.set(digest, repository);
    const [oldest] = this.#holders.keys();
    if (this.#holders.size > 2 * this.#move.parallel && oldest !== undefined) {
      this.#holders.delete(oldest);
    }
  }
}
