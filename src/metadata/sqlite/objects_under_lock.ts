/** Bytes in a store of objects, as a commit looks at them: by their rows, in its transaction. */
import type { Database } from "bun:sqlite";
import type { BytesUnderLock } from "../metadata.ts";
import { give, keyOf, take } from "../sql/object_tables.ts";
import { finish } from "../sql/statements.ts";
import { SqliteEngine } from "./sqlite_engine.ts";

/** The repository of what lies in quarantine. */
const quarantine = "";

export function objectsUnderLock(database: Database, now: () => number): BytesUnderLock {
  const engine = new SqliteEngine(database);
  const key = (repository: string, name: string): string | null =>
    finish(keyOf({ engine }, { repository, name }));
  const keptAs = (stamp: string, name: string): { name: string; isThere: boolean } => {
    for (let count = 1; ; count += 1) {
      const tried = count === 1 ? name : `${name}.${count}`;
      const other = key(quarantine, tried);
      if (other === null || other === stamp) return { name: tried, isThere: other !== null };
    }
  };
  return {
    present: (repository, digest) => key(repository, digest) !== null,
    remove: (repository, digest) =>
      finish(take({ engine, now: now() }, { repository, name: digest })),
    stamp: (repository, digest) => key(repository, digest),
    quarantine: (repository, digest, { stamp, name }) => {
      const found = key(repository, digest);
      const kept = keptAs(stamp, name);
      if (found === null) return kept.isThere ? kept.name : null;
      if (found !== stamp) return null;
      const work = { engine, now: now() };
      finish(give(work, { repository: quarantine, name: kept.name }, stamp));
      finish(take(work, { repository, name: digest }));
      return kept.name;
    },
  };
}
