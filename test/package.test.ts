// package.json says where the project is, and the pages that send people there say the same.

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { packageDirectory } from "./harness.ts";

const home = packageJson.homepage.replace(/#.*$/, "");

test("repository, bugs and homepage are of one project", () => {
  expect(packageJson.repository).toEqual({ type: "git", url: `git+${home}.git` });
  expect(packageJson.bugs).toBe(`${home}/issues`);
});

test("SECURITY.md says where to report", async () => {
  const page = await readFile(join(packageDirectory, "SECURITY.md"), "utf8");
  expect(page).toContain(`<${home}/security/advisories/new>`);
});

test("CONTRIBUTING names every script of a gate, and every file that an option touches", async () => {
  const page = await readFile(join(packageDirectory, "CONTRIBUTING.md"), "utf8");
  const gates = ["quick", "format:check", "lint", "types", "test", "ok"];
  for (const name of gates) {
    expect(packageJson.scripts).toHaveProperty([name]);
    expect(page).toContain(name === "test" ? "`npm test`" : `\`npm run ${name}\``);
  }
  const recipe = /An option, step by step[^]*?follow from the row/.exec(page)?.[0] ?? "";
  const paths = [...recipe.matchAll(/`([\w./-]+\.(?:ts|yaml|md))`/g)].map(([, path = ""]) => path);
  expect(paths.length).toBeGreaterThan(7);
  for (const path of paths.filter((each) => each !== "options.ts")) {
    expect(await Bun.file(join(packageDirectory, path)).exists(), path).toBe(true);
  }
});
