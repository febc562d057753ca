/** POST: sets several tags of a repository at once, all or none. The rules are in `registry/set_tags.ts`. */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { isTag } from "../oci/reference.ts";
import { setTags, setTagsMax, type TagSet } from "../registry/set_tags.ts";
import type { TagRules } from "../registry/tag_rule.ts";
import type { App } from "./app.ts";
import { checkMembers, invalidBody, readObject } from "./json_body.ts";
import { allowedTags } from "./manifests.ts";

/** Some 400 bytes for each tag. */
const bodyBytesMax = 6 * 1024 * 1024;

export async function postTags(call: Call, app: App): Promise<Reply> {
  const { repository } = call;
  const body = await readObject(call, app, { members: ["tags"], bytesMax: bodyBytesMax });
  const tags = readTags(body["tags"]);
  const names = tags.map(({ tag }) => tag);
  const tagRules = tagRulesFor(call, names);
  await setTags(app.registry, { repository, tags, tagRules, by: call.by });
  return jsonReply(200, { name: repository, set: tags.length }, { "cache-control": "no-store" });
}

/** As a push of each of them. */
function tagRulesFor(call: Call, names: readonly string[]): TagRules {
  const rules = new Map(
    names.map((tag) => [tag, allowedTags(call, call.repository, { kind: "tag", tag }, [])]),
  );
  return {
    ruleOf: (tag) => rules.get(tag)?.ruleOf(tag) ?? "none",
    forbidden: (tag) => rules.get(tag)?.forbidden(tag) ?? apiError("DENIED"),
  };
}

function readTags(value: unknown): TagSet[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > setTagsMax) {
    throw invalidBody(`Expected tags: a list of 1 to ${setTagsMax}`);
  }
  const seen = new Set<string>();
  return value.map((each: unknown): TagSet => {
    const members = checkMembers(each, ["tag", "digest", "expect"], "a tag");
    const { tag, digest: text, expect } = members;
    if (typeof tag !== "string" || !isTag(tag) || seen.has(tag)) {
      throw invalidBody("Expected a tag, each once, in each of tags");
    }
    seen.add(tag);
    const digest = typeof text === "string" ? parseDigest(text) : null;
    if (digest === null) throw invalidBody("Expected a digest in each of tags");
    return expect === undefined ? { tag, digest } : { tag, digest, expect: readExpected(expect) };
  });
}

function readExpected(value: unknown): (Digest | null)[] {
  const list = Array.isArray(value) && value.length >= 1 && value.length <= 2 ? value : [0];
  return list.map((each: unknown) => {
    if (each === null) return null;
    const digest = typeof each === "string" ? parseDigest(each) : null;
    if (digest !== null) return digest;
    throw invalidBody("Expected expect: a list of one or two digests, or null for no such tag");
  });
}
