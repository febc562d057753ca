/**
 * What content takes, for people and programs that ask: a repository with some of its tags, and everything below a
 * prefix.
 *
 * Whoever may read a repository is told what it holds. Figures that depend on what others have (own, shared, freed)
 * are for administrators: they would tell what lies where the caller may not look. Quotas are told to those who may
 * push.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { nextLink } from "../lib/http_fields.ts";
import { stepsPerEntry } from "../lib/request_budget.ts";
import type { QuotaUsage, RepositoryUsage } from "../metadata/usage.ts";
import { apiError } from "../oci/errors.ts";
import { isRepositoryName, isTag } from "../oci/reference.ts";
import {
  askedTagsMax,
  prefixFigures,
  registryFigures,
  repositoriesUsage,
  repositoryFigures,
  tagsFigures,
  type TagFigures,
} from "../registry/usage/usage_figures.ts";
import { usage } from "../metadata/usage.ts";
import { pageEntriesMax } from "../registry/lists.ts";
import { invalidTag, shorten, targetOf, type App } from "./app.ts";
import { countParameter } from "./lists.ts";
import { requirePresent } from "./past.ts";
import { requireShown } from "./shown_tags.ts";

const entriesDefault = 1_000;
const noStore = { "cache-control": "no-store" };

/** GET: what a repository takes, and what some of its tags do. */
export async function getRepositoryUsage(call: Call, app: App): Promise<Reply> {
  requirePresent(call, "what it takes is not told of its past");
  const { repository, caller } = call;
  const tags = tagParameters(call);
  requireShown(call, repository, tags);
  const { quotas, waitingBytes, heldBytes, ...found } = await repositoryFigures(
    app.registry,
    repository,
  );
  const isAdmin = caller.isAdministrator();
  const mayPush = caller.may("create", repository) || caller.may("update", repository);
  const body = {
    ...toldRepository(found, isAdmin),
    waitingBytes,
    heldBytes,
    quotas: isAdmin || mayPush ? quotas.map(toldQuota) : [],
  };
  if (tags.length === 0) return jsonReply(200, body, noStore);
  const figures = await tagsFigures(app.registry, repository, tags);
  const { freedBytes, freedHereBytes } = figures.together;
  return jsonReply(
    200,
    {
      ...body,
      tags: figures.tags.map((each) => toldTag(each, isAdmin)),
      together: { freedHereBytes, freedBytes: isAdmin ? freedBytes : null },
    },
    noStore,
  );
}

/** GET: what repositories below a prefix take, one by one and together. */
export async function getUsage(call: Call, app: App): Promise<Reply> {
  const { registry } = app;
  const { caller, budget, query } = call;
  const prefix = prefixParameter(query.get("prefix") ?? "");
  const last = query.get("last");
  const count = Math.min(countParameter(query.get("n")) ?? entriesDefault, pageEntriesMax);
  const isAdmin = caller.isAdministrator();
  const mayRead = (repository: string): boolean => {
    budget.grant(stepsPerEntry);
    return caller.may("read", repository);
  };
  const page = { after: last, count };
  const { items, next } = await repositoriesUsage(registry, prefix, page, { mayRead });
  const repositories = items.map((each) => toldRepository(each, isAdmin));
  const headers: Record<string, string> = { ...noStore };
  if (next !== null) {
    const target = targetOf(call, app, "/v2/_zot/usage");
    const given: [string, string][] = prefix === "" ? [] : [["prefix", prefix]];
    headers["link"] = nextLink(target, [...given, ["n", String(count)], ["last", next]]);
  }
  // The totals stand on the first page.
  if (last !== null) return jsonReply(200, { prefix, repositories }, headers);
  const total =
    prefix === "" && isAdmin
      ? await registryFigures(registry)
      : await prefixFigures(registry, prefix, { mayRead });
  const quotas = isAdmin ? await registry.metadata.records(usage).quotas() : [];
  return jsonReply(
    200,
    { prefix, total: toldTotal(total, isAdmin), quotas: quotas.map(toldQuota), repositories },
    headers,
  );
}

function toldRepository(found: RepositoryUsage, isAdmin: boolean): object {
  const { repository, linkedBytes, ownBytes, digests, manifests, tags, isCounted } = found;
  return {
    name: repository,
    isCounted,
    linkedBytes,
    ...(isAdmin ? { ownBytes, sharedBytes: linkedBytes - ownBytes } : hidden),
    digests,
    manifests,
    tagCount: tags,
  };
}

const hidden = { ownBytes: null, sharedBytes: null };

function toldTotal(total: Awaited<ReturnType<typeof prefixFigures>>, isAdmin: boolean): object {
  const { linkedBytes, ownBytes, tags, ...rest } = total;
  const isKnown = isAdmin && linkedBytes !== null && ownBytes !== null;
  const own = isKnown ? { ownBytes, sharedBytes: linkedBytes - ownBytes } : hidden;
  return { linkedBytes, ...own, ...rest, tagCount: tags };
}

function toldTag(tag: TagFigures, isAdmin: boolean): object {
  return { ...tag, freedBytes: isAdmin ? tag.freedBytes : null };
}

function toldQuota({ name, limits, used, count, warnAt, isCounted }: QuotaUsage): object {
  return { scope: name, count, warnAt, isCounted, limits, used };
}

/** A prefix of names ends where their components do. */
function prefixParameter(text: string): string {
  if (text === "" || isRepositoryName(text.replace(/\/$/, ""))) return text;
  throw apiError("PARAMETER_INVALID", {
    message: `Expected prefix=<the first components of a name, such as team or team/>, got ${shorten(text)}`,
  });
}

function tagParameters({ query }: Call): string[] {
  const tags = [...new Set(query.getAll("tag"))];
  if (tags.length > askedTagsMax) {
    throw apiError("PARAMETER_INVALID", {
      message: `Expected up to ${askedTagsMax} tags in one request, got ${tags.length}`,
    });
  }
  const invalid = tags.find((tag) => !isTag(tag));
  if (invalid !== undefined) throw invalidTag(invalid);
  return tags;
}
