/**
 * Reading, pushing and deleting manifests [end-3, end-7, end-9].
 *
 * The stored bytes and media type are served as they were pushed, whatever Accept says. A request by digest is answered
 * with that digest. A push can be read as soon as its 201 is sent. The rules are in `registry/push_manifest.ts` and
 * `registry/delete.ts`.
 */
import { everyone } from "../auth/caller.ts";
import { denied } from "../auth/denied.ts";
import type { Action } from "../auth/options.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { isPageClient } from "../http/page_client.ts";
import { bodyReply, emptyReply } from "../http/reply.ts";
import { formatBytes } from "../lib/bytes.ts";
import { matchesEntityTag } from "../lib/http_fields.ts";
import { parsedBytesPerStep } from "../lib/request_budget.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { manifestBytesMax } from "../oci/manifest.ts";
import { isPastName } from "../oci/past_name.ts";
import { isTag, type Reference } from "../oci/reference.ts";
import type { ManifestRecord } from "../metadata/metadata.ts";
import { removeManifest, removeTag } from "../registry/delete.ts";
import { pushManifest, type TagCondition } from "../registry/push_manifest.ts";
import { anyTag, type TagRule, type TagRules } from "../registry/tag_rule.ts";
import { readContent } from "../registry/content.ts";
import { absentError, pullManifest, type ManifestHolding } from "../registry/resolve.ts";
import { invalidTag, requireReference, targetOf, type App } from "./app.ts";
import { originHeaders, placeOf } from "./origin_headers.ts";
import { atItsTime } from "./past.ts";
import { requireHeld } from "./require_held.ts";

/** Tags of one request: more would not fit the headers of the answer. */
const tagsMax = 46;

/** GET and HEAD of a manifest by tag or digest [end-3]. */
export function getManifest(call: Call, app: App): Promise<Reply> {
  return atItsTime(call, app, (repository) => manifestIn(call, app, repository));
}

async function manifestIn(call: Call, app: App, repository: string): Promise<Reply> {
  const reference = requireReference(call, "read");
  const resolved = await pullManifest(app.registry, placeOf(call, repository), reference);
  if (resolved.found === null) {
    const text = reference.kind === "tag" ? reference.tag : reference.digest;
    throw absentError(resolved.why, "MANIFEST_UNKNOWN", {
      name: call.repository,
      reference: text,
    });
  }
  const manifest = resolved.found;
  const identity = {
    ...identityHeaders(manifest, reference),
    ...originHeaders(call, resolved.provenance),
  };
  // What was there then is no use of what a tag points at now.
  if (call.method !== "HEAD" && !isPastName(repository))
    notePull(call, app, { manifest, reference });
  const condition = call.header("if-none-match");
  if (condition !== null && matchesEntityTag(condition, manifest.digest)) {
    return emptyReply(304, identity);
  }
  const headers = {
    ...identity,
    "content-type": manifest.mediaType,
    "content-length": String(manifest.sizeBytes),
    "content-security-policy": "default-src 'none'; sandbox",
  };
  if (call.method === "HEAD") {
    const looking = requireHeld(call, app, manifest, {
      asked: repository,
      unknown: "MANIFEST_UNKNOWN",
    });
    if (looking !== null) await looking;
    return emptyReply(200, headers);
  }
  return bodyReply(200, await readContent(app.registry, manifest), headers);
}

function notePull(
  call: Call,
  { pulls, registry }: App,
  { manifest, reference }: { readonly manifest: ManifestHolding; readonly reference: Reference },
): void {
  // A page that shows an image to a person pulls nothing.
  if (isPageClient(call.request.headers)) return;
  const pull = {
    repository: manifest.repository,
    digest: manifest.digest,
    tag: reference.kind === "tag" ? reference.tag : null,
    user: call.caller.name,
    userAgent: () => call.header("user-agent"),
  };
  pulls.note(pull, registry.retention);
}

function identityHeaders(record: ManifestRecord, reference: Reference): Record<string, string> {
  return {
    "docker-content-digest": record.digest,
    etag: `"${record.digest}"`,
    "cache-control":
      reference.kind === "digest" ? "private, max-age=31536000, immutable" : "no-cache",
  };
}

/** PUT of a manifest by tag, by digest, or by digest with `?tag=` [end-7a, end-7b]. */
export async function putManifest(call: Call, app: App): Promise<Reply> {
  const { repository } = call;
  const reference = requireReference(call, "write");
  const tags = tagParameters(call, reference);
  const tagRules = allowedTags(call, repository, reference, tags);
  const bytes = await call.readBody({
    bytesMax: app.manifestBytesMax,
    idleMs: app.uploadIdleMs,
    tooLarge: () => tooLarge(app),
  });
  payForParsing(call, bytes);
  const { digest, subject } = await pushManifest(app.registry, {
    repository,
    reference,
    tags,
    bytes,
    contentType: call.header("content-type"),
    tagIs: tagCondition(call),
    tagRules,
    by: call.by,
  });
  const headers: Record<string, string> = {
    location: targetOf(call, app, `/v2/${repository}/manifests/${digest}`),
    "docker-content-digest": digest,
    "content-length": "0",
  };
  if (subject !== null) headers["oci-subject"] = subject;
  if (tags.length > 0) headers["oci-tag"] = tags.join(", ");
  const warning = (await app.registry.quotas?.warning(repository)) ?? null;
  if (warning !== null) headers["warning"] = `299 - "${quotable(warning)}"`;
  return emptyReply(201, headers);
}

