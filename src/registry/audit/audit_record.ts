/** What is kept of audits of stores of objects, and of what somebody asks of the next one. */
import { objects } from "../../metadata/objects.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { LyingObject } from "../../storage/stores.ts";
import type { Registry } from "../registry.ts";

/** What an audit is to do beside telling. */
export interface AuditWish {
  /** When somebody asked. */
  readonly at: number;
  /** What becomes of objects that nothing knows: told, removed, or taken into a repository as untagged blobs. */
  readonly strays: "tell" | "remove" | { readonly adoptAs: string };
  /** Removes those as well that are older than the last restore. */
  readonly alsoBeforeRestore: boolean;
}

/** Times in milliseconds since the epoch. */
export interface AuditRecord {
  readonly from: number;
  /** Null while it goes on. */
  to: number | null;
  /** "failed": the store could not be asked; `problem` says why. */
  outcome: "running" | "done" | "failed";
  problem: string | null;
  readonly wish: AuditWish | null;
  /** Of the last wish, by this audit or one before: each is fulfilled once. */
  readonly wishAt: number | null;
  /** Steps that are done, and all of them. */
  step: number;
  steps: number;
  /** When metadata were restored last, by the clock of the store. */
  restoredAt: number | null;
  /** Where they should be. */
  objects: number;
  bytes: number;
  /** Content whose object is gone or has another length, and copies of it that were marked damaged. */
  lost: number;
  marked: number;
  /** Objects that nothing knows, and what became of them; the others stay. */
  strays: number;
  strayBytes: number;
  removed: number;
  adopted: number;
  /** Parts that nobody sends any more, which were removed. */
  unfinished: number;
  /** The first of those that nothing knows, and that stay. */
  readonly found: (LyingObject & { digest: string | null })[];
}

export function newAudit(from: number, wish: AuditWish | null): AuditRecord {
  return {
    from,
    to: null,
    outcome: "running",
    problem: null,
    wish,
    wishAt: wish?.at ?? null,
    step: 0,
    steps: 0,
    restoredAt: null,
    objects: 0,
    bytes: 0,
    lost: 0,
    marked: 0,
    strays: 0,
    strayBytes: 0,
    removed: 0,
    adopted: 0,
    unfinished: 0,
    found: [],
  };
}

/** Null before the first one. */
export async function readAudit({ metadata }: Pick<Registry, "metadata">) {
  return readValue<AuditRecord>(await metadata.records(objects).value("audit"));
}

export async function readWish({ metadata }: Pick<Registry, "metadata">) {
  return readValue<AuditWish>(await metadata.records(objects).value("audit asked"));
}

export async function noteAudit(
  { metadata }: Pick<Registry, "metadata">,
  record: AuditRecord,
): Promise<void> {
  const text = JSON.stringify(record);
  await metadata.commit(recordCommit(objects, { kind: "set", value: "audit", text }));
}

/** The next look of the job begins it. */
export async function askForAudit(
  registry: Pick<Registry, "metadata" | "clock">,
  asked: Omit<AuditWish, "at">,
): Promise<void> {
  const { metadata, clock } = registry;
  const before = (await readWish(registry))?.at ?? 0;
  const wish: AuditWish = { ...asked, at: Math.max(clock.now(), before + 1) };
  const text = JSON.stringify(wish);
  await metadata.commit(recordCommit(objects, { kind: "set", value: "audit asked", text }));
}

function readValue<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
