/** Writes the rows of one manifest: itself, and what it names. */
import type { NewManifest } from "../metadata.ts";
import { storeAnnotations } from "./long_annotations.ts";
import { all, run, type Engine, type Rule, tell } from "./statements.ts";

interface Work {
  readonly engine: Engine;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly by: string | null;
}

export interface WrittenManifest {
  readonly isNew: boolean;
  /** Digests that the manifest named before: of another understanding of the same bytes. */
  readonly lost: readonly string[];
}

/** Null when all of it was there already. */
export function* putManifest(
  work: Work,
  id: number,
  manifest: NewManifest,
): Rule<WrittenManifest | null> {
  const { digest, mediaType, sizeBytes, subject, artifactType } = manifest;
  const place = { repository: id, manifest: digest };
  const annotations = yield* storeAnnotations(work, place, manifest.annotations);
  const inserted = yield* run(
    work,
    "INSERT INTO manifests (repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pushed_by) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    id,
    digest,
    mediaType,
    sizeBytes,
    subject,
    artifactType,
    annotations,
    work.now,
    work.by,
  );
  if (inserted === 1) {
    yield* writeReferences(work, id, manifest);
    return { isNew: true, lost: [] };
  }
  // The same bytes pushed again may come under another media type, or were read in from another tool's
  // layout and understood in part: the latest push counts, in all that it says.
  const changed = yield* run(
    work,
    "UPDATE manifests SET media_type = ?3, subject = ?4, artifact_type = ?5, annotations = ?6 " +
      "WHERE repository = ?1 AND digest = ?2 AND (media_type <> ?3 OR subject IS NOT ?4 " +
      "OR artifact_type IS NOT ?5 OR annotations IS NOT ?6)",
    id,
    digest,
    mediaType,
    subject,
    artifactType,
    annotations,
  );
  if (changed === 0 && (yield* hasReferences(work, id, manifest))) return null;
  const before = yield* all(
    work,
    "DELETE FROM manifest_references INDEXED BY manifest_references_parent WHERE repository = ? AND parent = ? " +
      "RETURNING child",
    id,
    manifest.digest,
  );
  yield* writeReferences(work, id, manifest);
  return { isNew: false, lost: before.map(({ child }) => String(child)) };
}

function* writeReferences(work: Work, id: number, { digest, references }: NewManifest): Rule<void> {
  for (const reference of references) {
    yield* tell(
      work,
      "INSERT INTO manifest_references (repository, parent, child, target) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO NOTHING",
      id,
      digest,
      reference.digest,
      reference.target,
    );
  }
}

/** Whether exactly these references are recorded. */
function* hasReferences(work: Work, id: number, manifest: NewManifest): Rule<boolean> {
  const rows = yield* all(
    work,
    "SELECT child, target FROM manifest_references INDEXED BY manifest_references_parent WHERE repository = ? AND parent = ?",
    id,
    manifest.digest,
  );
  // Of a digest that is named twice the first target is kept, as the insert does.
  const named = new Map(manifest.references.toReversed().map((one) => [one.digest, one.target]));
  return (
    rows.length === named.size &&
    rows.every((row) => named.get(String(row["child"])) === row["target"])
  );
}
