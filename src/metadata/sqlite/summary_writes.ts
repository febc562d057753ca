/**
 * What changes of summaries (`../summaries.ts`) write. What tags and manifests are is read in the same transaction, so
 * that nothing here depends on when a change was made.
 */
import { createHash } from "node:crypto";
import { isImageTag, summaryVersion, type NewSummary, type SummaryChange } from "../summaries.ts";
import type { RecordWork } from "./record_tables.ts";
import { all, get, run } from "./statements.ts";
import { refreshRepository } from "./summary_repository.ts";

/** Layers, and manifests of an index, that are written; one with more is at nobody's base. */
const rowsMax = 1_000;
/** The first bytes of a hash are enough to tell lists of layers apart. */
const chainBytes = 16;

type Appliers = {
  [K in SummaryChange["kind"]]: (
    work: RecordWork,
    id: number,
    change: Extract<SummaryChange, { kind: K }>,
  ) => void;
};

const appliers: Appliers = {
  summarise: (work, id, { summary }) => writeSummary(work, id, summary),
  "set-images": (work, id, { repository, tags }) => {
    for (const tag of tags) setImage(work, { id, name: repository }, tag);
    refreshRepository(work, id, { name: repository, pulls: "kept" });
  },
  forget: (work, id, { digests }) => {
    for (const digest of digests) forget(work, id, digest);
  },
  refresh: (work, id, { repository }) =>
    refreshRepository(work, id, { name: repository, pulls: "counted" }),
  "begin-round": (work, _id, { version }) => {
    run(work, "UPDATE summary_counters SET value = value + 1 WHERE name = 'round'");
    run(work, "UPDATE summary_counters SET value = ?1 WHERE name = 'made'", version);
  },
  "end-repository": (work, id, { round }) => {
    run(
      work,
      "INSERT INTO summary_looks (repository, round) VALUES (?1, ?2) " +
        "ON CONFLICT DO UPDATE SET round = max(round, excluded.round)",
      id,
      round,
    );
  },
  toggle: (work, id, { preference, user, repository }) => {
    const removed = run(
      work,
      "DELETE FROM summary_preferences WHERE user = ?1 AND preference = ?2 AND repository = ?3",
      user,
      preference,
      id,
    );
    if (removed === 0) {
      run(work, "INSERT INTO summary_preferences VALUES (?1, ?2, ?3)", user, preference, id);
    }
    if (preference === "star") refreshRepository(work, id, { name: repository, pulls: "kept" });
  },
};

export function applySummaryChange(work: RecordWork, change: SummaryChange): void {
  const apply = appliers[change.kind] as (w: RecordWork, id: number, c: SummaryChange) => void;
  if (change.kind === "begin-round") return apply(work, 0, change);
  const row = get(work, "SELECT id FROM repositories WHERE name = ?1", change.repository);
  if (row !== null) apply(work, Number(row["id"]), change);
}

function writeSummary(work: RecordWork, repository: number, summary: NewSummary): void {
  const { digest, layers } = summary;
  const found = "SELECT 1 FROM manifests WHERE repository = ?1 AND digest = ?2";
  if (get(work, found, repository, digest) === null) return;
  const chains = chainsOf(layers.slice(0, rowsMax).map((layer) => layer.digest));
  const whole = chains.length === layers.length ? (chains.at(-1) ?? null) : null;
  const id = upsert(work, repository, summary, whole);
  run(work, "DELETE FROM summary_layers WHERE manifest = ?1", id);
  for (const [position, layer] of layers.slice(0, rowsMax).entries()) {
    work.database
      .query<unknown, [number, number, string, number, Uint8Array]>(
        "INSERT INTO summary_layers (manifest, position, digest, size, chain) VALUES (?1, ?2, ?3, ?4, ?5)",
      )
      .run(id, position, layer.digest, layer.sizeBytes, chains[position] ?? new Uint8Array());
  }
  writeChildren(work, { repository, id }, summary);
  run(
    work,
    "UPDATE summary_images SET updated_at = ?2 WHERE manifest = ?1 AND updated_at IS NOT ?2",
    id,
    summary.updatedAt,
  );
}

function upsert(
  work: RecordWork,
  repository: number,
  summary: NewSummary,
  chain: Uint8Array | null,
): number {
  const { digest, kind, artifactType, config, platform, updatedAt, annotatedAt } = summary;
  const row = work.database
    .query<{ id: number }, (string | number | null | Uint8Array)[]>(
      "INSERT INTO summary_manifests (repository, digest, version, kind, artifact_type, config_digest, config_type, " +
        "os, arch, updated_at, annotated_at, size, texts, vendor, chain) " +
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) " +
        "ON CONFLICT (repository, digest) DO UPDATE SET version = excluded.version, kind = excluded.kind, " +
        "artifact_type = excluded.artifact_type, config_digest = excluded.config_digest, " +
        "config_type = excluded.config_type, os = excluded.os, arch = excluded.arch, " +
        "updated_at = excluded.updated_at, annotated_at = excluded.annotated_at, size = excluded.size, " +
        "texts = excluded.texts, vendor = excluded.vendor, chain = excluded.chain RETURNING id",
    )
    .get(
      repository,
      digest,
      summaryVersion,
      kind,
      artifactType,
      config?.digest ?? null,
      config?.mediaType ?? null,
      platform.os,
      platform.arch,
      updatedAt,
      annotatedAt,
      summary.sizeBytes,
      JSON.stringify(summary.texts),
      summary.annotatedVendor,
      chain,
    );
  if (row === null) throw new Error(`metadata: the summary of ${digest} was not written`);
  return row.id;
}

