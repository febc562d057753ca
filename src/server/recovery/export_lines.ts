/** An export of the metadata as a file: compressed lines, of which the first says whose they are. */
import type { Clock } from "../../lib/clock.ts";
import { linesOf, readRowLines } from "../../metadata/rows/row_lines.ts";
import type { RowGroup, RowSnapshot } from "../../metadata/rows/row_store.ts";
import type { ExportFile } from "../../storage/filesystem/export_files.ts";

/** What an export has: what is known, where bytes lie, and what was seen of them. */
export const exportedGroups: readonly RowGroup[] = ["facts", "bytes", "derived"];
/** After some rows it rests so many times as long as they took: commits of this process have their turn. */
const restFactor = 1;
const version = 1;

export interface ExportHead {
  readonly zot: "export";
  readonly version: number;
  /** The id that the bucket has, too. */
  readonly registry: string;
  /** When what it has was true, as ISO 8601. */
  readonly at: string;
  /** The version of the program that wrote it. */
  readonly program: string;
}

/** Writes the lines of a snapshot, and gives how many there are. */
export async function writeExport(
  file: ExportFile,
  {
    snapshot,
    head,
  }: { readonly snapshot: RowSnapshot; readonly head: Omit<ExportHead, "zot" | "version"> },
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<number> {
  let count = 0;
  async function* text(): AsyncIterable<string> {
    yield `${JSON.stringify({ zot: "export", version, ...head } satisfies ExportHead)}\n`;
    let startedMs = clock.monotonicMs();
    for await (const lines of linesOf(lasting(snapshot), exportedGroups)) {
      signal.throwIfAborted();
      count += lines.length;
      if (lines.length > 0) yield `${lines.join("\n")}\n`;
      await clock.sleep((clock.monotonicMs() - startedMs) * restFactor, signal);
      startedMs = clock.monotonicMs();
    }
  }
  await file.write(text(), signal);
  return count;
}

/** Without uploads on their way, which are nobody's afterwards. */
function lasting(snapshot: RowSnapshot): RowSnapshot {
  const { shape } = snapshot;
  const tables = shape.tables.filter(({ name }) => !/^uploads(_|$)/.test(name));
  return { ...snapshot, shape: { ...shape, tables } };
}

/** Reads such a file. @throws with one line where it is not one, or was cut off. */
export async function readExport(
  file: ExportFile,
): Promise<{ readonly head: ExportHead; readonly rows: Awaited<ReturnType<typeof readRowLines>> }> {
  const lines = file.lines()[Symbol.asyncIterator]();
  const first = await lines.next();
  const head = headOf(first.done === true ? "" : first.value);
  const rows = await readRowLines({ [Symbol.asyncIterator]: () => lines });
  return { head, rows };
}

function headOf(line: string): ExportHead {
  let head: Partial<ExportHead> = {};
  try {
    head = JSON.parse(line) as Partial<ExportHead>;
  } catch {
    // It is told below.
  }
  if (head.zot !== "export")
    throw new Error("expected an export of metadata, found something else");
  if (head.version !== version) {
    throw new Error(
      `expected version ${version} of an export, found ${String(head.version)}; take the zot that wrote it`,
    );
  }
  return head as ExportHead;
}
