/**
 * Layouts that could be read in part: an index.json or a manifest was damaged or missing, and what it named is not known.
 *
 * Collection leaves such a repository alone for a month, or until its layout was read in whole: then the files that seem
 * to have no name are still there for whoever mends it.
 */
import { collection } from "../../metadata/collection.ts";
import { recordCommit } from "../../metadata/records.ts";
import type { Registry } from "../registry.ts";

const dayMs = 24 * 60 * 60_000;
export const unreadKeptDays = 30;

/** Notes how much of a layout could be read in just now. */
export async function noteRead(
  { metadata, clock }: Registry,
  repository: string,
  read: "whole" | "in part",
): Promise<void> {
  const name = `unread ${repository}` as const;
  const until = read === "in part" ? clock.now() + unreadKeptDays * dayMs : 0;
  const known = Number((await metadata.records(collection).value(name)) ?? 0);
  if (until === 0 && known === 0) return;
  await metadata.commit(recordCommit(collection, { kind: "set", name, value: String(until) }));
}

/** Until when collection leaves the repository alone, to be asked again each day; null where it does not. */
export async function unreadUntil(
  { metadata, clock }: Registry,
  repository: string,
): Promise<number | null> {
  const now = clock.now();
  const until = Number((await metadata.records(collection).value(`unread ${repository}`)) ?? 0);
  return until > now ? Math.min(until, now + dayMs) : null;
}
