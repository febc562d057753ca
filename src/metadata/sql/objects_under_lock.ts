/** Bytes in a store of objects, as a commit looks at them: by their rows, in its transaction. */
import type { BytesUnderLock, Quarantined } from "./bytes_under_lock.ts";
import { give, keyOf, take } from "./object_tables.ts";
import type { RecordWork } from "./record_tables.ts";
import type { Rule } from "./statements.ts";

/** The repository of what lies in quarantine. */
const quarantine = "";

export const objectsUnderLock: BytesUnderLock = {
  *present(work, repository, digest) {
    return (yield* keyOf(work, { repository, name: digest })) !== null;
  },
  remove: (work, repository, digest) => take(work, { repository, name: digest }),
  stamp: (work, repository, digest) => keyOf(work, { repository, name: digest }),
  *quarantine(work, repository, digest, to) {
    const found = yield* keyOf(work, { repository, name: digest });
    const kept = yield* keptAs(work, to);
    if (found === null) return kept.isThere ? kept.name : null;
    if (found !== to.stamp) return null;
    yield* give(work, { repository: quarantine, name: kept.name }, to.stamp);
    yield* take(work, { repository, name: digest });
    return kept.name;
  },
};

/** The first name of its kind that is free, or its own already. */
function* keptAs(
  work: RecordWork,
  { stamp, name }: Quarantined,
): Rule<{ readonly name: string; readonly isThere: boolean }> {
  for (let count = 1; ; count += 1) {
    const tried = count === 1 ? name : `${name}.${count}`;
    const other = yield* keyOf(work, { repository: quarantine, name: tried });
    if (other === null || other === stamp) return { name: tried, isThere: other !== null };
  }
}
