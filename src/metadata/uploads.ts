/**
 * Upload sessions that any replica goes on with, as rows: what is held, where it lies in a store of objects, and who
 * changes it, until when by the clock of the database.
 *
 * Objects of a session are named by it (`objects.ts`), under a repository that no repository can be called: so they stay
 * while it lasts, and what loses its last name with it is garbage in the same commit.
 */
import type { ObjectName } from "./objects.ts";
import type { RecordStore } from "./records.ts";

/** What names the tail of a session, or all of it. */
export const tailName = (id: string): ObjectName => ({ repository: ":uploads", name: id });
/** What names the object that its parts are to become. */
export const partsName = (id: string): ObjectName => ({
  repository: ":uploads",
  name: `${id}/parts`,
});

export interface UploadPartRow {
  readonly number: number;
  readonly tag: string;
  readonly sizeBytes: number;
}

export interface UploadRow {
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly sha512: string | null;
  readonly file: string | null;
  readonly finished: number;
  readonly holder: string | null;
  readonly until: number;
  readonly touched: number;
}

type Held = { readonly id: string; readonly holder: string };

export type UploadChange =
  | { readonly kind: "create"; readonly id: string; readonly repository: string }
  /** Nothing while another one holds it: who asked looks. */
  | (Held & { readonly kind: "take"; readonly lastsMs: number })
  /** These do nothing where another one holds it: who asked looks. */
  | (Held & { readonly kind: "renew"; readonly lastsMs: number })
  | (Held & { readonly kind: "begin-parts"; readonly key: string })
  | (Held & {
      readonly kind: "change";
      readonly sizeBytes: number;
      readonly sha256: string | null;
      readonly sha512: string | null;
      readonly file: string | null;
      /** Undefined leaves them as they are, null forgets all. */
      readonly newParts?: readonly UploadPartRow[] | null | undefined;
      readonly tail?: { readonly key: string; readonly sizeBytes: number } | null | undefined;
      readonly content?: ObjectName | undefined;
      /** Names this change: who asks whether it was made finds it there. */
      readonly mark: string;
      readonly release: boolean;
    })
  /** Names its bytes, and ends it. Fails where another one holds it: the commit that it is part of must not happen. */
  | (Held & {
      readonly kind: "end";
      readonly object: { readonly key: string; readonly sizeBytes: number };
      readonly content: ObjectName;
    })
  | (Held & { readonly kind: "release" })
  | (Held & { readonly kind: "discard" });

export interface UploadReads {
  upload(id: string): Promise<UploadRow | null>;
  /** The mark of the last change. */
  mark(id: string): Promise<string | null>;
  parts(id: string): Promise<readonly UploadPartRow[]>;
  /** What names its unfinished parts for the driver. */
  partsKey(id: string): Promise<{ readonly key: string; readonly upload: string | null } | null>;
  ids(): Promise<readonly { readonly id: string }[]>;
}

export const uploads: RecordStore<UploadChange, UploadReads> = { name: "uploads" };