function writeChildren(
  work: RecordWork,
  { repository, id }: { readonly repository: number; readonly id: number },
  { children, names }: NewSummary,
): void {
  run(work, "DELETE FROM summary_children WHERE manifest = ?1", id);
  const shown = new Set<string>(children.map(({ digest }) => digest));
  const others = names
    .filter((name) => !shown.has(name))
    .map((digest) => ({ digest, platform: { os: "", arch: "" } }));
  for (const [position, { digest, platform }] of [...children, ...others]
    .slice(0, rowsMax)
    .entries()) {
    run(
      work,
      "INSERT INTO summary_children (manifest, position, repository, child, os, arch, shown) " +
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
      id,
      position,
      repository,
      digest,
      platform.os,
      platform.arch,
      position < children.length ? 1 : 0,
    );
  }
}

/** The image of a tag becomes what the tag says; there is none where it points at nothing that has a summary. */
function setImage(
  work: RecordWork,
  repository: { readonly id: number; readonly name: string },
  tag: string,
): void {
  const { id, name } = repository;
  const before = get(
    work,
    "SELECT digest FROM summary_images WHERE repository = ?1 AND tag = ?2",
    id,
    tag,
  );
  const now = isImageTag(tag) ? pointedAt(work, id, tag) : null;
  if (now === null) {
    run(work, "DELETE FROM summary_images WHERE repository = ?1 AND tag = ?2", id, tag);
  } else {
    run(
      work,
      "INSERT INTO summary_images (repository, tag, name, digest, manifest, updated_at, set_at) " +
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET digest = excluded.digest, " +
        "manifest = excluded.manifest, updated_at = excluded.updated_at, set_at = excluded.set_at",
      id,
      tag,
      name,
      now["digest"] ?? null,
      now["manifest"] ?? null,
      now["updatedAt"] ?? null,
      now["setAt"] ?? null,
    );
    writeFacets(work, id, Number(now["manifest"]), String(now["digest"]));
  }
  if (before !== null && before["digest"] !== now?.["digest"]) {
    dropFacets(work, id, String(before["digest"]));
  }
}

function pointedAt(work: RecordWork, id: number, tag: string) {
  return get(
    work,
    "SELECT t.digest AS digest, m.id AS manifest, m.updated_at AS updatedAt, t.set_at AS setAt FROM tags t " +
      "JOIN summary_manifests m ON m.repository = t.repository AND m.digest = t.digest " +
      "WHERE t.repository = ?1 AND t.name = ?2",
    id,
    tag,
  );
}

function writeFacets(work: RecordWork, repository: number, manifest: number, digest: string): void {
  run(
    work,
    "DELETE FROM summary_facets INDEXED BY summary_facets_digest WHERE repository = ?1 AND digest = ?2",
    repository,
    digest,
  );
  for (const { os, arch } of platformsOf(work, manifest)) {
    if (os === "" && arch === "") continue;
    const insert = "INSERT OR IGNORE INTO summary_facets VALUES (?1, 'platform', ?2, ?3, ?4)";
    run(work, insert, repository, String(os), String(arch), digest);
  }
  run(
    work,
    "INSERT OR IGNORE INTO summary_facets SELECT ?1, 'vendor', vendor, '', ?2 FROM summary_manifests " +
      "WHERE id = ?3 AND vendor IS NOT NULL",
    repository,
    digest,
    manifest,
  );
}

/** Of an image its own, of an index those of its images. */
function platformsOf(work: RecordWork, manifest: number) {
  const own = "SELECT os, arch FROM summary_manifests WHERE id = ?1 AND kind = 'image'";
  const children = "SELECT os, arch FROM summary_children WHERE manifest = ?1 AND shown = 1";
  return all(work, `${own} UNION ALL ${children}`, manifest);
}

/** No tag points there any more. */
function dropFacets(work: RecordWork, repository: number, digest: string): void {
  run(
    work,
    "DELETE FROM summary_facets INDEXED BY summary_facets_digest WHERE repository = ?1 AND digest = ?2 " +
      "AND NOT EXISTS (SELECT 1 FROM summary_manifests m JOIN summary_images i ON i.manifest = m.id " +
      "WHERE m.repository = ?1 AND m.digest = ?2)",
    repository,
    digest,
  );
}

function forget(work: RecordWork, repository: number, digest: string): void {
  const row = get(
    work,
    "SELECT s.id AS id FROM summary_manifests s WHERE s.repository = ?1 AND s.digest = ?2 AND NOT EXISTS " +
      "(SELECT 1 FROM manifests m WHERE m.repository = ?1 AND m.digest = ?2)",
    repository,
    digest,
  );
  if (row === null) return;
  const id = Number(row["id"]);
  for (const table of ["summary_layers", "summary_children"]) {
    run(work, `DELETE FROM ${table} WHERE manifest = ?1`, id);
  }
  run(work, "DELETE FROM summary_images WHERE manifest = ?1", id);
  run(work, "DELETE FROM summary_manifests WHERE id = ?1", id);
  dropFacets(work, repository, digest);
}

function chainsOf(digests: readonly string[]): Uint8Array[] {
  const hash = createHash("sha256");
  return digests.map((digest) => {
    hash.update(`${digest}\n`);
    return new Uint8Array(hash.copy().digest().subarray(0, chainBytes));
  });
}
