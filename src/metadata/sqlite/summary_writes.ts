/**
 * What changes of summaries (`../summaries.ts`) write. What tags and manifests are is read in the same transaction, so
 * that nothing here depends on when a change was made.
 */
import { createHash } from "node:crypto";
import { isImageTag, summaryVersion, type NewSummary, type SummaryChange } from "../summaries.ts";
import type { RecordWork } from "../sql/record_tables.ts";
import { all, get, run, type Row, type Rule, tell } from "../sql/statements.ts";
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
  ) => Rule<unknown>;
};

const appliers: Appliers = {
  summarise(work, id, { summary }) {
    return writeSummary(work, id, summary);
  },
  *"set-images"(work, id, { repository, tags }) {
    let more = 0;
    for (const tag of tags) more += yield* setImage(work, { id, name: repository }, tag);
    yield* refreshRepository(work, id, { name: repository, counts: { images: more } });
  },
  *forget(work, id, { repository, digests }) {
    let fewer = 0;
    for (const digest of digests) fewer += yield* forget(work, id, digest);
    if (fewer > 0)
      yield* refreshRepository(work, id, { name: repository, counts: { images: -fewer } });
  },
  refresh(work, id, { repository }) {
    return refreshRepository(work, id, { name: repository, counts: "anew" });
  },
  *"begin-round"(work, _id, { version }) {
    yield* tell(work, "UPDATE summary_counters SET value = value + 1 WHERE name = 'round'");
    yield* tell(work, "UPDATE summary_counters SET value = ?1 WHERE name = 'made'", version);
  },
  "end-repository"(work, id, { round }) {
    return tell(
      work,
      "INSERT INTO summary_looks (repository, round) VALUES (?1, ?2) " +
        "ON CONFLICT (repository) DO UPDATE SET round = max(summary_looks.round, excluded.round)",
      id,
      round,
    );
  },
  *toggle(work, id, { preference, user, repository }) {
    const removed = yield* run(
      work,
      'DELETE FROM summary_preferences WHERE "user" = ?1 AND preference = ?2 AND repository = ?3',
      user,
      preference,
      id,
    );
    if (removed === 0) {
      yield* tell(
        work,
        "INSERT INTO summary_preferences VALUES (?1, ?2, ?3)",
        user,
        preference,
        id,
      );
    }
    if (preference === "star") {
      yield* refreshRepository(work, id, { name: repository, counts: { images: 0 } });
    }
  },
};

export function* applySummaryChange(work: RecordWork, change: SummaryChange): Rule<void> {
  const apply = appliers[change.kind] as (
    w: RecordWork,
    id: number,
    c: SummaryChange,
  ) => Rule<unknown>;
  if (change.kind === "begin-round") {
    yield* apply(work, 0, change);
    return;
  }
  const row = yield* get(work, "SELECT id FROM repositories WHERE name = ?1", change.repository);
  if (row !== null) yield* apply(work, Number(row["id"]), change);
}

function* writeSummary(work: RecordWork, repository: number, summary: NewSummary): Rule<void> {
  const { digest, layers } = summary;
  const found = yield* get(
    work,
    "SELECT (SELECT s.id FROM summary_manifests s WHERE s.repository = ?1 AND s.digest = ?2) AS id " +
      "FROM manifests WHERE repository = ?1 AND digest = ?2",
    repository,
    digest,
  );
  if (found === null) return;
  const chains = chainsOf(layers.slice(0, rowsMax).map((layer) => layer.digest));
  const whole = chains.length === layers.length ? (chains.at(-1) ?? null) : null;
  const id = yield* upsert(work, repository, summary, whole);
  if (found["id"] !== null) yield* clear(work, id, summary.updatedAt);
  yield* writeLayers(work, id, layers.slice(0, rowsMax), chains);
  yield* writeChildren(work, { repository, id }, summary);
}

/** There was a summary of it: what hangs on it is written anew. */
function* clear(work: RecordWork, id: number, updatedAt: number | null): Rule<void> {
  yield* tell(work, "DELETE FROM summary_layers WHERE manifest = ?1", id);
  yield* tell(work, "DELETE FROM summary_children WHERE manifest = ?1", id);
  yield* tell(
    work,
    "UPDATE summary_images SET updated_at = ?2 WHERE manifest = ?1 AND updated_at IS NOT ?2",
    id,
    updatedAt,
  );
}

/** One statement for all of them: each costs more than a row. */
function* writeLayers(
  work: RecordWork,
  id: number,
  layers: NewSummary["layers"],
  chains: readonly Uint8Array[],
): Rule<void> {
  if (layers.length === 0) return;
  const rows = layers.map(({ digest, sizeBytes }, at) => [digest, sizeBytes, chains[at]?.toHex()]);
  yield* tell(
    work,
    "INSERT INTO summary_layers (manifest, position, digest, size, chain) " +
      "SELECT ?1, key, value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?2)",
    id,
    JSON.stringify(rows),
  );
}

function* upsert(
  work: RecordWork,
  repository: number,
  summary: NewSummary,
  chain: Uint8Array | null,
): Rule<number> {
  const { digest, kind, artifactType, config, platform, updatedAt, annotatedAt } = summary;
  const row = yield* get(
    work,
    "INSERT INTO summary_manifests (repository, digest, version, kind, artifact_type, config_digest, config_type, " +
      "os, arch, updated_at, annotated_at, size, texts, vendor, chain) " +
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) " +
      "ON CONFLICT (repository, digest) DO UPDATE SET version = excluded.version, kind = excluded.kind, " +
      "artifact_type = excluded.artifact_type, config_digest = excluded.config_digest, " +
      "config_type = excluded.config_type, os = excluded.os, arch = excluded.arch, " +
      "updated_at = excluded.updated_at, annotated_at = excluded.annotated_at, size = excluded.size, " +
      "texts = excluded.texts, vendor = excluded.vendor, chain = excluded.chain RETURNING id",
    repository,
    digest,
    summary.isPoor === true ? 0 : summaryVersion,
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
  return Number(row["id"]);
}

