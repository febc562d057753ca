/** Where a root has its metadata, as roots open it: SQLite in the root directory, or a database of PostgreSQL. */
import type { Leases } from "../lib/lease.ts";
import type { Log } from "../lib/log.ts";
import type { Metadata } from "../metadata/metadata.ts";
import type { RowStore } from "../metadata/rows/row_store.ts";
import type { BytesUnderLock } from "../metadata/sql/bytes_under_lock.ts";
import type { Claim } from "../storage/root_lock.ts";
import type { MetadataView, Writer, WriterHooks } from "./root.ts";

export interface MetadataPlace {
  readonly leases: Leases;
  /** As a person finds it, without secrets. */
  readonly name: string;
  /** Makes the root directory, and says what is unwise about it. @throws with one line for the operator. */
  make(): readonly string[];
  /** Keeps other servers away from the root directory. @throws with one line for the operator. */
  claim(log: Pick<Log, "warn">): Claim;
  /** Keeps space for deletes where the metadata are files; the primary's. */
  reserve(): unknown;
  /** The primary's, which opens it once. @throws with one line for the operator. */
  openWriter(hooks: WriterHooks, bytes: BytesUnderLock): Promise<Writer>;
  openMetadata(view: MetadataView): Metadata;
  /** The rows as they are; nothing is made. @throws with one line where no registry was ever served from here. */
  openRows(how: { readonly readonly: boolean }): Promise<RowStore>;
  /** For a registry that is read as a whole: no server changes it, and nothing is written. @throws where one serves it. */
  claimToRead(): Promise<Claim>;
}
