// Commits of checkouts as git leaves them: on a branch, with packed branches, detached, as a second work tree.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { requireTool, runOk, tempDirectory } from "../../test/harness.ts";
import { commitOf } from "./program_commit.ts";

test.skipIf(!requireTool("git"))("is what git says", async () => {
  await using directory = await tempDirectory();
  const first = join(directory.path, "first");
  const second = join(directory.path, "second");
  const git = async (at: string, ...args: string[]): Promise<string> => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    return (await runOk("git", ["-C", at, ...who, ...args])).stdout.trim();
  };
  await runOk("git", ["init", "-q", first]);
  expect(commitOf(first)).toBeNull();
  await git(first, "commit", "-q", "--allow-empty", "-m", "one");
  const one = await git(first, "rev-parse", "HEAD");
  expect(commitOf(first)).toBe(one);
  await git(first, "pack-refs", "--all");
  expect(commitOf(first)).toBe(one);
  await git(first, "worktree", "add", "-q", "-b", "other", second);
  await git(second, "commit", "-q", "--allow-empty", "-m", "two");
  const two = await git(second, "rev-parse", "HEAD");
  expect([commitOf(first), commitOf(second)]).toEqual([one, two]);
  await git(first, "checkout", "-q", "--detach", two);
  expect(commitOf(first)).toBe(two);
  expect(commitOf(directory.path)).toBeNull();
});
