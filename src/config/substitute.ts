// `${VARIABLE}` and `${VARIABLE:-default}` inside the text values of a configuration file.
//
// It works on values after parsing, so what a variable holds never becomes keys or structure, and
// it is done once: a value is never searched for variables again. As in a shell, the default also
// stands in for a variable that is empty. `$${` is a plain `${`. What a variable holds may be a
// secret: no message repeats it.

export type Environment = Readonly<Record<string, string | undefined>>;

/** The text with its variables filled in, and which these were; or why that cannot be done. */
export type Substitution =
  | { readonly text: string; readonly variables: readonly string[] }
  | { readonly problem: string };

// In this order: the escape, a variable, and an opening that is neither.
const pattern = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/** Fills in the variables of one text. */
export function substitute(text: string, env: Environment): Substitution {
  const variables: string[] = [];
  const problems: string[] = [];
  const filled = text.replace(pattern, (all, name?: string, fallback?: string) => {
    if (all === "$${") return "${";
    if (name === undefined) {
      problems.push('expected ${NAME} or ${NAME:-default}, got "${"; write $${ for a plain one');
      return "";
    }
    variables.push(name);
    const value = env[name];
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) {
      problems.push(
        `expected the environment to set ${name}, got nothing; ` +
          `set it, or write \${${name}:-default}`,
      );
    }
    return value ?? "";
  });
  const [problem] = problems;
  return problem === undefined ? { text: filled, variables } : { problem };
}
