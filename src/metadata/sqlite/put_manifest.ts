/** Writes the rows of one manifest: itself, and what it names. */
import type { NewManifest } from "../metadata.ts";
import { storeAnnotations } from "./long_annotations.ts";
import { all, run } from "./statements.ts";

interface Work {
  readonly database: Parameters<typeof run>[0]["database"];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly by: string | null;
}

export interface WrittenManifest {
  /** Digests that the manifest named before: of another understanding of the same bytes. */
  readonly lost: readonly string[];
}

/** Null when all of it was there already. */
export function putManifest(work: Work, id: number, manifest: NewManifest): WrittenManifest | null {
  // The same bytes pushed again may come under another media type, or were read in from another tool's
  // layout and understood in part: the latest push counts, in all that it says.
  const changed = run(
    work,
    "INSERT INTO manifests (repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pushed_by) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET media_type = excluded.media_type, " +
      "subject = excluded.subject, artifact_type = excluded.artifact_type, annotations = excluded.annotations " +
      "WHERE media_type <> excluded.media_type OR subject IS NOT excluded.subject " +
      "OR artifact_type IS NOT excluded.artifact_type OR annotations IS NOT excluded.annotations",
    id,
    manifest.digest,
    manifest.mediaType,
    manifest.sizeBytes,
    manifest.subject,
    manifest.artifactType,
    storeAnnotations(
      work.database,
      { repository: id, manifest: manifest.digest },
      manifest.annotations,
    ),
    work.now,
    work.by,
  );
  if (changed === 0 && hasReferences(work, id, manifest)) return null;
  const before = all(
    work,
    "DELETE FROM manifest_references INDEXED BY manifest_references_parent WHERE repository = ? AND parent = ? " +
      "RETURNING child",
    id,
    manifest.digest,
  );
  for (const reference of manifest.references) {
    run(
      work,
      "INSERT OR IGNORE INTO manifest_references (repository, parent, child, target) VALUES (?, ?, ?, ?)",
      id,
      manifest.digest,
      reference.digest,
      reference.target,
    );
  }
  return { lost: before.map(({ child }) => String(child)) };
}

/** Whether exactly these references are recorded. */
function hasReferences(work: Work, id: number, manifest: NewManifest): boolean {
  const rows = all(
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
