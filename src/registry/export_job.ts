/**
 * The job that exports the metadata to the store that has the content: who has lost one still has the other.
 *
 * The first export comes an hour after a registry was first served; one that fails is tried again soon.
 */
import { objects } from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import type { Registry } from "./registry.ts";
import type { RegistryJob } from "./registry_job.ts";

/** Writes what the registry knows to where its bytes lie. */
export interface MetadataExporter {
  /** Writes one more, and removes all but the newest `kept`. */
  write(kept: number, signal: AbortSignal): Promise<MetadataExport>;
}

export interface MetadataExport {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly lines: number;
  readonly sizeBytes: number;
  /** Older ones that were removed. */
  readonly removed: number;
}

export interface ExportSettings {
  /** Milliseconds between two exports; 0 for none. */
  readonly exportInterval: number;
  readonly exportsKept: number;
}

export interface ExportJobOptions {
  readonly registry: Registry;
  /** Null where metadata are not exported. */
  readonly exporter: MetadataExporter | null;
  readonly exports: () => ExportSettings;
}

const looksEveryMs = 60_000;
const firstAfterMs = 60 * 60_000;
/** One that failed is tried again after so long. */
const againMs = 10 * 60_000;

/** What is kept of the last one. */
interface LastExport {
  /** When the next interval began. */
  readonly at: number;
}

export function exportJob(options: ExportJobOptions): Omit<RegistryJob, "name" | "lease"> {
  return { everyMs: looksEveryMs, followsCommits: false, run: (signal) => run(options, signal) };
}

async function run(
  { registry, exporter, exports }: ExportJobOptions,
  signal: AbortSignal,
): Promise<number | null> {
  const { exportInterval, exportsKept } = exports();
  if (exporter === null || exportInterval === 0) return null;
  const { metadata, clock, report } = registry;
  const now = clock.now();
  const text = await metadata.records(objects).value("export");
  const last = text === null ? null : (JSON.parse(text) as LastExport);
  if (last === null) {
    await note(registry, { at: now - exportInterval + firstAfterMs });
    return null;
  }
  // Whichever way the clock was set meanwhile.
  if (Math.abs(now - last.at) < exportInterval) return null;
  try {
    const { removed, ...written } = await exporter.write(exportsKept, signal);
    await note(registry, { at: now });
    report("info", "the metadata were exported", { module: "export", ...written, removed });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    report("error", "the metadata could not be exported; it is tried again", {
      module: "export",
      problem: error instanceof Error ? error.message : String(error),
    });
    return againMs;
  }
}

async function note({ metadata }: Registry, last: LastExport): Promise<void> {
  const text = JSON.stringify(last);
  await metadata.commit(recordCommit(objects, { kind: "set", value: "export", text }));
}
