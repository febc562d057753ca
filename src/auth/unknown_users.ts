/**
 * Names that a policy gives something to and that nobody can log in by: mistakes in writing, most of the time.
 */
import { nearest } from "../lib/nearest.ts";
import type { AccessControl, PolicyGrant } from "./options.ts";

/** Lines that are told at once; with more the file is another one altogether. */
const linesMax = 20;

/** One line for each name of the policy that is not among `names`. */
export function unknownUsers(control: AccessControl, names: ReadonlySet<string>): string[] {
  const lines = placesOf(control).flatMap(({ path, users }) =>
    users.flatMap((user, index) =>
      names.has(user) ? [] : [`${path}.users[${index}]: ${unknown(user, [...names])}`],
    ),
  );
  const rest = lines.length - linesMax;
  if (rest <= 0) return lines;
  return [...lines.slice(0, linesMax), `http.accessControl: ${rest} other names are unknown, too`];
}

function unknown(user: string, names: readonly string[]): string {
  const near = nearest(user, names);
  const advice = near === null ? "" : `; did you mean ${near}?`;
  return `${JSON.stringify(user)} is not in the file of users${advice}`;
}

interface Place {
  readonly path: string;
  readonly users: readonly string[];
}

function placesOf({ repositories, adminPolicy, groups, metrics }: AccessControl): Place[] {
  const at = (path: string, { users }: Pick<PolicyGrant, "users">): Place => ({
    path: `http.accessControl.${path}`,
    users,
  });
  return [
    ...Object.entries(groups).map(([name, group]) => at(`groups[${JSON.stringify(name)}]`, group)),
    ...Object.entries(repositories).flatMap(([glob, { policies }]) =>
      policies.map((grant, index) =>
        at(`repositories[${JSON.stringify(glob)}].policies[${index}]`, grant),
      ),
    ),
    at("adminPolicy", adminPolicy),
    at("metrics", metrics),
  ];
}
