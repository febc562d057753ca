// The options of quotas, under `storage`: what repositories may hold together.

import * as z from "zod";
import { parseGlob } from "../../lib/glob.ts";
import { optionTable } from "../../lib/option.ts";
import { bytes, count } from "../../lib/option_types.ts";
import { isRepositoryName } from "../../oci/reference.ts";

/** Quotas of a registry: each is looked at in every push that one of them is about. */
export const quotasMax = 128;

const section = { error: "a section with keys" };
const globsError = `a list of globs of repository names, such as ["team/**"]`;
const prefixError = `the first components of names, such as "team/" or "team/app"`;
const partError = "a part of the limit, more than 0 and up to 1, such as 0.9";
const countError = `"linked" or "own"`;

const quota = z
  .strictObject(
    {
      prefix: z
        .string({ error: prefixError })
        .refine((text) => text === "" || isRepositoryName(text.replace(/\/$/, "")), {
          error: prefixError,
        })
        .optional(),
      repositories: z
        .array(
          z
            .string({ error: globsError })
            .refine((text) => text !== "" && "glob" in parseGlob(text), { error: globsError }),
          { error: globsError },
        )
        .min(1, { error: globsError })
        .optional(),
      bytes: bytes(0).optional(),
      tags: count(0).optional(),
      manifests: count(0).optional(),
      maxRepos: count(0).optional(),
      warnAt: z
        .number({ error: partError })
        .gt(0, { error: partError })
        .max(1, { error: partError })
        .default(0.9),
      count: z.enum(["linked", "own"], { error: countError }).default("linked"),
    },
    section,
  )
  .refine((each) => (each.prefix === undefined) !== (each.repositories === undefined), {
    error: "`prefix` or `repositories`, and not both",
  })
  .refine(
    ({ bytes: b, tags, manifests, maxRepos }) =>
      [b, tags, manifests, maxRepos].some((limit) => limit !== undefined),
    { error: "a limit: `bytes`, `tags`, `manifests` or `maxRepos`" },
  );

type QuotaValues = z.output<typeof quota>;

export const quotaOptions = optionTable({
  maxRepos: {
    type: count(0),
    default: 0,
    defaultSays: "no limit",
    served: true,
    applies: "live",
    says: "Repositories with a manifest at most: a push that would make one more is refused with 429. `0` sets no limit.",
  },
  quotas: {
    type: z
      .array(quota, { error: "a list of quotas" })
      .max(quotasMax, { error: `up to ${quotasMax} quotas` })
      .refine(areDifferent, { error: "each `prefix` and each list of `repositories` once" })
      .transform((list): readonly QuotaValues[] => list)
      .meta({ title: "list of quotas" }),
    default: [],
    defaultSays: "none",
    served: true,
    applies: "live",
    says:
      "What repositories may hold together: `bytes`, `tags`, `manifests` and `maxRepos` of those below a `prefix`, or " +
      "that globs (`repositories`) fit. All that are about a repository apply. " +
      "Its keys are explained in [Share the disk](../guides/quotas.md).",
  },
});

function areDifferent(list: readonly QuotaValues[]): boolean {
  return new Set(list.map(keyOf)).size === list.length;
}

function keyOf({ prefix, repositories }: QuotaValues): string {
  return JSON.stringify(prefix ?? repositories);
}
