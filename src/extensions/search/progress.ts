/** How far the summaries of what was there before search are: until then lists and searches may miss something. */
import type { App } from "../../api/app.ts";
import type { Call } from "../../http/call.ts";
import type { Reply } from "../../http/endpoint.ts";
import { jsonReply } from "../../http/reply.ts";
import { followers } from "../../metadata/followers.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import { summaries, summaryVersion } from "../../metadata/summaries.ts";
import { usage } from "../../metadata/usage.ts";
import { followerName } from "./follow.ts";
import type { RepositoryIndex } from "./repository_index.ts";

/** Repositories that no round has looked at and that are looked at here: new ones are followed from their first push. */
const newMax = 64;

/** GET. How many repositories there are is told to administrators. */
export async function getProgress(
  { caller }: Call,
  { registry }: App,
  index: RepositoryIndex,
): Promise<Reply> {
  const { metadata } = registry;
  const feed = metadata.records(followers);
  const cursor = await feed.cursor(followerName);
  const { done, all } =
    cursor === null ? await nothingDone(metadata) : await doneOf(metadata, index);
  const isIndexing = done < all || cursor === null;
  const body = {
    isIndexing,
    percent: isIndexing ? Math.min(99, Math.floor((100 * done) / Math.max(all, 1))) : 100,
    behind: cursor === null ? 0 : Math.max(0, (await feed.end()) - cursor),
    repositories: caller.isAdministrator() ? { done, all } : null,
  };
  return jsonReply(200, body, { "cache-control": "no-store" });
}

interface Done {
  readonly done: number;
  readonly all: number;
}

async function nothingDone(metadata: Metadata): Promise<Done> {
  const { all } = await metadata.records(summaries).progress(0);
  return { done: 0, all };
}

async function doneOf(metadata: Metadata, index: RepositoryIndex): Promise<Done> {
  const reads = metadata.records(summaries);
  const { round, version } = await reads.round();
  if (version < summaryVersion) return nothingDone(metadata);
  const unlooked = await reads.unlooked(round, newMax + 1);
  const { all, looked } = await reads.progress(round);
  if (unlooked.length > newMax) return { done: looked, all };
  await index.refresh();
  let done = all - unlooked.length;
  for (const name of unlooked) {
    const held = await metadata.records(usage).repository(name);
    if ((held?.tags ?? 0) <= (index.find(name)?.images ?? 0)) done += 1;
  }
  return { done, all };
}
