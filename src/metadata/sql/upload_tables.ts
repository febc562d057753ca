/** Upload sessions (`../uploads.ts`) as tables. */
import {
  partsName,
  tailName,
  uploads,
  type UploadChange,
  type UploadPartRow,
  type UploadReads,
  type UploadRow,
} from "../uploads.ts";
import { give, take, written } from "./object_tables.ts";
import type { RecordTables, RecordWork } from "./record_tables.ts";
import { run, tell, type Rule } from "./statements.ts";

const sql = {
  upload:
    "SELECT size AS sizeBytes, sha256, sha512, file, finished, holder, until, touched FROM uploads WHERE id = ?1",
  uploadMark: "SELECT mark FROM uploads WHERE id = ?1",
  uploadParts:
    "SELECT number, tag, size AS sizeBytes FROM uploads_parts WHERE upload = ?1 ORDER BY number",
  uploadPartsKey:
    "SELECT k.key AS key, k.upload AS upload FROM objects_names n CROSS JOIN objects_keys k ON k.key = n.key " +
    "WHERE n.repository = ?1 AND n.name = ?2",
  uploadIds: "SELECT id FROM uploads WHERE id > ''",
} as const;

const inserts = {
  create:
    "INSERT INTO uploads (id, repository, size, finished, until, touched, mark) VALUES (?1, ?2, 0, 0, 0, ?3, '')",
  addPart: "INSERT INTO uploads_parts (upload, number, tag, size) VALUES (?1, ?2, ?3, ?4)",
} as const;

const writes = {
  take: "UPDATE uploads SET holder = ?2, until = ?4 WHERE id = ?1 AND (holder IS NULL OR until <= ?3)",
  renew: "UPDATE uploads SET until = ?3 WHERE id = ?1 AND holder = ?2",
  change:
    "UPDATE uploads SET size = ?3, sha256 = ?4, sha512 = ?5, file = ?6, touched = ?7, mark = ?8 " +
    "WHERE id = ?1 AND holder = ?2",
  finish: "UPDATE uploads SET finished = 1 WHERE id = ?1 AND holder = ?2",
  release: "UPDATE uploads SET holder = NULL WHERE id = ?1 AND holder = ?2",
  discard: "DELETE FROM uploads WHERE id = ?1 AND holder = ?2",
  forgetParts: "DELETE FROM uploads_parts WHERE upload = ?1",
} as const;

export const uploadTables: RecordTables<UploadChange, UploadReads> = {
  store: uploads,
  steps: [
    {
      version: 1,
      summary: "upload sessions that any replica goes on with",
      sql: `
        CREATE TABLE uploads (
          id         TEXT NOT NULL PRIMARY KEY,
          repository TEXT NOT NULL,
          size       INTEGER NOT NULL,     -- bytes that are stored
          sha256     TEXT,                 -- of them, where it is known
          sha512     TEXT,
          file       TEXT,                 -- with all of them, on the machine of who wrote last
          finished   INTEGER NOT NULL,
          holder     TEXT,                 -- who changes it; null when nobody does
          until      INTEGER NOT NULL,     -- when the holder is taken for dead
          touched    INTEGER NOT NULL,     -- when its bytes changed last
          mark       TEXT NOT NULL         -- of the last change
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE uploads_parts (
          upload TEXT NOT NULL,
          number INTEGER NOT NULL,
          tag    TEXT NOT NULL,
          size   INTEGER NOT NULL,
          PRIMARY KEY (upload, number)
        ) STRICT, WITHOUT ROWID;
      `,
    },
  ],
  sql: { ...sql, ...writes },
  frees: ({ kind }) => kind === "discard",
  apply,
  reads: ({ get: one, all: many }) => ({
    upload: async (id) => one<UploadRow>(sql.upload, id),
    mark: async (id) => (await one<{ mark: string }>(sql.uploadMark, id))?.mark ?? null,
    parts: async (id) => many<UploadPartRow>(sql.uploadParts, id),
    partsKey: async (id) => {
      const { repository, name } = partsName(id);
      return one(sql.uploadPartsKey, repository, name);
    },
    ids: async () => many(sql.uploadIds),
  }),
};

function* apply(work: RecordWork, change: UploadChange): Rule<void> {
  const { id } = change;
  switch (change.kind) {
    case "create":
      yield* tell(work, inserts.create, id, change.repository, work.now);
      return;
    case "take": {
      const until = work.now + change.lastsMs;
      yield* tell(work, writes.take, id, change.holder, work.now, until);
      return;
    }
    case "renew":
      yield* tell(work, writes.renew, id, change.holder, work.now + change.lastsMs);
      return;
    case "begin-parts":
      yield* beginParts(work, change);
      return;
    case "change":
      yield* changed(work, change);
      return;
    case "end":
      yield* end(work, change);
      return;
    case "release":
      yield* tell(work, writes.release, id, change.holder);
      return;
    case "discard":
      yield* discard(work, change);
      return;
  }
}

type Of<Kind extends UploadChange["kind"]> = Extract<UploadChange, { kind: Kind }>;

function* beginParts(work: RecordWork, { id, holder, key }: Of<"begin-parts">): Rule<void> {
  // Whose it is is looked at by a statement that changes nothing.
  const isOurs = "UPDATE uploads SET holder = ?2 WHERE id = ?1 AND holder = ?2";
  if ((yield* run(work, isOurs, id, holder)) === 0) return;
  yield* tell(work, writes.forgetParts, id);
  yield* give(work, partsName(id), key);
}

function* changed(work: RecordWork, change: Of<"change">): Rule<void> {
  const { id, holder, sizeBytes, sha256, sha512, file, mark, tail, newParts, content } = change;
  const values = [id, holder, sizeBytes, sha256, sha512, file, work.now, mark] as const;
  if ((yield* run(work, writes.change, ...values)) === 0) return;
  if (tail === null) yield* take(work, tailName(id));
  else if (tail !== undefined) {
    yield* written(work, tail);
    yield* give(work, tailName(id), tail.key);
  }
  if (newParts === null) {
    yield* tell(work, writes.forgetParts, id);
    yield* take(work, partsName(id));
  }
  for (const part of newParts ?? []) {
    yield* tell(work, inserts.addPart, id, part.number, part.tag, part.sizeBytes);
  }
  if (content !== undefined && tail !== undefined && tail !== null) {
    yield* give(work, content, tail.key);
    yield* tell(work, writes.finish, id, holder);
  }
  if (change.release) yield* tell(work, writes.release, id, holder);
}

function* end(work: RecordWork, change: Of<"end">): Rule<void> {
  const { id, holder, object, content } = change;
  if ((yield* run(work, writes.discard, id, holder)) === 0) {
    throw new Error("storage: the upload was given to another holder, or has ended");
  }
  yield* written(work, object);
  yield* give(work, content, object.key);
  yield* forget(work, id);
}

function* discard(work: RecordWork, { id, holder }: Of<"discard">): Rule<void> {
  if ((yield* run(work, writes.discard, id, holder)) > 0) yield* forget(work, id);
}

function* forget(work: RecordWork, id: string): Rule<void> {
  yield* tell(work, writes.forgetParts, id);
  yield* take(work, tailName(id));
  yield* take(work, partsName(id));
}
