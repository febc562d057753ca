/**
 * The registry that another one is moved into: empty at first, and known as unfinished from the first byte to the last row
 * (`metadata/moves.ts`). No server has it meanwhile.
 */
import type { Config } from "../../config/schema.ts";
import type { Clock } from "../../lib/clock.ts";
import type { AnyCommit, Metadata } from "../../metadata/metadata.ts";
import { moves, type MoveChange } from "../../metadata/moves.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { RowStore } from "../../metadata/rows/row_store.ts";
import { copiesPrefix } from "../../storage/copy_content.ts";
import type { Stores } from "../../storage/stores.ts";
import type { Registry } from "../../registry/registry.ts";
import { openPlace } from "../open_place.ts";
import { openRegistry } from "../open_registry.ts";
import { openMovedRows } from "../moved_root.ts";

export interface MovedTarget {
  readonly stores: Stores;
  /** What comes by the same rules as a push. Closed with the target. */
  readonly registry: Registry;
  /** Opened anew each time, and to be closed. */
  openRows(): Promise<RowStore>;
  commit(commit: AnyCommit): Promise<void>;
  /** Everything is there: it can be served. */
  end(): Promise<void>;
  close(): Promise<void>;
}

/** `written` is the time of what is written. @throws Error with one line for the operator: it is served, has content, or is being filled from elsewhere. */
export async function openMovedTarget(
  config: Config,
  { from, name }: { readonly from: string; readonly name: string },
  { clock, written = clock }: { readonly clock: Clock; readonly written?: Clock },
): Promise<MovedTarget> {
  const root = openPlace(config, clock);
  root.make();
  const claim = root.claim({ warn: () => undefined });
  const opened: (() => Promise<void>)[] = [async () => claim.release()];
  const close = async (): Promise<void> => {
    for (const each of opened.toReversed()) await each();
  };
  try {
    const stores = await root.prepareBytes();
    opened.push(() => stores.close());
    const writer = await root.openWriter({ clock: written, onBatch: undefined });
    opened.push(() => writer.close());
    const { committer } = writer;
    // Servers elsewhere that share the metadata hold it, and whoever else moves something here.
    const lease = await root.leases.take("jobs");
    if (lease === null) {
      throw new Error(
        `expected an empty registry that nobody serves, found a server of ${name}; stop it, or give another place`,
      );
    }
    opened.push(() => lease.release());
    const metadata = root.openMetadata({ committer, remembers: false, onLookup: undefined });
    opened.push(() => metadata.close());
    const note = async (change: MoveChange): Promise<void> => {
      await committer.commit(recordCommit(moves, change));
    };
    await requireOwn(metadata, stores, { from, name });
    await note({ kind: "begin", from });
    await discardCopies(stores);
    const report = (): void => undefined;
    const registry = openRegistry(config, { root, stores, committer, clock, report });
    opened.push(() => registry.metadata.close());
    return {
      stores,
      registry,
      openRows: () => openMovedRows(config, clock),
      commit: async (commit) => {
        await committer.commit(commit);
      },
      end: () => note({ kind: "end" }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws where it has anything that is not of this move. */
async function requireOwn(
  metadata: Metadata,
  stores: Stores,
  { from, name }: { readonly from: string; readonly name: string },
): Promise<void> {
  const begun = await metadata.records(moves).from();
  if (begun === from) return;
  if (begun !== null) {
    throw new Error(
      `expected a registry that is empty, or being filled from ${from}, found one that is being filled from ${begun}; ` +
        "go on from there, or give another place",
    );
  }
  const [known] = await metadata.feed(0, 1);
  const [repository] = await metadata.repositories({ after: null, limit: 1 });
  if (known === undefined && repository === undefined && !(await hasLayouts(stores))) return;
  throw new Error(
    `expected an empty registry to move into, found content in ${name}; ` +
      "give another place: what is there stays as it is",
  );
}

/** Of a program that wrote them before this registry knew of any. */
async function hasLayouts({ layouts }: Stores): Promise<boolean> {
  if (layouts === null) return false;
  const first = await layouts.repositories()[Symbol.asyncIterator]().next();
  return first.done !== true;
}

/** What a run that was killed had begun to write. */
async function discardCopies({ uploads }: Stores): Promise<void> {
  for (const id of await uploads.ids()) {
    if (!id.startsWith(copiesPrefix)) continue;
    const upload = await uploads.hold(id, null);
    if (upload === null || upload === "busy") continue;
    await upload.discard();
    await upload.close();
  }
}
