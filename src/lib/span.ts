// Times ago as people write them: a whole number and one unit, such as `90m` or `7d`.

const msPerUnit: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** Milliseconds; null when the text is no such time. */
export function parseSpan(text: string): number | null {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = msPerUnit[unit];
  return unitMs === undefined ? null : Number(count) * unitMs;
}
