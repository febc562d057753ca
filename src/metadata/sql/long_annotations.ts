/**
 * Annotations in the rows of manifests: short ones in the row, long ones in a table of their own.
 *
 * A look-up in `manifests` compares whole rows, so a row of a megabyte would be read by look-ups of its neighbours,
 * too. Such a row holds only the length of its annotations, as `@1000008`, which no JSON begins with.
 */
import { type Engine, type Rule, tell } from "./statements.ts";

interface Work {
  readonly engine: Engine;
}

/** Bytes of annotations that stay in the row. */
const shortBytesMax = 512;

const insert =
  "INSERT INTO long_annotations (repository, manifest, text) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const remove = "DELETE FROM long_annotations WHERE repository = ?1 AND manifest = ?2";

/** What stands in the row of a manifest; puts long annotations into their table. */
export function* storeAnnotations(
  work: Work,
  { repository, manifest }: { readonly repository: number; readonly manifest: string },
  text: string | null,
): Rule<string | null> {
  const bytes = text === null ? 0 : Buffer.byteLength(text);
  if (text === null || bytes <= shortBytesMax) return text;
  yield* tell(work, insert, repository, manifest, text);
  return `@${bytes}`;
}

export function removeAnnotations(work: Work, repository: number, manifest: string): Rule<unknown> {
  return tell(work, remove, repository, manifest);
}

/** Bytes of the annotations of a row. */
export function annotationsBytes(stored: string | null): number {
  if (stored === null) return 0;
  return isLong(stored) ? Number(stored.slice(1)) : Buffer.byteLength(stored);
}

/** Whether the annotations of a row are in their table. */
export function isLong(stored: string): boolean {
  return stored.startsWith("@");
}
