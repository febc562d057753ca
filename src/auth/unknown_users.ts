/** Finds names that a policy grants something and by which nobody can log in: most of them are typing mistakes. */
import { nearest } from "../lib/nearest.ts";
import { readNamedUser } from "./named_user.ts";
import type { AccessControl, PolicyGrant } from "./options.ts";

/** Lines that are told at once; with more the file is another one altogether. */
const linesMax = 20;

/** One line for each name of the policy that is not among `names`. */
export function unknownUsers(control: AccessControl, names: ReadonlySet<string>): string[] {
  const lines = placesOf(control).flatMap(({ path, users }) =>
    users.flatMap((user, index) =>
      isKnown(user, names) ? [] : [`${path}.users[${index}]: ${unknown(user, [...names])}`],
    ),
  );
  const rest = lines.length - linesMax;
  if (rest <= 0) return lines;
  return [...lines.slice(0, linesMax), `http.accessControl: ${rest} other names are unknown, too`];
}

/** What is to be said of a user who cannot log in; null for one who can. */
export function unknownUser(user: string, names: ReadonlySet<string>): string | null {
  return isKnown(user, names) ? null : unknown(user, [...names]);
}

/** Of another method's users nothing is known here. */
function isKnown(user: string, names: ReadonlySet<string>): boolean {
  const { method, name } = readNamedUser(user);
  return names.has(name) || (method !== null && method !== "htpasswd");
}

function unknown(user: string, names: readonly string[]): string {
  const { method, name } = readNamedUser(user);
  const near = nearest(name, names);
  const advice =
    near === null ? "" : `; did you mean ${method === null ? "" : `${method}:`}${near}?`;
  return `${JSON.stringify(user)} is not in the file of users${advice}`;
}

/** A list of users, and the path of the section that it stands in. */
export interface Place {
  readonly path: string;
  readonly users: readonly string[];
}

export function placesOf({ repositories, adminPolicy, groups, metrics }: AccessControl): Place[] {
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
