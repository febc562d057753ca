/**
 * What retention and collection decide, for people who ask: about a tag, about content, as a plan; and the plan carried
 * out. Plans are for administrators, since they tell of every repository.
 */
import { setImmediate } from "node:timers/promises";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply, textReply } from "../http/reply.ts";
import { stepsPerEntry } from "../lib/request_budget.ts";
import { parseDigest } from "../oci/digest.ts";
import { isPresentName } from "../oci/past_name.ts";
import { isTag } from "../oci/reference.ts";
import { collectionStatus } from "../registry/collection/status.ts";
import { applyPlan, type PlannedRemoval } from "../registry/retention/apply_plan.ts";
import type { Decision } from "../registry/retention/evaluate.ts";
import { explainTags } from "../registry/retention/explain.ts";
import { explainUntagged } from "../registry/retention/explain_untagged.ts";
import { planLines } from "../registry/retention/plan.ts";
import { rulesOf } from "../registry/retention/rules.ts";
import { whyKept, type Step } from "../registry/retention/why.ts";
import { invalidTag, requireReference, type App } from "./app.ts";
import { checkMembers, invalidBody, readObject } from "./json_body.ts";
import { requirePresent } from "./past.ts";
import { requireShown, shownTags } from "./shown_tags.ts";

/** Tags that conditions are asked about in one turn. */
const turnMax = 250;
/** Lines of a plan in one request, and bytes of them. */
const linesMax = 5_000;
const linesBytesMax = 6 * 1024 * 1024;
/** Lines of a plan; after it was applied the next one has the rest. */
const plannedMax = 100_000;
const noStore = { "cache-control": "no-store" };

/** GET: what becomes of each tag of a repository that the caller may pull, or of one, and why. */
export async function getRetention(call: Call, app: App): Promise<Reply> {
  requirePresent(call, "what stays and what goes is not decided about its past");
  const tag = call.query.get("tag");
  if (tag !== null && !isTag(tag)) throw invalidTag(tag);
  if (tag !== null) requireShown(call, call.repository, [tag]);
  const { repository, subPath, policy, dryRun, decisions } = await explainTags(
    app.registry,
    call.repository,
    tag,
  );
  const shown = await shownOf(call, repository, decisions);
  const body = { name: repository, subPath, policy, dryRun, tags: shown.map(toldDecision) };
  return jsonReply(200, body, noStore);
}

/** There may be very many: other requests of the process have their turn in between. */
async function shownOf(
  call: Call,
  repository: string,
  decisions: readonly Decision[],
): Promise<readonly Decision[]> {
  const shows = shownTags(call);
  if (shows === null) return decisions;
  const shown: Decision[] = [];
  for (const [at, decision] of decisions.entries()) {
    if (at % turnMax === turnMax - 1) await setImmediate();
    if (shows(repository, decision.tag)) shown.push(decision);
  }
  return shown;
}

/** GET: manifests that nothing names, what becomes of each, and why. Who pushed is told as in the history of a tag. */
export async function getUntagged(call: Call, app: App): Promise<Reply> {
  requirePresent(call, "what stays and what goes is not decided about its past");
  const { manifests, isCutOff } = await explainUntagged(app.registry, call.repository);
  const showsWho = app.auth === null || call.by !== null;
  const shows = shownTags(call);
  const shown = manifests.filter(({ digest }) => shows === null || shows(call.repository, digest));
  const told = shown.map(({ pushedAt, pushedBy, pulledAt, since, until, ...rest }) => ({
    ...rest,
    pushedAt: time(pushedAt),
    pushedBy: showsWho ? pushedBy : null,
    pulledAt: time(pulledAt),
    since: time(since),
    until: time(until),
  }));
  const { dryRun } = rulesOf(app.registry.retention, call.repository);
  return jsonReply(200, { name: call.repository, dryRun, manifests: told, isCutOff }, noStore);
}

