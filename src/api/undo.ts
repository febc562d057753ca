/**
 * Taking things back over HTTP: a tag, content by its digest, or all that was done since a moment; and removing content
 * for good.
 *
 * To set a tag back takes the right to push it, to remove one the right to delete. A purge takes the right to delete,
 * and while there is a time for undos an administrator: else whoever may delete could keep others from undoing it. The
 * rules are in `registry/history/`.
 */
import { denied } from "../auth/denied.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { parseMoment } from "../lib/moment.ts";
import { parseSpan } from "../lib/span.ts";
import type { JsonObject } from "../lib/strict_json.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { isPresentName } from "../oci/past_name.ts";
import { isTag } from "../oci/reference.ts";
import { applyUndo, planUndo, stepsMax, type UndoStep } from "../registry/history/mishap.ts";
import { purgeContent } from "../registry/history/purge_content.ts";
import { restoreTag, undelete } from "../registry/history/restore.ts";
import { anyTag, type TagRules } from "../registry/tag_rule.ts";
import { invalidTag, shorten, type App } from "./app.ts";
import { checkMembers, invalidBody, readObject } from "./json_body.ts";
import { allowedTags, tagCheck } from "./manifests.ts";
import { shownTags } from "./shown_tags.ts";

const smallBytesMax = 4 * 1024;
/** Of a plan that is carried out: some 400 bytes for each step. */
const stepsBytesMax = 6 * 1024 * 1024;
const reasonLengthMax = 500;
const noStore = { "cache-control": "no-store" };

/** POST: sets a tag back to a digest, or removes it, if it is as the caller has seen it. */
export async function postRestore(call: Call, app: App): Promise<Reply> {
  const { repository } = call;
  const tag = call.params["tag"] ?? "";
  if (!isTag(tag)) throw invalidTag(tag);
  const members = ["digest", "expect"];
  const body = await readObject(call, app, { members, bytesMax: smallBytesMax });
  const digest = digestOrNull(body, "digest");
  const expect = "expect" in body ? { expect: digestOrNull(body, "expect") } : {};
  const { pinnedUntil } = await restoreTag(app.registry, {
    repository,
    tag,
    digest,
    ...expect,
    tagRules: rulesFor(call, { repository, tag, to: digest }),
    by: call.by,
    showsWho: showsWho(call, app),
  });
  return jsonReply(200, { name: repository, tag, digest, pinnedUntil: time(pinnedUntil) }, noStore);
}

/** POST: brings back a manifest or blob that undo holds, with what it names. */
export async function postUndelete(call: Call, app: App): Promise<Reply> {
  const { repository, caller } = call;
  if (!caller.may("create", repository)) throw denied(caller, { actions: ["create"], repository });
  const body = await readObject(call, app, { members: ["digest"], bytesMax: smallBytesMax });
  const digest = requiredDigest(body, "digest");
  const { pinnedUntil } = await undelete(app.registry, { repository, digest, by: call.by });
  return jsonReply(200, { name: repository, digest, pinnedUntil: time(pinnedUntil) }, noStore);
}

/** POST: removes content for good. */
export async function postPurge(call: Call, app: App): Promise<Reply> {
  const { repository, caller } = call;
  const members = ["digest", "reason"];
  const body = await readObject(call, app, { members, bytesMax: smallBytesMax });
  const digest = requiredDigest(body, "digest");
  const { reason } = body;
  if (typeof reason !== "string" || !/^[^\p{Cc}]{1,500}$/u.test(reason.trim())) {
    throw invalidBody(`Expected a reason: one line of up to ${reasonLengthMax} characters`);
  }
  if (app.registry.undo().windowMs > 0 && !caller.isAdministrator()) {
    throw apiError("DENIED", {
      message: "A purge cannot be undone: while storage.undo.window is set only administrators may",
    });
  }
  await purgeContent(app.registry, {
    repository,
    digest,
    reason: reason.trim(),
    tagsMax: caller.may("detectManifestCollision", repository) ? 1 : null,
    checkTag: tagCheck(call),
    by: call.by,
  });
  const holders = await app.registry.metadata.repositoriesWithBlob(digest, repository, 100);
  const alsoIn = holders.filter((name) => caller.may("read", name));
  return jsonReply(200, { name: repository, digest, alsoIn }, noStore);
}

