// What is carried to a machine without a network installs there: the executable by its checksum, and the npm package
// that brings its dependencies. Packs a whole runtime, so it runs in CI and by `npm run test:fresh` only.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { packageDirectory, requireRoot, requireTool, runOk, tempDirectory } from "../harness.ts";
import { builtExecutable } from "./built.ts";

const wanted = process.env["ZOT_TEST_FRESH"] === "1";
const installMs = 600_000;

test.skipIf(!wanted || !requireTool("unshare", "npm") || !requireRoot())(
  "the executable and the npm package install without a network",
  async () => {
    await builtExecutable();
    await runOk("npm", ["run", "--silent", "pack:offline"], {
      cwd: packageDirectory,
      timeoutMs: installMs,
    });
    await using directory = await tempDirectory();
    const offline = (text: string) =>
      runOk("unshare", ["--net", "sh", "-euc", text], {
        cwd: directory.path,
        env: { HOME: directory.path, npm_config_cache: join(directory.path, "cache") },
        timeoutMs: installMs,
      });
    await offline(
      `cp ${join(packageDirectory, "dist")}/zot-* . ; cp ${join(packageDirectory, "dist/SHA256SUMS")} .`,
    );
    const checked = await offline("sha256sum --check --ignore-missing SHA256SUMS");
    expect(
      checked.stdout.split("\n").filter((line) => line.endsWith(": OK")).length,
    ).toBeGreaterThan(1);
    await offline("npm init -y && npm install --offline --no-audit --no-fund ./zot-registry-*.tgz");
    const version = await offline("npx --offline zot --version");
    expect(version.stdout).toStartWith("zot ");
  },
  installMs,
);