/** What stands between quotes of a header. */
function quotable(text: string): string {
  return text.replace(/["\\]/g, "\\$&").replace(/[^\x20-\x7e]/g, "?");
}

/** Bytes beyond the default limit cost nothing: that there may be more of them was the operator's choice. */
function payForParsing({ budget }: Call, { length }: Uint8Array): void {
  budget.spend(Math.ceil(Math.min(length, manifestBytesMax) / parsedBytesPerStep));
}

/** What a caller lacks by whose rule a tag may not be pushed. */
const lackedBy: Readonly<Record<TagRule, readonly Action[]>> = {
  any: [],
  new: ["update"],
  existing: ["create"],
  none: ["create", "update"],
};

/**
 * What the caller may do with each tag: new ones are created, those that are there updated, and each is asked about by
 * its own name. A manifest by digest alone is created.
 * @throws DENIED when one of them is out of reach whatever is there.
 */
export function allowedTags(
  { caller }: Call,
  repository: string,
  reference: Reference,
  tags: readonly string[],
): TagRules {
  if (caller === everyone) return anyTag;
  const askRule = (name: string): TagRule => {
    const asked = caller.about(name);
    if (asked.may("create", repository)) {
      return asked.may("update", repository) ? "any" : "new";
    }
    return asked.may("update", repository) ? "existing" : "none";
  };
  const isTag = reference.kind === "tag";
  if (!isTag && !caller.may("create", repository)) {
    throw denied(caller, { actions: ["create"], repository });
  }
  const rules = new Map((isTag ? [reference.tag] : tags).map((tag) => [tag, askRule(tag)]));
  const ruleOf = (tag: string): TagRule => rules.get(tag) ?? "none";
  const forbidden = (tag: string): ApiError => {
    return denied(caller.about(tag), { actions: lackedBy[ruleOf(tag)], repository, tag });
  };
  for (const [tag, rule] of rules) if (rule === "none") throw forbidden(tag);
  return { ruleOf, forbidden };
}

function tooLarge(app: App): Error {
  return apiError("MANIFEST_TOO_LARGE", {
    message: `This registry takes manifests of up to ${formatBytes(app.manifestBytesMax)}`,
  });
}

/** The tags of `?tag=`, each once; all are checked before any is applied [end-7b]. */
function tagParameters(call: Call, reference: Reference): string[] {
  const tags = [...new Set(call.query.getAll("tag"))];
  if (tags.length === 0) return [];
  if (reference.kind === "tag") {
    throw apiError("PARAMETER_INVALID", {
      message: "Expected ?tag= beside a digest in the path, got it beside a tag",
    });
  }
  if (tags.length > tagsMax) {
    throw apiError("TOO_MANY_TAGS", {
      message: `Expected up to ${tagsMax} tags in one request, got ${tags.length}`,
    });
  }
  const invalid = tags.find((tag) => !isTag(tag));
  if (invalid !== undefined) throw invalidTag(invalid);
  return tags;
}

/** What `If-Match` and `If-None-Match` ask of the tags (RFC 9110 §13.1). */
function tagCondition(call: Call): TagCondition {
  const match = call.header("if-match");
  if (match !== null) return match.trim() === "*" ? "present" : entityTags(match);
  return call.header("if-none-match")?.trim() === "*" ? [null] : null;
}

/** Quoted or bare; a weak one keeps its mark and so never fits, as the strong comparison asks. */
function entityTags(header: string): string[] {
  return header.split(",").map((entry) => entry.trim().replace(/^"|"$/g, ""));
}

/** A policy that looks at tags is asked about each that goes with a manifest; another says the same of all of them. */
export function tagCheck({ caller, repository }: Call): ((tag: string) => void) | null {
  if (!caller.isConditional) return null;
  return (tag) => {
    const asked = caller.about(tag);
    if (!asked.may("delete", repository)) {
      throw denied(asked, { actions: ["delete"], repository, tag });
    }
  };
}

/** DELETE of a tag, or of a manifest with all its tags [end-9]. */
export async function deleteManifest(call: Call, app: App): Promise<Reply> {
  const { repository } = call;
  const reference = requireReference(call, "write");
  if (reference.kind === "tag") {
    await removeTag(app.registry, {
      repository,
      target: reference.tag,
      tagIs: tagCondition(call),
      by: call.by,
    });
  } else {
    const isCareful = call.caller.may("detectManifestCollision", repository);
    await removeManifest(app.registry, {
      repository,
      target: reference.digest,
      tagsMax: isCareful ? 1 : null,
      checkTag: tagCheck(call),
      by: call.by,
    });
  }
  return emptyReply(202, { "content-length": "0" });
}
