/** The plan of retention and collection: what would be removed now, why, and carrying it out. */
import { Problem, request, requestJson } from "./http.ts";

/** A line of the plan, as the registry has it: it is sent back as it came. */
export interface PlanLine {
  readonly kind: "tag" | "manifest" | "blob";
  readonly repository: string;
  readonly tag?: string;
  readonly digest: string;
  readonly reason: string;
  /** Beyond what the lines before it free. */
  readonly bytesFreed: number;
}

export interface Plan {
  readonly lines: readonly PlanLine[];
  readonly at: string | null;
  readonly bytesFreed: number;
  /** There is more than the registry tells at once. */
  readonly isCutOff: boolean;
}

interface Totals {
  readonly kind: "totals";
  readonly at: string | null;
  readonly bytesFreed: number;
  readonly isCutOff: boolean;
}

export async function readPlan(signal: AbortSignal): Promise<Plan> {
  const answer = await request("v2/_zot/gc/plan", { signal });
  const text = (await answer.text()).trimEnd();
  try {
    const all = text.split("\n").map((line) => JSON.parse(line) as PlanLine | Totals);
    const last = all.pop();
    if (last?.kind !== "totals") throw new Error("no totals");
    const { at, bytesFreed, isCutOff } = last;
    return { lines: all as PlanLine[], at, bytesFreed, isCutOff };
  } catch {
    throw new Problem(answer.status, "The plan that came is not whole. Try again.");
  }
}

export interface Skipped extends Pick<PlanLine, "kind" | "repository" | "tag" | "digest"> {
  readonly reason: string;
}

export interface Applied {
  readonly removed: number;
  readonly skipped: readonly Skipped[];
}

/** Lines of one request; the registry takes up to 5,000. */
const appliedMax = 2_000;

/** Removes what lines name, as far as they still hold. `tell` hears how many were sent. */
export async function applyLines(
  lines: readonly PlanLine[],
  tell: (sent: number) => void,
): Promise<Applied> {
  let removed = 0;
  const skipped: Skipped[] = [];
  for (let start = 0; start < lines.length; start += appliedMax) {
    const some = lines.slice(start, start + appliedMax);
    const answer = await requestJson<Applied>("v2/_zot/gc/apply", {
      method: "POST",
      json: { lines: some },
    });
    removed += answer.removed;
    skipped.push(...answer.skipped);
    tell(start + some.length);
  }
  return { removed, skipped };
}

export interface TagDecision {
  readonly tag: string;
  readonly digest: string;
  readonly pushedAt: string;
  readonly pulledAt: string | null;
  readonly decision: "keep" | "delete";
  /** Which step decided: `protect`, `immutable`, `pin`, `rules` and more. */
  readonly step: string;
  readonly reason: string;
  /** When time alone may change the decision. */
  readonly until: string | null;
}

export interface Retention {
  readonly policy: number | null;
  readonly dryRun: boolean;
  readonly tags: readonly TagDecision[];
}

/** What becomes of each tag of a repository, or of one. */
export function explain(
  repository: string,
  signal: AbortSignal,
  tag: string | null = null,
): Promise<Retention> {
  const query = tag === null ? "" : `?tag=${encodeURIComponent(tag)}`;
  return requestJson<Retention>(`v2/${repository}/_zot/retention${query}`, { signal });
}

/** A manifest without tag, index and subject, and what becomes of it. */
export interface UntaggedManifest extends Pick<TagDecision, "digest" | "reason" | "decision"> {
  readonly mediaType: string;
  readonly artifactType: string | null;
  readonly bytes: number;
  readonly pushedAt: string;
  readonly pushedBy: string | null;
  readonly pulledAt: string | null;
  readonly since: string;
  readonly until: string | null;
}

export interface Untagged {
  readonly dryRun: boolean;
  readonly manifests: readonly UntaggedManifest[];
  readonly isCutOff: boolean;
}

export function listUntagged(repository: string, signal: AbortSignal): Promise<Untagged> {
  return requestJson<Untagged>(`v2/${repository}/_zot/untagged`, { signal });
}
