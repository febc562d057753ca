/** What retention decides about a tag, in a word: that it goes, when it may, or what keeps it whatever comes. */
import { addressOf, Link } from "../core/router.tsx";
import type { TagDecision } from "../core/plan.ts";
import { Chip, Time } from "./basics.tsx";

/** Steps after which no time and no push changes anything, and the word for each. */
const fixed: Readonly<Record<string, string>> = { protect: "protected", immutable: "immutable" };

/** Steps whose time is the end of a protection, which says nothing of what becomes of the tag then. */
const protectsUntil: readonly string[] = ["pin"];

/** Whether there is anything to say of it. */
export function hasExpiry({ decision, step, until }: TagDecision): boolean {
  if (decision === "delete" || Object.hasOwn(fixed, step)) return true;
  return until !== null && !protectsUntil.includes(step);
}

/** Where what becomes of each tag of a repository is told. */
export const planAddress = (repository: string): string =>
  addressOf("plan", new URLSearchParams({ of: repository }));

export function Expiry({
  repository,
  told,
  isDryRun,
}: {
  readonly repository: string;
  readonly told: TagDecision;
  readonly isDryRun: boolean;
}) {
  const { decision, step, reason, until } = told;
  if (decision === "keep" && until === null) return <Chip title={reason}>{fixed[step]}</Chip>;
  const says = isDryRun ? `${reason} (a dry run: nothing goes)` : reason;
  return (
    <Link to={planAddress(repository)} class="quiet" title={says}>
      {decision === "delete" ? <Chip tone="warn">goes</Chip> : <Time at={until} />}
    </Link>
  );
}
