/**
 * Exports of the metadata, as objects beside the content: `metadata/<time>.jsonl.gz`.
 *
 * They have no rows: what lost its metadata finds them by listing. Their names are moments, so that they stand in order.
 */
import { MiB } from "../../lib/bytes.ts";
import type { ListedObject, ObjectStore, StoredPart } from "./object_store.ts";

export const exportsPrefix = "metadata/";
const end = ".jsonl.gz";
/** A larger one is put in parts. */
const partBytesMin = 16 * MiB;
/** Exports that are looked at, the newest ones. */
const listedMax = 10_000;

export interface ListedExport {
  readonly name: string;
  /** Milliseconds since the epoch: what was known at that moment. */
  readonly at: number;
  readonly sizeBytes: number;
}

/** Of a moment: `2026-12-01T18-30-00Z`. */
export function exportName(at: number): string {
  return new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-");
}

export function exportKey(name: string): string {
  return `${exportsPrefix}${name}${end}`;
}

/** The newest first. */
export async function listExports(store: ObjectStore): Promise<readonly ListedExport[]> {
  let found: ListedExport[] = [];
  for (let after: string | null = null; ;) {
    const page: { objects: readonly ListedObject[]; next: string | null } = await store.list(
      exportsPrefix,
      after,
    );
    found = [...found, ...page.objects.flatMap(exportOf)].slice(-listedMax);
    if (page.next === null) return found.toReversed();
    after = page.next;
  }
}

function exportOf({ key, sizeBytes }: ListedObject): ListedExport[] {
  if (!key.endsWith(end)) return [];
  const name = key.slice(exportsPrefix.length, -end.length);
  const at = Date.parse(name.replace(/T(\d\d)-(\d\d)-(\d\d)Z$/, "T$1:$2:$3Z"));
  return Number.isNaN(at) ? [] : [{ name, at, sizeBytes }];
}

/** What is cut off leaves parts, which an audit removes. */
export async function putExport(store: ObjectStore, name: string, file: Blob): Promise<void> {
  const key = exportKey(name);
  const { limits } = store;
  const needed = Math.ceil(file.size / limits.partsMax);
  const partBytes = Math.max(partBytesMin, limits.partBytesMin, needed);
  if (file.size <= partBytes) return await store.put(key, file);
  const parts = await store.startParts(key);
  const stored: StoredPart[] = [];
  for (let first = 0; first < file.size; first += partBytes) {
    const slice = file.slice(first, Math.min(first + partBytes, file.size));
    stored.push(await store.putPart(key, parts, stored.length + 1, slice));
  }
  await store.completeParts(key, parts, stored);
}

/** All but the newest ones go; how many did. */
export async function removeOldExports(store: ObjectStore, kept: number): Promise<number> {
  const old = (await listExports(store)).slice(kept);
  for (const { name } of old) await store.remove(exportKey(name));
  return old.length;
}
