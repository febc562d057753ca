/**
 * `zot migrate`: moves a whole registry into another place, whatever keeps its bytes and its metadata there.
 *
 * Bytes go first, while the source may be served, as often as one likes (`isPrepared`). The last pass has the source
 * for itself: it moves the bytes that are missing still, then all rows of the metadata in one transaction, and compares
 * them. Whatever stops it, the next run goes on from what is there; the source is never changed.
 */
import { resolve } from "node:path";
import type { Config } from "../../config/schema.ts";
import type { Clock } from "../../lib/clock.ts";
import {
  contentPages,
  estimateContent,
  isLive,
  tagsLeadingTo,
  type ContentRow,
} from "../../metadata/rows/content_rows.ts";
import { copyRows, sumRows, type TableSums } from "../../metadata/rows/copy_rows.ts";
import {
  shapeProblem,
  type AskRows,
  type RowGroup,
  type RowSnapshot,
} from "../../metadata/rows/row_store.ts";
import { dedupesIn } from "../../registry/store_settings.ts";
import { nameOfPlace, openMoved, type MovedRegistry } from "../moved_root.ts";
import { rootsOf } from "../sub_root.ts";
import { moveContent, type Amounts } from "./move_content.ts";
import type { LostContent, MoveEvent, MoveReport } from "./move_events.ts";

import { openMovedTarget, type MovedTarget } from "./moved_target.ts";

export interface MoveOptions {
  /** Bytes alone: the source may be served, and the target is not finished. */
  readonly isPrepared: boolean;
  /** Digests at once. */
  readonly parallel: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEvent: (event: MoveEvent) => void;
}

/** Everything that the registry knows, without what was seen of bytes that lie elsewhere now. */
const copied: readonly RowGroup[] = ["facts"];
const emptied: readonly RowGroup[] = ["derived"];

/** Lost content of which each is told; more are counted. */
const lostToldMax = 1_000;
const tagsToldMax = 20;

/** @throws Error with one line for the operator. */
export async function moveRegistry(
  from: Config,
  to: Config,
  options: MoveOptions,
): Promise<MoveReport> {
  requireApart(from, to);
  const { clock } = options;
  const toName = nameOfPlace(to, clock);
  const source = await openMoved(from, clock);
  const fromName = source.name;
  try {
    // Before anything is made: a source that is served stops the last pass at once.
    const claim = options.isPrepared ? null : await source.claim();
    try {
      const target = await openMovedTarget(to, { from: fromName, name: toName }, { clock });
      try {
        await requireSameVersion(source, target);
        const estimate = await estimateContent(source.rows.ask);
        options.onEvent({ kind: "begun", from: fromName, to: toName, estimate });
        const parties = { source, target, dedupes: dedupesIn(to.storage), options };
        const outcome = await (options.isPrepared ? prepare(parties) : finish(parties));
        return { from: fromName, to: toName, isMoved: !options.isPrepared, ...outcome };
      } finally {
        await target.close();
      }
    } finally {
      claim?.release();
    }
  } finally {
    await source.close();
  }
}

/** Before bytes go for hours. @throws with one line. */
async function requireSameVersion(source: MovedRegistry, target: MovedTarget): Promise<void> {
  const rows = await target.openRows();
  try {
    const own = await rows.snapshot(async ({ shape }) => shape);
    const found = await source.rows.snapshot(async ({ shape }) => shape);
    const problem = shapeProblem(found, own, copied);
    if (problem === null) return;
    throw new Error(`${source.name}: ${problem}; serve it once with this version of zot`);
  } finally {
    await rows.close();
  }
}

interface Parties {
  readonly source: MovedRegistry;
  readonly target: MovedTarget;
  readonly dedupes: (one: string, other: string) => boolean;
  readonly options: MoveOptions;
}

type Outcome = Pick<MoveReport, "amounts" | "lost" | "tables">;

/** What is gone by the time it is reached may have been removed meanwhile: the last pass tells. */
async function prepare(parties: Parties): Promise<Outcome> {
  const { ask } = parties.source.rows;
  return { amounts: await moveAll(parties, ask, async () => {}), lost: [], tables: null };
}

async function finish(parties: Parties): Promise<Outcome> {
  const { source, target, options } = parties;
  return await source.rows.snapshot(async (snapshot) => {
    const lost: (LostContent & Pick<ContentRow, "id">)[] = [];
    const amounts = await moveAll(parties, snapshot.ask, async (row) => {
      const content = await toldOf(snapshot.ask, row);
      options.onEvent({ kind: "lost", content });
      if (lost.length < lostToldMax) lost.push({ ...content, id: row.id });
    });
    const tables = await moveRows(snapshot, target, options);
    for (const content of lost) await markLost(snapshot.ask, content, target);
    await target.end();
    return { amounts, lost: lost.map(({ id: _id, ...content }) => content), tables };
  });
}

function moveAll(
  { source, target, dedupes, options }: Parties,
  ask: AskRows,
  onLost: (row: ContentRow) => Promise<void>,
): Promise<Amounts> {
  const { parallel, signal, onEvent } = options;
  return moveContent(contentPages(ask), {
    from: source.stores,
    to: target.stores,
    dedupes,
    parallel,
    signal,
    onEvent,
    onLost,
  });
}

async function toldOf(ask: AskRows, row: ContentRow): Promise<LostContent> {
  const { repository, digest, sizeBytes } = row;
  const tags = (await tagsLeadingTo(ask, row)).slice(0, tagsToldMax);
  return { repository, digest, sizeBytes, tags };
}

/** @throws where the target has other rows afterwards than were written. */
async function moveRows(
  snapshot: RowSnapshot,
  target: MovedTarget,
  { onEvent }: MoveOptions,
): Promise<TableSums> {
  const rows = await target.openRows();
  try {
    const onTable = (table: string, count: number): void =>
      onEvent({ kind: "table", table, rows: count });
    const sums = await copyRows(snapshot, rows, { groups: copied, emptied, onTable });
    const found = await rows.snapshot((written) => sumRows(written, copied));
    for (const [table, { sha256, rows: count }] of Object.entries(sums)) {
      const other = found[table];
      if (other?.sha256 === sha256) continue;
      throw new Error(
        `expected ${count} rows of ${table} as they are in the source, found ${other?.rows ?? 0} that differ; ` +
          "the target is not finished: run it again",
      );
    }
    return sums;
  } finally {
    await rows.close();
  }
}

/** The target knows that it does not have it, so that clients send it again. */
async function markLost(
  ask: AskRows,
  { repository, digest, sizeBytes, id }: LostContent & Pick<ContentRow, "id">,
  target: MovedTarget,
): Promise<void> {
  if (!(await isLive(ask, { id, digest }))) return;
  await target.commit({
    repository,
    preconditions: [],
    changes: [{ kind: "mark-damaged", digest, sizeBytes, how: "missing", stamp: null }],
    by: null,
  });
}

/** @throws where the two share a directory. */
function requireApart(from: Config, to: Config): void {
  const taken = new Set(rootsOf(from.storage).map((root) => resolve(root)));
  const shared = rootsOf(to.storage).find((root) => taken.has(resolve(root)));
  if (shared === undefined) return;
  throw new Error(
    `expected another directory for the registry to move into, got ${shared} for both; ` +
      "give the new one a storage.rootDirectory of its own",
  );
}
