/** A copy of a root's metadata, which may change and is forgotten, for dry runs. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { SqliteMetadata } from "../metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter, type SqliteWriterOptions } from "../metadata/sqlite/sqlite_writer.ts";
import { metadataFile } from "../storage/layout.ts";
import { claimRoot, type Claim } from "../storage/root_lock.ts";
import type { Writer, WriterHooks } from "./root.ts";

export class MetadataCopy {
  readonly #directory = mkdtempSync(join(tmpdir(), "zot-copy-"));

  /** Copies what is there. */
  fill(rootDirectory: string): void {
    for (const end of ["", "-wal"]) {
      const from = `${join(rootDirectory, metadataFile)}${end}`;
      if (existsSync(from)) copyFileSync(from, `${this.#path()}${end}`);
    }
  }

  /** Closing it removes the copy. */
  openWriter(hooks: WriterHooks, bytes: SqliteWriterOptions["bytes"]): Writer {
    const writer = new SqliteWriter({ path: this.#path(), durable: false, bytes, ...hooks });
    return {
      committer: writer,
      lost: new Promise(() => undefined),
      probe: async () => undefined,
      close: async () => {
        await writer.close();
        rmSync(this.#directory, { recursive: true, force: true });
      },
    };
  }

  openMetadata(committer: Committer): Metadata {
    return new SqliteMetadata(this.#path(), committer);
  }

  #path(): string {
    return join(this.#directory, "metadata.db");
  }
}

/** A server may not change what is copied; one cannot run on a root that cannot be written. */
export function claimToCopy(rootDirectory: string): Claim {
  try {
    return claimRoot(rootDirectory, "alone");
  } catch (error) {
    const cause: unknown = error instanceof Error ? (error.cause ?? error) : error;
    const code = (cause as { code?: unknown }).code;
    if (code === "EROFS" || code === "EACCES") return { release: () => undefined };
    throw error;
  }
}
