// The challenge of a 401: which login a registry wants (RFC 9110 §11.6.1, RFC 7617, RFC 6750).
//
// Several challenges may come in one line or in several; parameters are tokens or quoted strings.
// Parsing never fails: what cannot be read is left out, and the caller sees that nothing is left.

export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  scheme: string;
  /** Names in lower case, values without quotes. */
  parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const parameter = /\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/y;
const separators = /[\s,]*/y;

/** Reads the values of all `WWW-Authenticate` lines. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap((value) => parseLine(value));
}

function parseLine(value: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = skip(value, 0);
  while (at < value.length) {
    token.lastIndex = at;
    const scheme = token.exec(value)?.[0];
    if (scheme === undefined) break;
    at = token.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      const from = skip(value, at);
      parameter.lastIndex = from;
      const match = parameter.exec(value);
      if (match === null) break;
      at = parameter.lastIndex;
      const text = match[2]?.replaceAll(/\\(.)/g, "$1") ?? match[3] ?? "";
      parameters.set((match[1] ?? "").toLowerCase(), text);
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    at = skip(value, at);
  }
  return challenges;
}

function skip(value: string, at: number): number {
  separators.lastIndex = at;
  separators.exec(value);
  return separators.lastIndex;
}

/** The scopes of a Bearer challenge, one entry per resource. */
export function challengeScopes(challenge: Challenge): string[] {
  return (challenge.parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
}
