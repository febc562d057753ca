/**
 * What happened lately, and who is asking: for pages that show a registry as it changes.
 *
 * Whoever asks is told of repositories that it may read. Who did it is told to callers who have logged in, as in the
 * history of a tag. A page has an entity tag, which changes with what the caller is told: asking again costs one number
 * while nothing at all happened. How much happens elsewhere is told to nobody: numbers of records are sealed for each
 * caller.
 */
import { createHash } from "node:crypto";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { emptyReply, jsonReply } from "../http/reply.ts";
import { matchesEntityTag } from "../lib/http_fields.ts";
import { stepsPerEntry } from "../lib/request_budget.ts";
import { openNumber, sealNumber } from "../lib/sealed_number.ts";
import type { FeedRecord } from "../metadata/metadata.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { isPresentName } from "../oci/past_name.ts";
import { activityIn, lastActivity, recentActivity } from "../registry/history/activity.ts";
import { shorten, type App } from "./app.ts";
import { countParameter } from "./lists.ts";
import { shownTags } from "./shown_tags.ts";

const countDefault = 20;
const countMax = 200;
const noStore = { "cache-control": "no-store" };
/** A page asks again, and says what it has. */
const revalidated = { "cache-control": "private, no-cache" };

/** GET: tags that were set or removed and manifests that were deleted, newest first. */
export async function getActivity(call: Call, app: App): Promise<Reply> {
  const { caller, budget, query } = call;
  const who = whoAsks(call);
  const { tags } = app.activity;
  const key = await app.activity.key();
  const last = query.get("last");
  const before = last === null ? null : openNumber(key, who, last);
  if (last !== null && before === null) throw notOurs(last);
  const count = Math.min(countParameter(query.get("n")) ?? countDefault, countMax);
  const end = await lastActivity(app.registry);
  const name = repositoryParameter(query.get("repository"));
  const question = JSON.stringify([who, before, count, name]);
  const known = tags.get(question);
  if (known?.end === end && isKnown(call, known.tag)) return unchanged(known.tag);
  const mayRead = (repository: string): boolean => {
    budget.grant(stepsPerEntry);
    return caller.may("read", repository);
  };
  const shows = shownTags(call);
  const mayShow = ({ repository, tag }: FeedRecord): boolean =>
    mayRead(repository) && (shows === null || tag === null || shows(repository, tag));
  const { items, next } =
    name === null
      ? await recentActivity(app.registry, { before, count, mayShow })
      : await activityIn(app.registry, name, { count, mayShow, mayRead });
  const showsWho = app.auth === null || call.by !== null;
  const activity = items.map((record) => ({
    id: sealNumber(key, who, record.sequence),
    ...told(record, showsWho),
  }));
  const page = { activity, next: next === null ? null : sealNumber(key, who, next) };
  const tag = createHash("sha256").update(question).update(JSON.stringify(page)).digest("hex");
  tags.set(question, { end, tag });
  return isKnown(call, tag) ? unchanged(tag) : jsonReply(200, page, tagged(tag));
}

function isKnown(call: Call, tag: string): boolean {
  const condition = call.header("if-none-match");
  return condition !== null && matchesEntityTag(condition, tag);
}

function unchanged(tag: string): Reply {
  return emptyReply(304, tagged(tag));
}

function tagged(tag: string): Record<string, string> {
  return { ...revalidated, etag: `"${tag}"` };
}

/** What a browser keeps of one caller is no answer to the next one. */
function whoAsks({ caller: { identity } }: Call): string {
  const { name, groups, provenBy, scope, keyId = null } = identity;
  const who = JSON.stringify([name, groups, provenBy, scope, keyId]);
  return createHash("sha256").update(who).digest("hex").slice(0, 32);
}

function told({ repository, tag, digest, previous, at, by }: FeedRecord, who: boolean) {
  return {
    name: repository,
    tag,
    event: tag === null ? "deleted" : digest === null ? "untagged" : "tagged",
    digest,
    previous,
    at: new Date(at).toISOString(),
    by: who ? by : null,
  };
}

/** GET: the caller, as the registry knows it. */
export async function getCaller({ caller }: Call): Promise<Reply> {
  return jsonReply(200, { name: caller.name, isAdministrator: caller.isAdministrator() }, noStore);
}

function repositoryParameter(text: string | null): string | null {
  if (text === null || isPresentName(text)) return text;
  throw apiError("PARAMETER_INVALID", {
    message: `Expected repository=<a name such as team/app>, got ${shorten(text)}`,
  });
}

function notOurs(text: string): ApiError {
  return apiError("PARAMETER_INVALID", {
    message: `Expected last= as next of the page before has it, got ${shorten(text)}`,
  });
}
