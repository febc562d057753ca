// `zot retention explain` and `zot why`: what a running server decides about tags, and what keeps content there.

import type { Given, Output } from "./command.ts";
import { Mistake } from "./registry_flags.ts";
import {
  failed,
  inColumns,
  parseTarget,
  wantsJson,
  withServer,
  type Target,
} from "./server_given.ts";

interface ToldTag {
  readonly tag: string;
  readonly digest: string;
  readonly pushedAt: string;
  readonly pulledAt: string | null;
  readonly decision: "keep" | "delete";
  readonly step: string;
  readonly reason: string;
  readonly entry: number | null;
  readonly rules: readonly { readonly rule: string; readonly holds: boolean }[];
  readonly until: string | null;
}

interface ToldRetention {
  readonly subPath: string | null;
  readonly policy: number | null;
  readonly dryRun: boolean;
  readonly tags: readonly ToldTag[];
}

interface ToldWhy {
  readonly digest: string;
  readonly kind: string;
  readonly ways: readonly (readonly { readonly kind: string; readonly name: string }[])[];
  readonly isCutOff: boolean;
  readonly protection: string | null;
  readonly unnamedSince: string | null;
  readonly verdict: {
    readonly decision: "keep" | "delete";
    readonly reason: string;
    readonly until: string | null;
  } | null;
}

/** The order in which the steps of the evaluation are asked. */
const order = "protect, pin, immutable, subject, label, first entry, rules, minimum, percent";

/** Runs `zot retention explain`. Returns the exit status. */
export async function retentionCommand(given: Given, output: Output): Promise<number> {
  try {
    const action = given.arguments["action"];
    if (action !== "explain") throw new Mistake(`expected explain, got '${action ?? ""}'`);
    const target = parseTarget(given.arguments["reference"] ?? "");
    return await ask(given, output, { target, path: explainPath(target), show: showRetention });
  } catch (error) {
    return failed(error, output);
  }
}

/** Runs `zot why`. Returns the exit status. */
export async function whyCommand(given: Given, output: Output): Promise<number> {
  try {
    const target = parseTarget(given.arguments["reference"] ?? "");
    const { repository, reference } = target;
    if (reference === null) {
      throw new Mistake(`expected a tag or a digest, such as ${repository}:1.0; got a repository`);
    }
    const path = `/v2/${repository}/_zot/why/${reference}`;
    return await ask(given, output, { target, path, show: showWhy });
  } catch (error) {
    return failed(error, output);
  }
}

function explainPath({ repository, reference }: Target): string {
  if (reference !== null && reference.includes(":")) {
    throw new Mistake(`expected a repository or a tag, got a digest; zot why tells what keeps it`);
  }
  const query = reference === null ? "" : `?tag=${encodeURIComponent(reference)}`;
  return `/v2/${repository}/_zot/retention${query}`;
}

async function ask<Answer>(
  given: Given,
  output: Output,
  question: {
    readonly target: Target;
    readonly path: string;
    readonly show: (answer: Answer, target: Target) => string;
  },
): Promise<number> {
  const json = wantsJson(given);
  const { target, path, show } = question;
  return await withServer(given, output, {
    server: target.server,
    run: async (server) => {
      const answer = (await server.ask("GET", path)) as Answer;
      output.out(json ? `${JSON.stringify(answer, null, 2)}\n` : show(answer, target));
      return 0;
    },
  });
}

function showRetention(
  { subPath, policy, dryRun, tags }: ToldRetention,
  { reference }: Target,
): string {
  const section = subPath === null ? "storage" : `storage.subPaths[${JSON.stringify(subPath)}]`;
  const where = policy === null ? "no policy fits" : `${section}.retention.policies[${policy}]`;
  const dry = dryRun ? "; dryRun is on: nothing is removed" : "";
  const heading = `${where}${dry}\n`;
  const [only] = tags;
  if (reference !== null && only !== undefined) return heading + showTag(only);
  const rows = tags.map(({ tag, decision, reason, pushedAt, pulledAt, until }) => [
    tag,
    decision,
    reason,
    pushedAt,
    pulledAt ?? "never",
    until ?? "",
  ]);
  return heading + inColumns(["TAG", "DECISION", "REASON", "PUSHED", "PULLED", "UNTIL"], rows);
}

function showTag(told: ToldTag): string {
  const { tag, digest, pushedAt, pulledAt, decision, step, reason, entry, rules, until } = told;
  const rows = [
    ["tag", tag],
    ["digest", digest],
    ["pushed", pushedAt],
    ["pulled", pulledAt ?? "never"],
    ["entry", entry === null ? "none fits" : `keepTags[${entry}]`],
    ...rules.map(({ rule, holds }) => ["rule", `${rule} ${holds ? "holds" : "does not hold"}`]),
    ["decision", decision],
    ["decided by", `${step} (of ${order})`],
    ["reason", reason],
    ...(until === null ? [] : [["until", until]]),
  ];
  return inColumns([], rows);
}

function showWhy({ digest, kind, ways, ...rest }: ToldWhy): string {
  const { isCutOff, protection, unnamedSince, verdict } = rest;
  const lines = [`${kind} ${digest}`];
  if (protection !== null) lines.push(`  ${protection}`);
  for (const way of ways) {
    lines.push(`  ${way.map((step) => `${step.kind} ${step.name}`).join(" > ")}`);
  }
  if (isCutOff) lines.push("  and more");
  if (ways.length === 0) lines.push(`  nothing names it since ${unnamedSince ?? "now"}`);
  if (verdict !== null) {
    const until = verdict.until === null ? "" : `, until ${verdict.until}`;
    lines.push(`  ${verdict.decision}: ${verdict.reason}${until}`);
  }
  return `${lines.join("\n")}\n`;
}
