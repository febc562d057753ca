// Durations in the syntax of Go's time.ParseDuration, which configuration files of this field use.
//
// Inside the program a duration is a number of milliseconds whose name ends in `Ms`. Fractions of a
// millisecond are kept ("1us" is 0.001). What Go refuses is refused: missing units, empty text, and
// anything beyond 2^63 - 1 nanoseconds (about 292 years).

const msPerUnit = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
  ["us", 1e-3],
  ["µs", 1e-3], // U+00B5, the micro sign
  ["μs", 1e-3], // U+03BC, the Greek letter
  ["ns", 1e-6],
]);

const durationMsMax = 9_223_372_036_854.775; // 2^63 - 1 nanoseconds
const part = /(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)/y;

/** Reads `1h30m`, `300ms`, `-1.5s`, `0`. Returns milliseconds, or null when the text is no duration. */
export function parseDuration(text: string): number | null {
  const negative = text.startsWith("-");
  const start = negative || text.startsWith("+") ? 1 : 0;
  if (text.slice(start) === "0") return 0;
  if (start === text.length) return null;
  let totalMs = 0;
  part.lastIndex = start;
  while (part.lastIndex < text.length) {
    const match = part.exec(text); // A failed match resets lastIndex; we leave at once.
    const unitMs = msPerUnit.get(match?.[2] ?? "");
    if (match === null || unitMs === undefined) return null;
    totalMs += Number(match[1]) * unitMs;
  }
  if (totalMs > durationMsMax) return null;
  return negative && totalMs !== 0 ? -totalMs : totalMs;
}

/** Shows milliseconds as `parseDuration` reads them, leaving out zero parts: `1h30m`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1) return `${roundToThousandths(ms * 1000)}µs`;
  if (ms < 1000) return `${roundToThousandths(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = roundToThousandths((ms % 60_000) / 1000);
  const parts: [number, string][] = [
    [hours, "h"],
    [minutes, "m"],
    [seconds, "s"],
  ];
  return parts.map(([amount, unit]) => (amount === 0 ? "" : `${amount}${unit}`)).join("");
}

function roundToThousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
