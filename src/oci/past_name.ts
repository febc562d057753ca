/**
 * Names that read the past: `at.<when>/team/app` is `team/app` as it was then. Any client can ask by them, since they
 * are repository names like others; nothing is pushed to them.
 *
 * `<when>` is a day (its end, in UTC), a moment in UTC with dots for colons, a time ago, or the sequence of an event:
 * `at.2026-11-30`, `at.2026-11-30t12.00.00z`, `at.90m`, `at.n48213`.
 */
import { endOfDay, formatMoment, parseMoment } from "../lib/moment.ts";
import { parseSpan } from "../lib/span.ts";
import { isRepositoryName } from "./reference.ts";

export type When =
  /** Microseconds since the epoch. */
  | { readonly kind: "moment"; readonly moment: number }
  | { readonly kind: "ago"; readonly ms: number }
  /** The state that this event of history left. */
  | { readonly kind: "event"; readonly sequence: number };

export interface PastName {
  /** The name of the repository itself. */
  readonly name: string;
  /** Null for a day or time that there is not, such as the 30th of February. */
  readonly when: When | null;
}

const day = String.raw`\d{4}-\d{2}-\d{2}`;
const pattern = new RegExp(
  String.raw`^at\.(?:(${day})|(${day}t\d{2}\.\d{2}\.\d{2}(?:\.\d{1,6})?z)|(\d{1,6}[smhdw])|n(\d{1,15}))/(.+)$`,
);

/** Microseconds since the epoch, at the end of the last year of four digits. */
const momentMax = Date.UTC(9999, 11, 31, 23, 59, 59) * 1_000;

export function isPastName(repository: string): boolean {
  return parsePastName(repository) !== null;
}

/** Whether it names a repository as it is now, which alone can be written to. */
export function isPresentName(text: string): boolean {
  return isRepositoryName(text) && !isPastName(text);
}

/** Null for any other name. */
export function parsePastName(repository: string): PastName | null {
  if (!repository.startsWith("at.")) return null;
  const [, date, moment, ago, event, name] = pattern.exec(repository) ?? [];
  if (name === undefined) return null;
  return { name, when: whenOf({ date, moment, ago, event }) };
}

interface Parts {
  readonly date: string | undefined;
  readonly moment: string | undefined;
  readonly ago: string | undefined;
  readonly event: string | undefined;
}

function whenOf({ date, moment, ago, event }: Parts): When | null {
  if (event !== undefined) return { kind: "event", sequence: Number(event) };
  if (ago !== undefined) return { kind: "ago", ms: parseSpan(ago) ?? 0 };
  const found = date === undefined ? momentOf(moment ?? "") : endOfDay(date);
  return found === null ? null : { kind: "moment", moment: found };
}

/** `2026-11-30t12.00.00.5z` with the colons that a name cannot have. */
function momentOf(text: string): number | null {
  const withColons = text.replace(/t(\d{2})\.(\d{2})\./, "t$1:$2:");
  return parseMoment(withColons)?.moment ?? null;
}

/** The repository that a name means, whatever the time. */
export function realNameOf(repository: string): string {
  return parsePastName(repository)?.name ?? repository;
}

/** The name that reads a repository as it was at a moment. */
export function pastNameAt(name: string, moment: number): string {
  return `at.${formatMoment(moment).toLowerCase().replaceAll(":", ".")}/${name}`;
}

/**
 * The same for a time as it stands in a query or a header: as in a name, or as RFC 3339 has it. Null for what is no
 * time.
 */
export function pastNameFor(name: string, text: string): string | null {
  const moment = parseMoment(text.trim().replace(" ", "+"));
  // Its offset may take a moment out of the years that a name can say.
  if (moment !== null) {
    return pastNameAt(name, Math.min(Math.max(moment.moment, 0), momentMax));
  }
  const asked = `at.${text.trim().toLowerCase()}/${name}`;
  const parsed = parsePastName(asked);
  // A slash in the time would make it the past of another repository.
  return parsed?.name !== name || parsed.when === null ? null : asked;
}
