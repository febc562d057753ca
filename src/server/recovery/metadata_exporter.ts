/** Writes exports of the metadata into the bucket that they belong to, and keeps the newest ones. */
import packageJson from "../../../package.json" with { type: "json" };
import type { Clock } from "../../lib/clock.ts";
import type { RowStore } from "../../metadata/rows/row_store.ts";
import { ExportFile } from "../../storage/filesystem/export_files.ts";
import { exportName, putExport, removeOldExports } from "../../storage/objects/metadata_exports.ts";
import { ObjectStoreRefused, type ObjectStore } from "../../storage/objects/object_store.ts";
import { readRegistry, registryKey } from "../../storage/objects/registry_id.ts";
import type { MetadataExport, MetadataExporter } from "../../registry/export_job.ts";
import { writeExport } from "./export_lines.ts";

export interface ExporterParts {
  readonly store: ObjectStore;
  readonly openRows: () => Promise<RowStore>;
  readonly rootDirectory: string;
  readonly clock: Clock;
}

export function metadataExporter(parts: ExporterParts): MetadataExporter {
  return { write: (kept, signal) => exportMetadata(parts, kept, signal) };
}

async function exportMetadata(
  { store, openRows, rootDirectory, clock }: ExporterParts,
  kept: number,
  signal: AbortSignal,
): Promise<MetadataExport> {
  const mark = await readRegistry(store);
  if (mark === null) throw new ObjectStoreRefused(`${registryKey} is gone from the bucket`);
  // Before the snapshot: what it has is at least of that moment.
  const at = clock.now();
  const head = {
    registry: mark.id,
    at: new Date(at).toISOString(),
    program: packageJson.version,
  };
  await using file = await ExportFile.in(rootDirectory);
  const rows = await openRows();
  try {
    const lines = await rows.snapshot((snapshot) =>
      writeExport(file, { snapshot, head }, { clock, signal }),
    );
    const name = exportName(at);
    await putExport(store, name, file.bytes());
    const removed = await removeOldExports(store, kept);
    return { name, at, lines, sizeBytes: file.bytes().size, removed };
  } finally {
    await rows.close();
  }
}