function* writeChildren(
  work: RecordWork,
  { repository, id }: { readonly repository: number; readonly id: number },
  { children, names }: NewSummary,
): Rule<void> {
  const shown = new Set<string>(children.map(({ digest }) => digest));
  const others = names
    .filter((name) => !shown.has(name))
    .map((digest) => ({ digest, platform: { os: "", arch: "" } }));
  for (const [position, { digest, platform }] of [...children, ...others]
    .slice(0, rowsMax)
    .entries()) {
    yield* tell(
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

/**
 * The image of a tag becomes what the tag says; there is none where it points at nothing that has a summary. Gives how
 * many images there are more: 1, 0 or -1.
 */
function* setImage(
  work: RecordWork,
  repository: { readonly id: number; readonly name: string },
  tag: string,
): Rule<number> {
  const { id, name } = repository;
  const before = yield* get(
    work,
    "SELECT digest FROM summary_images WHERE repository = ?1 AND tag = ?2",
    id,
    tag,
  );
  const now = isImageTag(tag) ? yield* pointedAt(work, id, tag) : null;
  if (now === null) {
    yield* tell(work, "DELETE FROM summary_images WHERE repository = ?1 AND tag = ?2", id, tag);
  } else {
    yield* tell(
      work,
      "INSERT INTO summary_images (repository, tag, name, digest, manifest, updated_at, set_at) " +
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest, " +
        "manifest = excluded.manifest, updated_at = excluded.updated_at, set_at = excluded.set_at",
      id,
      tag,
      name,
      now["digest"] ?? null,
      now["manifest"] ?? null,
      now["updatedAt"] ?? null,
      now["setAt"] ?? null,
    );
    yield* writeFacets(work, id, now);
  }
  if (before !== null && before["digest"] !== now?.["digest"]) {
    yield* dropFacets(work, id, String(before["digest"]));
  }
  return Number(now !== null) - Number(before !== null);
}

function pointedAt(work: RecordWork, id: number, tag: string): Rule<Row | null> {
  return get(
    work,
    "SELECT t.digest AS digest, m.id AS manifest, m.updated_at AS updatedAt, t.set_at AS setAt, m.kind AS kind, " +
      "m.os AS os, m.arch AS arch, m.vendor AS vendor FROM tags t " +
      "JOIN summary_manifests m ON m.repository = t.repository AND m.digest = t.digest " +
      "WHERE t.repository = ?1 AND t.name = ?2",
    id,
    tag,
  );
}

/** Of an image its own platform, of an index those of its images. */
function* writeFacets(
  work: RecordWork,
  repository: number,
  { digest, manifest, kind, os, arch, vendor }: Row,
): Rule<void> {
  yield* tell(
    work,
    "DELETE FROM summary_facets INDEXED BY summary_facets_digest WHERE repository = ?1 AND digest = ?2",
    repository,
    digest ?? null,
  );
  const platforms =
    kind === "image"
      ? [{ os, arch }]
      : yield* all(
          work,
          "SELECT os, arch FROM summary_children WHERE manifest = ?1 AND shown = 1",
          manifest ?? null,
        );
  const facets = platforms.map((each) => ["platform", each["os"] ?? "", each["arch"] ?? ""]);
  if (vendor !== null) facets.push(["vendor", vendor ?? "", ""]);
  for (const [of = "", first = "", second = ""] of facets) {
    if (first === "" && second === "") continue;
    const insert = "INSERT INTO summary_facets VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    yield* tell(work, insert, repository, of, first, second, digest ?? null);
  }
}

/** No tag points there any more. */
function dropFacets(work: RecordWork, repository: number, digest: string): Rule<unknown> {
  return tell(
    work,
    "DELETE FROM summary_facets INDEXED BY summary_facets_digest WHERE repository = ?1 AND digest = ?2 " +
      "AND NOT EXISTS (SELECT 1 FROM summary_manifests m JOIN summary_images i ON i.manifest = m.id " +
      "WHERE m.repository = ?1 AND m.digest = ?2)",
    repository,
    digest,
  );
}

/** Gives how many images there are fewer. */
function* forget(work: RecordWork, repository: number, digest: string): Rule<number> {
  const row = yield* get(
    work,
    "SELECT s.id AS id FROM summary_manifests s WHERE s.repository = ?1 AND s.digest = ?2 AND NOT EXISTS " +
      "(SELECT 1 FROM manifests m WHERE m.repository = ?1 AND m.digest = ?2)",
    repository,
    digest,
  );
  if (row === null) return 0;
  const id = Number(row["id"]);
  for (const table of ["summary_layers", "summary_children"]) {
    yield* tell(work, `DELETE FROM ${table} WHERE manifest = ?1`, id);
  }
  const images = yield* run(work, "DELETE FROM summary_images WHERE manifest = ?1", id);
  yield* tell(work, "DELETE FROM summary_manifests WHERE id = ?1", id);
  yield* dropFacets(work, repository, digest);
  return images;
}

function chainsOf(digests: readonly string[]): Uint8Array[] {
  const hash = createHash("sha256");
  return digests.map((digest) => {
    hash.update(`${digest}\n`);
    return new Uint8Array(hash.copy().digest().subarray(0, chainBytes));
  });
}
