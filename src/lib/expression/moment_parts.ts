/**
 * A moment as a calendar and a clock show it, in UTC or in another time zone (Common Expression Language, "Date/Time
 * functions").
 *
 * A zone is a name of the time zone database or an offset such as `+02:00`; anything else is a problem.
 */
import { ExpressionProblem, shown } from "./tokens.ts";
import { momentAt, type Moment } from "./values.ts";

const dayMs = 86_400_000;

/** TABLE of the parts; each reads a date whose UTC fields are those of the zone. */
export const momentParts = {
  getFullYear: (date: Date) => date.getUTCFullYear(),
  getMonth: (date: Date) => date.getUTCMonth(),
  getDate: (date: Date) => date.getUTCDate(),
  getDayOfMonth: (date: Date) => date.getUTCDate() - 1,
  getDayOfWeek: (date: Date) => date.getUTCDay(),
  getDayOfYear: (date: Date) =>
    Math.round(
      (Date.parse(`${date.toISOString().slice(0, 10)}T00:00:00Z`) - yearStart(date)) / dayMs,
    ),
  getHours: (date: Date) => date.getUTCHours(),
  getMinutes: (date: Date) => date.getUTCMinutes(),
  getSeconds: (date: Date) => date.getUTCSeconds(),
  getMilliseconds: (date: Date) => date.getUTCMilliseconds(),
} as const;

function yearStart(date: Date): number {
  return Date.parse(`${date.toISOString().slice(0, 4)}-01-01T00:00:00Z`);
}

/** A date whose UTC fields are what clocks of a zone show. @throws ExpressionProblem for an unknown zone. */
export function dateIn(zone: string, moment: Moment): Date {
  if (zone === "" || zone === "UTC") return new Date(moment.ms);
  const offset = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (offset === null) return new Date(momentAt(localMs(formatOf(zone), moment.ms)).ms);
  const [, sign, hours, minutes] = offset;
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return new Date(momentAt(moment.ms + (sign === "-" ? -ms : ms)).ms);
}

/** Making one takes far longer than using it. */
const formats = new Map<string, Intl.DateTimeFormat>();
const formatsMax = 100;

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    if (formats.size >= formatsMax) formats.clear();
    formats.set(zone, format);
    return format;
  } catch {
    throw new ExpressionProblem(`a time zone such as Europe/Berlin, got ${shown(zone)}`);
  }
}

function localMs(format: Intl.DateTimeFormat, ms: number): number {
  const fields = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const read = (type: Intl.DateTimeFormatPartTypes): number => fields.get(type) ?? 0;
  const seconds = Date.UTC(
    read("year"),
    read("month") - 1,
    read("day"),
    read("hour"),
    read("minute"),
    read("second"),
  );
  return seconds + (((ms % 1000) + 1000) % 1000);
}
