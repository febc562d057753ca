/** Statements that read what `index.json` must list. */

const columns = "m.digest AS digest, m.media_type AS mediaType, m.size AS sizeBytes";

/** Every statement, for the test of their query plans. */
export const layoutSql = {
  layout:
    "SELECT r.id AS id, r.name AS name, r.generation AS generation, r.origin AS origin, " +
    "(SELECT host FROM mirror_origins WHERE repository = r.name) AS upstream " +
    "FROM repositories r WHERE r.name = ?1 AND r.removed_at IS NULL",
  tagged:
    `SELECT t.name AS tag, ${columns} FROM tags t ` +
    "JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest " +
    "WHERE t.repository = ?1 AND t.name > ?2 ORDER BY t.name LIMIT ?3",
  untagged:
    `SELECT NULL AS tag, ${columns} FROM manifests m WHERE m.repository = ?1 AND m.digest > ?2 ` +
    "AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest) " +
    "ORDER BY m.digest LIMIT ?3",
  isCachedTag:
    "SELECT 1 AS found FROM mirror_tags WHERE repository = ?1 AND tag = ?2 AND digest = ?3",
  isCachedManifest: "SELECT 1 AS found FROM mirror_manifests WHERE repository = ?1 AND digest = ?2",
} as const;
