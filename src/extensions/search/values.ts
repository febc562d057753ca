/** Values as the clients of zot's search read them. */
const intMax = 2 ** 31 - 1;

/** GraphQL's whole numbers have 32 bits. */
export function int(value: number): number {
  return Math.min(value, intMax);
}

/** RFC 3339; null for never. */
export function time(ms: number | null): string | null {
  if (ms === null) return null;
  const text = new Date(ms).toISOString();
  return ms % 1_000 === 0 ? `${text.slice(0, -5)}Z` : text;
}