/** GET: what keeps a blob or a manifest. Ways from tags that the caller may not pull are not told. */
export async function getWhy(call: Call, app: App): Promise<Reply> {
  requirePresent(call, "what stays and what goes is not decided about its past");
  const reference = requireReference(call, "read");
  const why = await whyKept(app.registry, call.repository, reference);
  const { repository, unnamedSince, verdict, ways, ...rest } = why;
  const shows = shownTags(call);
  const isShown = ({ kind, name }: Step): boolean =>
    kind !== "tag" || shows === null || shows(repository, name);
  const shown = ways.filter((way) => way.every(isShown));
  const isCutOff = why.isCutOff || shown.length < ways.length;
  const told =
    verdict === null
      ? null
      : {
          decision: verdict.decision,
          reason: verdict.reason,
          until: time(verdict.lookAgainAt),
        };
  const since = time(unnamedSince);
  const body = {
    name: repository,
    ...rest,
    ways: shown,
    isCutOff,
    unnamedSince: since,
    verdict: told,
  };
  return jsonReply(200, body, noStore);
}

/** GET: all that would be removed now, as lines of JSON, and a last line with the totals. */
export async function getPlan(call: Call, app: App): Promise<Reply> {
  return textReply(200, await planText(app, call), "application/jsonl", noStore);
}

/** GET: what collection removed last, and when more may go. */
export async function getCollection(_call: Call, app: App): Promise<Reply> {
  const { last, nextAt, dryRun } = await collectionStatus(app.registry);
  const told = last === null ? null : { ...last, at: time(last.at) };
  return jsonReply(200, { last: told, nextAt: time(nextAt), dryRun }, noStore);
}

/** POST: removes what lines of a plan name, as far as they still hold. */
export async function postApply(call: Call, app: App): Promise<Reply> {
  const body = await readObject(call, app, { members: ["lines"], bytesMax: linesBytesMax });
  const lines = readLines(body["lines"]);
  const { removed, skipped } = await applyPlan(app.registry, lines, {
    by: call.by ?? "zot:plan",
    forbids: (line) => whyForbidden(call, line),
  });
  const told = skipped.map(({ line, reason }) => ({ ...line, reason }));
  return jsonReply(200, { removed, skipped: told }, noStore);
}

function whyForbidden({ caller }: Call, line: PlannedRemoval): string | null {
  const asked = line.kind === "tag" ? caller.about(line.tag) : caller;
  return asked.may("delete", line.repository) ? null : "you may not delete there";
}

function toldDecision(decision: Decision): object {
  const { tag, digest, pushedAt, pulledAt, rules, entry, step, reason, lookAgainAt } = decision;
  return {
    tag,
    digest,
    pushedAt: time(pushedAt),
    pulledAt: time(pulledAt),
    decision: decision.decision,
    step,
    reason,
    entry,
    rules: rules.map(({ says, holds }) => ({ rule: says, holds })),
    until: time(lookAgainAt),
  };
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

async function planText({ registry }: App, { caller, budget }: Call): Promise<string> {
  const totals = { tags: 0, manifests: 0, blobs: 0, bytesFreed: 0 };
  const lines: string[] = [];
  let isCutOff = false;
  for await (const { bytesFreed, ...line } of planLines(registry)) {
    // The key or token of an administrator may be good for some repositories only.
    budget.grant(stepsPerEntry);
    if (!caller.may("read", line.repository)) continue;
    isCutOff = lines.length >= plannedMax;
    if (isCutOff) break;
    totals[`${line.kind}s`] += 1;
    totals.bytesFreed += bytesFreed;
    lines.push(JSON.stringify({ ...line, bytesFreed }));
  }
  const last = { kind: "totals", at: time(registry.clock.now()), ...totals, isCutOff };
  return [...lines, JSON.stringify(last), ""].join("\n");
}

const known = ["kind", "repository", "tag", "digest", "since", "reason", "bytesFreed"];

function readLines(value: unknown): PlannedRemoval[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > linesMax) {
    throw invalidBody(`Expected lines: a list of up to ${linesMax} lines of a plan`);
  }
  return value.map((each: unknown) => {
    const { kind, repository, tag, digest, since } = checkMembers(each, known, "a line");
    const isPlaced = typeof repository === "string" && isPresentName(repository);
    if (!isPlaced || typeof digest !== "string" || parseDigest(digest) === null) {
      throw invalidBody("Expected a line with a repository and a digest");
    }
    if (kind === "tag" && typeof tag === "string" && isTag(tag)) {
      return { kind, repository, tag, digest };
    }
    if ((kind === "manifest" || kind === "blob") && typeof since === "number") {
      return { kind, repository, digest, since };
    }
    throw invalidBody("Expected a line of the kind tag, manifest or blob, as the plan has it");
  });
}
