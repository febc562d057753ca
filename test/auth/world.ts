// A server whose callers are known: users in an htpasswd file, a policy with one of each kind, and requests as each.
//
// Users have cheap hashes, so that a test may log in often. Everything is in one process on a port of its own and is
// gone at the end. `as` sends a request as a principal, by name.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Exchange } from "../../src/client/exchange.ts";
import { startWorld, type SendOptions, type World } from "../http/world.ts";
import { tempDirectory } from "../temp.ts";

/** Users of the file: everybody's password is "<name>'s password". */
export const users = [
  "nobody",
  "readerA",
  "creatorA",
  "writerA",
  "adminA",
  "readerB",
  "globalRO",
  "admin",
] as const;
export type User = (typeof users)[number];

/** What the policy of every test says unless it brings its own. */
export const accessControl = {
  groups: { teamA: { users: ["readerA", "creatorA", "writerA", "adminA"] } },
  repositories: {
    "a/**": {
      policies: [
        { groups: ["teamA"], actions: ["read"] },
        { users: ["creatorA", "writerA", "adminA"], actions: ["create"] },
        { users: ["writerA", "adminA"], actions: ["update"] },
        { users: ["adminA"], actions: ["delete"] },
        { users: ["globalRO"], actions: ["read"] },
      ],
    },
    "b/**": { policies: [{ users: ["readerB", "globalRO"], actions: ["read"] }] },
    "pub/**": { anonymousPolicy: ["read"], defaultPolicy: ["read"] },
  },
  adminPolicy: { users: ["admin"], actions: ["read", "create", "update", "delete"] },
};

export function passwordOf(name: string): string {
  return `${name}'s password`;
}

export function basic(name: string, password = passwordOf(name)): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
}

export interface AuthWorld extends World {
  /** The htpasswd file, which tests may change. */
  readonly users: string;
  /** Path of a file in the world's own directory. */
  readonly file: (name: string) => string;
  /** Sends as a user of the file, or as nobody at all (null). */
  as(user: User | null, method: string, target: string, options?: SendOptions): Promise<Exchange>;
}

export interface AuthWorldOptions {
  /** Merged over `http.auth` with its htpasswd file. */
  readonly auth?: object;
  /** In place of the policy above; null for none. */
  readonly accessControl?: object | null;
  /** Merged over `http`. */
  readonly http?: object;
  readonly log?: object;
  readonly extensions?: object;
}

export async function startAuthWorld(options: AuthWorldOptions = {}): Promise<AuthWorld> {
  const directory = await tempDirectory("zot-auth");
  try {
    const file = join(directory.path, "users");
    await writeFile(file, await usersFile());
    const policy = options.accessControl === undefined ? accessControl : options.accessControl;
    const world = await startWorld({
      http: {
        auth: { htpasswd: { path: file }, ...options.auth },
        ...(policy === null ? {} : { accessControl: policy }),
        ...options.http,
      },
      ...(options.log === undefined ? {} : { log: options.log }),
      ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
    });
    return Object.create(world, {
      users: { value: file },
      file: { value: (name: string) => join(directory.path, name) },
      as: {
        value: (user: User | null, method: string, target: string, rest: SendOptions = {}) => {
          const given = rest.headers ?? {};
          const headers: Record<string, string> = Object.fromEntries(
            Array.isArray(given) ? given : Object.entries(given),
          );
          const login = user === null ? {} : { authorization: basic(user) };
          return world.send(method, target, { ...rest, headers: { ...login, ...headers } });
        },
      },
      [Symbol.asyncDispose]: {
        value: async () => {
          await world[Symbol.asyncDispose]();
          await directory[Symbol.asyncDispose]();
        },
      },
    }) as AuthWorld;
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

/** Lines of an htpasswd file, at bcrypt's least cost. */
export async function usersFile(names: readonly string[] = users): Promise<string> {
  const lines = await Promise.all(
    names.map(async (name) => {
      const hash = await Bun.password.hash(passwordOf(name), { algorithm: "bcrypt", cost: 4 });
      return `${name}:${hash}\n`;
    }),
  );
  return lines.join("");
}

/** JSON of an answer. */
export function jsonOf(answer: Exchange): Record<string, unknown> {
  const value: Record<string, unknown> = JSON.parse(Buffer.from(answer.body).toString());
  return value;
}

export function textOf(answer: Exchange): string {
  return Buffer.from(answer.body).toString();
}
