// `zot authz`: decisions with their reasons.

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDirectory } from "../../test/temp.ts";
import { runCommandLine } from "./program.ts";

const hash = "$2y$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
const accessControl = {
  groups: { dev: { users: ["alice"] } },
  repositories: {
    "**": { defaultPolicy: ["read"] },
    "team/**": {
      policies: [
        { groups: ["dev"], actions: ["read", "create"] },
        { users: ["htpasswd:carol"], actions: ["update"] },
        {
          users: ["bob"],
          actions: ["delete"],
          conditions: [{ expression: "req.tls.enabled" }],
        },
      ],
      anonymousPolicy: ["read"],
    },
  },
  adminPolicy: { users: ["admin"], actions: ["read", "delete"] },
};

async function run(config: (directory: string) => object, ...words: string[]) {
  await using directory = await tempDirectory();
  const file = join(directory.path, "config.json");
  await writeFile(file, JSON.stringify(config(directory.path)));
  await writeFile(join(directory.path, "users"), `alice:${hash}\nbroken\n`);
  await writeFile(join(directory.path, "good"), `alice:${hash}\n`);
  let [out, error] = ["", ""];
  const output = {
    out: (text: string) => void (out += text),
    error: (text: string) => void (error += text),
    colour: false,
    columns: undefined,
  };
  const [command = "", ...rest] = words;
  const status = await runCommandLine([command, file, ...rest], output);
  return { status, out, error: error.replaceAll(`${directory.path}/`, "") };
}

const withPolicy = () => ({
  http: { auth: { htpasswd: { path: "users" } }, accessControl },
});
const authz = (...words: string[]) => run(withPolicy, "authz", ...words);

describe("authz", () => {
  test.each([
    [["alice", "create", "team/app"], 0, 'because: policies[0] of "team/**", group dev'],
    [["alice", "delete", "team/app"], 1, 'because: "team/**" gives alice no delete'],
    [["zoe", "read", "other"], 0, 'because: defaultPolicy of "**"'],
    [["zoe", "read", "team/app"], 1, 'globs that fit, longest first: "team/**", "**"'],
    [["zoe", "read", "team/app", "--group", "dev"], 0, "groups: dev"],
    [["admin", "delete", "team/app"], 0, "because: adminPolicy, user admin"],
    [["-", "read", "team/app"], 0, "allowed: an anonymous caller may read team/app"],
    [["-", "read", "other"], 1, "denied: an anonymous caller may not read other"],
    [["bob", "delete", "team/app"], 0, 'only when, for policies[2] of "team/**": req.tls.enabled'],
    [["htpasswd:carol", "update", "team/app"], 0, 'because: policies[1] of "team/**", user carol'],
    [["carol", "update", "team/app"], 1, 'because: "team/**" gives carol no update'],
    [["ldap:carol", "update", "team/app"], 1, 'because: "team/**" gives carol no update'],
  ])("%j exits with %p", async (words, status, says) => {
    const result = await authz(...words);
    expect(result).toMatchObject({ status, error: "" });
    expect(result.out).toContain(says);
  });

  test("a user who is not in the file of users gets a line; what cannot be told gets none", async () => {
    const users = (name: string) => (directory: string) => ({
      http: { auth: { htpasswd: { path: join(directory, name) } }, accessControl },
    });
    const asks = async (user: string, file = "good") =>
      (await run(users(file), "authz", user, "read", "other")).out;
    expect(await asks("alise")).toContain(
      '  but: "alise" is not in the file of users; did you mean alice?\n',
    );
    expect(await asks("zoe")).toContain('  but: "zoe" is not in the file of users\n');
    for (const user of ["alice", "htpasswd:alice", "ldap:zoe", "-"]) {
      expect(await asks(user)).not.toContain("but:");
    }
    for (const file of ["users", "none"]) expect(await asks("zoe", file)).not.toContain("but:");
  });

  test("without access control every user may, without authentication everybody", async () => {
    const users = () => ({ http: { auth: { htpasswd: { path: "users" } } } });
    expect(await run(users, "authz", "zoe", "delete", "a")).toMatchObject({ status: 0 });
    expect(await run(users, "authz", "-", "read", "a")).toMatchObject({ status: 1 });
    expect(await run(() => ({}), "authz", "-", "delete", "a")).toMatchObject({ status: 0 });
  });

  test.each([
    [["alice", "fly", "a"], "expected an action, one of read, create, update, delete"],
    [["alice", "read", "A"], "expected the name of a repository"],
    [["alice", "read"], "repository"],
  ])("%j is a mistake", async (words, says) => {
    const result = await authz(...words);
    expect(result.status).toBe(2);
    expect(result.error).toContain(says);
  });

  test("a file that is wrong is told", async () => {
    const wrong = () => ({ http: { accessControl: { repositories: { "/a": {} } } } });
    const result = await run(wrong, "authz", "alice", "read", "a");
    expect(result).toMatchObject({ status: 2, out: "" });
    expect(result.error).toContain('did you mean "a"?');
  });
});
