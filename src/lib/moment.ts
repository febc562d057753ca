/**
 * Moments in microseconds since the epoch, in the notation of RFC 3339.
 *
 * Events of one millisecond are told apart by them. A number holds them exactly until the year 2255.
 */

const microsPerMs = 1_000;
const dayMs = 86_400_000;

const pattern =
  /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,30}))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Reads a moment with its offset; null when the text is none, such as the 30th of February. What is finer than a
 * microsecond is cut off, and `isExact` tells of it.
 */
export function parseMoment(
  text: string,
): { readonly moment: number; readonly isExact: boolean } | null {
  const [, date = "", time = "", fraction = "", zone = ""] = pattern.exec(text) ?? [];
  const midnightMs = Date.parse(`${date}T00:00:00Z`);
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(ms) || !isCalendarDay(date, midnightMs)) return null;
  const micros = Number(fraction.slice(0, 6).padEnd(6, "0"));
  return { moment: ms * microsPerMs + micros, isExact: !/[1-9]/.test(fraction.slice(6)) };
}

/** The runtime takes the 30th of February for a day in March. */
function isCalendarDay(date: string, midnightMs: number): boolean {
  return !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(date);
}

/** The last moment of a day in UTC, such as `2026-11-30`; null when there is no such day. */
export function endOfDay(date: string): number | null {
  const midnightMs = Date.parse(`${date}T00:00:00Z`);
  return isCalendarDay(date, midnightMs) ? (midnightMs + dayMs) * microsPerMs - 1 : null;
}

/** In UTC with six digits behind the point: `2026-11-30T12:00:00.000001Z`. */
export function formatMoment(moment: number): string {
  const ms = Math.floor(moment / microsPerMs);
  const rest = String(moment - ms * microsPerMs).padStart(3, "0");
  return new Date(ms).toISOString().replace("Z", `${rest}Z`);
}
