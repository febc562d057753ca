// The options under `storage.retention`: which tags and untagged manifests stay, in zot's dialect with additions.
//
// `rules.ts` makes rules of the values, `check_options.ts` says what is unwise in them.

import * as z from "zod";
import { optionTable, type OptionValues } from "../../lib/option.ts";
import { parseCapture, parsePattern } from "../../lib/expression/pattern.ts";
import { parseGlob } from "../../lib/glob.ts";
import { count, duration, flag } from "../../lib/option_types.ts";
import { parseDigest } from "../../oci/digest.ts";

const section = { error: "a section with keys" };
const text = z.string({ error: "text" });

function listOf(what: string, fits: (text: string) => boolean) {
  const error = `a list of ${what}`;
  return z.array(
    z.string({ error }).refine((each) => each !== "" && fits(each), { error }),
    { error },
  );
}

const repositoryGlobs = listOf(`globs of repository names, such as ["team/**"]`, isGlob);
const tagGlobs = listOf(`globs of tags, such as ["v*"]`, isGlob);
const callerGlobs = listOf(`globs of users and user agents, such as ["trivy*"]`, isGlob);
const patterns = listOf(`regular expressions of RE2, such as ["^v[0-9]+$"]`, isPattern);
const digests = listOf(
  `digests such as "sha256:<64 lower-case hex digits>"`,
  (each) => parseDigest(each) !== null,
);
const groupError = `a regular expression of RE2 with a group, such as "^(env[0-9]+)-"`;
const group = z
  .string({ error: groupError })
  .refine((each) => isPattern(each) && hasGroup(each), { error: groupError });

const semverRule = z.strictObject({ keepMinor: count(1) }, section);

/** The rules of zot, and what we add to them. */
const keepRules = {
  // 0 is no rule, and worth a warning.
  mostRecentlyPushedCount: count(0).optional(),
  mostRecentlyPulledCount: count(0).optional(),
  mostRecentlyActiveCount: count(0).optional(),
  pushedWithin: duration(0).optional(),
  pulledWithin: duration(0).optional(),
  pulledOrPushedWithin: duration(0).optional(),
  all: flag.default(false),
  minimum: count(0).default(0),
  expiresAfter: duration(1).optional(),
};

const keepTags = z.strictObject(
  {
    patterns: patterns.default([]),
    excludePatterns: patterns.default([]),
    anchored: flag.default(false),
    groupBy: group.optional(),
    semver: semverRule.optional(),
    ...keepRules,
  },
  section,
);

const protection = z.strictObject(
  { tags: tagGlobs.default([]), digests: digests.default([]), reason: text.default("") },
  section,
);

const policy = z.strictObject(
  {
    repositories: repositoryGlobs.default([]),
    deleteReferrers: flag.default(false),
    deleteUntagged: flag.default(true),
    keepTags: z.array(keepTags, { error: "a list of sections with keys" }).default([]),
    keepUntagged: z.strictObject(keepRules, section).optional(),
    immutableTags: tagGlobs.default([]),
    protect: z.array(protection, { error: "a list of sections with keys" }).default([]),
    expiresByLabel: flag.default(false),
    maxDeletePercent: count(1, 100).default(100),
    pulledBy: z.strictObject({ ignore: callerGlobs.default([]) }, section).optional(),
  },
  section,
);

export const retentionOptions = optionTable({
  dryRun: {
    type: flag,
    default: false,
    served: true,
    applies: "live",
    says: "Log what would be removed (`applied policy`, with decision and reason), and remove nothing.",
  },
  delay: {
    type: z
      .union([z.literal(""), duration(0)], { error: `a duration with its unit, such as "24h"` })
      .transform((value) => (value === "" ? null : value))
      .meta({ title: "duration" }),
    default: "",
    defaultSays: "as `gcDelay`",
    served: true,
    applies: "live",
    says: "How long a manifest stays after its last tag, or its subject, has gone.",
  },
  policies: {
    type: z
      .array(policy, { error: "a list of policies" })
      .transform((list): readonly z.output<typeof policy>[] => list)
      .meta({ title: "list of policies" }),
    default: [],
    defaultSays: "none: every tag stays, and untagged manifests go",
    served: true,
    applies: "live",
    says:
      "What stays in which repositories; the first policy whose `repositories` fit is the one that counts. " +
      "Its keys are explained in [Keep the disk free](../guides/disk.md).",
  },
});

export type RetentionValues = OptionValues<typeof retentionOptions>;
export type PolicyValues = RetentionValues["policies"][number];
export type KeepTagsValues = PolicyValues["keepTags"][number];
/** What entries of tags and the entry of untagged manifests have in common. */
export type KeepRuleValues = Pick<KeepTagsValues, keyof typeof keepRules>;

function isGlob(each: string): boolean {
  return "glob" in parseGlob(each);
}

function isPattern(each: string): boolean {
  return holds(() => parsePattern(each));
}

/** An escaped parenthesis, one in a class or `(?:` makes no group. */
function hasGroup(each: string): boolean {
  const plain = each.replace(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]/g, "");
  return /\((?!\?)|\(\?P?</.test(plain) && holds(() => parseCapture(each));
}

function holds(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