/** GET: what would undo all that was done to tags since a moment. */
export async function getUndo(call: Call, app: App): Promise<Reply> {
  const { query, caller, budget } = call;
  const since = sinceParameter(query.get("since"), app.registry.clock.now());
  const by = query.get("by");
  if (by !== null && !showsWho(call, app)) {
    throw apiError("PARAMETER_INVALID", { message: "Expected a login beside by=, got none" });
  }
  const steps = await planUndo(app.registry, {
    since,
    by,
    prefix: query.get("prefix") ?? "",
    mayRead: (repository) => {
      budget.grant(1_000);
      return caller.may("read", repository);
    },
  });
  const shows = shownTags(call);
  const isShown = ({ repository, tag }: UndoStep): boolean =>
    shows === null || tag === null || shows(repository, tag);
  const told = steps.filter(isShown).map(({ at, by, ...step }) => ({
    ...step,
    at: new Date(at).toISOString(),
    ...(showsWho(call, app) ? { by } : {}),
  }));
  return jsonReply(200, { since: new Date(since).toISOString(), steps: told }, noStore);
}

/** POST: carries out steps of a plan, all or none. */
export async function postUndo(call: Call, app: App): Promise<Reply> {
  const body = await readObject(call, app, { members: ["steps"], bytesMax: stepsBytesMax });
  const steps = readSteps(body["steps"]);
  const rules = new Map(steps.map((step) => [step, rulesFor(call, step)]));
  const { pinnedUntil } = await applyUndo(app.registry, {
    steps,
    rulesOf: (step) => rules.get(step) ?? anyTag,
    by: call.by,
  });
  return jsonReply(200, { undone: steps.length, pinnedUntil: time(pinnedUntil) }, noStore);
}

/** Whether an answer may tell who moved a tag. */
function showsWho(call: Call, { auth }: App): boolean {
  return auth === null || call.by !== null;
}

/** What the caller may do with a tag that goes back; absence of the right to delete one is an error at once. */
function rulesFor(
  call: Call,
  { repository, tag, to }: Pick<UndoStep, "repository" | "tag" | "to">,
): TagRules {
  const asked = tag === null ? call.caller : call.caller.about(tag);
  if (to === null) {
    if (asked.may("delete", repository)) return anyTag;
    throw denied(asked, { actions: ["delete"], repository, ...(tag === null ? {} : { tag }) });
  }
  if (tag !== null) return allowedTags(call, repository, { kind: "tag", tag }, []);
  if (asked.may("create", repository)) return anyTag;
  throw denied(asked, { actions: ["create"], repository });
}

function readSteps(value: unknown): UndoStep[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > stepsMax) {
    throw invalidBody(`Expected steps: a list of up to ${stepsMax} steps of a plan`);
  }
  return value.map((each: unknown): UndoStep => {
    const step = checkMembers(each, ["repository", "tag", "from", "to"], "a step");
    const { repository, tag = null } = step;
    if (typeof repository !== "string" || !isPresentName(repository)) {
      throw invalidBody("Expected the name of a repository in each step");
    }
    if (tag !== null && (typeof tag !== "string" || !isTag(tag))) {
      throw invalidBody("Expected a tag, or null for a manifest without one, in each step");
    }
    return { repository, tag, from: digestOrNull(step, "from"), to: digestOrNull(step, "to") };
  });
}

function digestOrNull(body: JsonObject, member: string): Digest | null {
  if (body[member] === null) return null;
  return requiredDigest(body, member, " or null");
}

function requiredDigest(body: JsonObject, member: string, or = ""): Digest {
  const value = body[member];
  const digest = typeof value === "string" ? parseDigest(value) : null;
  if (digest !== null) return digest;
  throw invalidBody(`Expected ${member}: a digest such as sha256:<64 lower-case hex digits>${or}`);
}

/** A moment, or a time ago such as `10m` or `7d`. */
function sinceParameter(text: string | null, now: number): number {
  const agoMs = text === null ? null : parseSpan(text);
  if (agoMs !== null) return now - agoMs;
  const moment = text === null ? null : parseMoment(text.replace(" ", "+"));
  if (moment !== null) return Math.floor(moment.moment / 1_000);
  throw apiError("PARAMETER_INVALID", {
    message: `Expected since=<a time ago such as 10m or 7d, or a moment such as 2026-11-30T12:00:00Z>, got ${shorten(text ?? "nothing")}`,
  });
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
