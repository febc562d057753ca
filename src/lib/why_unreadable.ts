/** What a failed read of a file means, in the words of the lines that operators get. */

const words = new Map([
  ["ENOENT", "no such file"],
  ["EISDIR", "a directory"],
  ["EACCES", "no permission to read it"],
]);

/** Such as "no such file"; the error's own message where there are no better words. */
export function whyUnreadable(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const known = "code" in error ? words.get(String(error.code)) : undefined;
  return known ?? error.message;
}
