// What is left in the database of a root from which everything went.

import { Database } from "bun:sqlite";
import { join } from "node:path";
import { metadataFile } from "../../src/storage/layout.ts";

const emptied = [
  "blobs",
  "manifests",
  "manifest_references",
  "tags",
  "candidates",
  "orphans",
  "held_blobs",
  "held_manifests",
  "held_references",
  "pins",
] as const;

/** A line for each table that has rows. */
export function leftIn(root: string): string[] {
  using database = new Database(join(root, metadataFile), { strict: true });
  return emptied.flatMap((table) => {
    const rows = database.query(`SELECT * FROM ${table}`).all();
    return rows.length === 0 ? [] : [`${table}: ${JSON.stringify(rows[0])} of ${rows.length}`];
  });
}
