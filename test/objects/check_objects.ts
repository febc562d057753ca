// An independent look at a registry over a store of objects, while nothing runs: rows by SQL, objects by the store itself.
//
// Every object has a row and every key that is content has its object, with its size; every named blob and manifest
// leads to such a key, whose bytes have the digest, or to bytes beside the rows; all of those have a name; parts that are
// not complete are named by a row. Knows nothing of the code that it judges but the tables.

import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FakeS3 } from "./fake_s3.ts";

interface KeyRow {
  readonly key: string;
  readonly state: string;
  readonly size: number;
  readonly upload: string | null;
}

interface NamedRow {
  readonly repository: string;
  readonly digest: string;
  readonly size: number;
  readonly key: string | null;
  readonly state: string | null;
  readonly inline: Uint8Array | null;
}

const named = ["blobs", "manifests", "held_blobs", "held_manifests"]
  .map(
    (table) =>
      "SELECT r.name AS repository, t.digest AS digest, t.size AS size, n.key AS key, k.state AS state, i.bytes AS inline " +
      `FROM ${table} t JOIN repositories r ON r.id = t.repository ` +
      "LEFT JOIN objects_names n ON n.repository = r.name AND n.name = t.digest " +
      "LEFT JOIN objects_keys k ON k.key = n.key LEFT JOIN objects_inline i ON i.key = n.key",
  )
  .join(" UNION ALL ");

const unnamed = "SELECT key FROM objects_inline WHERE key NOT IN (SELECT key FROM objects_names)";

/** What is wrong; unfinished parts of a crash between two requests may be left without a row, `partsMax` of them. */
export function checkObjects(root: string, store: FakeS3, partsMax = 0): string[] {
  const database = new Database(join(root, "_zot/metadata.db"), { readonly: true, strict: true });
  try {
    const keys = database
      .query<KeyRow, []>("SELECT key, state, size, upload FROM objects_keys")
      .all();
    const byKey = new Map(keys.map((row) => [row.key, row]));
    const problems: string[] = [];
    for (const [path] of store.objects) {
      if (path !== "registry.json" && !byKey.has(path))
        problems.push(`object without a row: ${path}`);
    }
    for (const { key, state, size } of keys) {
      const found = store.objects.get(key)?.bytes.length;
      if (state === "content" && found !== size) {
        problems.push(`content of ${size} bytes has ${found ?? "no object"}: ${key}`);
      }
    }
    for (const { key } of database.query<{ key: string }, []>(unnamed).all()) {
      problems.push(`bytes that nothing names: ${key}`);
    }
    for (const { repository, digest, size, key, state, inline } of database
      .query<NamedRow, []>(named)
      .all()) {
      const object = key === null ? undefined : store.objects.get(key)?.bytes;
      const bytes = inline ?? object;
      const own = bytes === undefined ? null : createHash("sha256").update(bytes).digest("hex");
      const isThere = inline !== null || state === "content";
      if (isThere && bytes?.length === size && digest === `sha256:${own}`) continue;
      problems.push(`${repository} ${digest} is ${state ?? "named by nothing"}, ${own ?? "gone"}`);
    }
    const uploads = new Set(keys.map(({ upload }) => upload));
    const loose = [...store.uploads.keys()].filter((upload) => !uploads.has(upload));
    if (loose.length > partsMax) problems.push(`parts without a row: ${loose.join(" ")}`);
    return problems;
  } finally {
    database.close();
  }
}
