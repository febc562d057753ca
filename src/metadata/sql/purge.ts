/**
 * Removes content for good, held or not, with everything that it alone names: nothing of it is kept for an undo, and
 * history says why.
 */
import type { Change } from "../metadata.ts";
import { releaseHeld } from "./held.ts";
import { removeManifest, unlinkBlob, type Work } from "./remove.ts";
import { all, get, type Rule } from "./statements.ts";
import { writeHistory } from "./write_history.ts";

type Purge = Extract<Change, { kind: "purge" }>;

export function* purge(work: Work, id: number, { digest, reason, spares = [] }: Purge): Rule<void> {
  const spared = new Set(spares);
  const queue: string[] = [digest];
  const seen = new Set<string>(queue);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next !== digest && (spared.has(next) || (yield* isNeeded(work, id, next)))) {
      // What needs it may go as well, and be the last that did.
      seen.delete(next);
      continue;
    }
    const children = yield* childrenOf(work, id, next);
    yield* purgeOne(work, id, next, reason);
    for (const child of children) {
      if (seen.has(child)) continue;
      seen.add(child);
      queue.push(child);
    }
  }
}

function* purgeOne(work: Work, id: number, digest: string, reason: string): Rule<void> {
  const wasManifest = yield* removeManifest(work, id, digest, { reason });
  yield* unlinkBlob(work, id, digest);
  const isHeldManifest =
    (yield* get(
      work,
      "SELECT 1 FROM held_manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    )) !== null;
  yield* releaseHeld(work, id, digest);
  if (!isHeldManifest || wasManifest) return;
  // Its removal was told before, and this is another one.
  const previous = { digest, at: work.now };
  yield* writeHistory(work, id, { tag: null, digest: null, previous, reason });
}

/** What a manifest names, live or held. */
function* childrenOf(work: Work, id: number, digest: string): Rule<string[]> {
  const text =
    "SELECT child FROM manifest_references INDEXED BY manifest_references_parent " +
    "WHERE repository = ?1 AND parent = ?2 UNION ALL " +
    "SELECT child FROM held_references INDEXED BY held_references_parent " +
    "WHERE repository = ?1 AND parent = ?2";
  return (yield* all(work, text, id, digest)).map((row) => String(row["child"]));
}

/** Whether a tag, or another manifest, live or held, names it, or it is about a manifest that is here. */
function* isNeeded(work: Work, id: number, digest: string): Rule<boolean> {
  const texts = [
    "SELECT 1 FROM tags WHERE repository = ? AND digest = ? LIMIT 1",
    "SELECT 1 FROM manifest_references WHERE repository = ? AND child = ? LIMIT 1",
    "SELECT 1 FROM held_references WHERE repository = ? AND child = ? LIMIT 1",
    "SELECT 1 FROM manifests m CROSS JOIN manifests s ON s.repository = m.repository AND s.digest = m.subject " +
      "WHERE m.repository = ? AND m.digest = ?",
  ];
  for (const text of texts) {
    if ((yield* get(work, text, id, digest)) !== null) return true;
  }
  return false;
}
