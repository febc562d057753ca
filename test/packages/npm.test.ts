// The npm package works where it is installed as a dependency: `npx zot`.
//
// Proves: the tarball holds everything that the program needs, and no tests. Installs packages, so it runs in CI and by
// `npm run test:fresh` only.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageDirectory, runOk, startZot, tempDirectory } from "../harness.ts";

const wanted = process.env["ZOT_TEST_FRESH"] === "1";
const installMs = 240_000;

test.skipIf(!wanted)(
  "npm pack, npm install and npx zot serve a registry",
  async () => {
    await using directory = await tempDirectory();
    const { path } = directory;
    const options = { cwd: path, timeoutMs: installMs };
    const packed = await runOk("npm", ["pack", "--silent", "--pack-destination", path], {
      cwd: packageDirectory,
      timeoutMs: installMs,
    });
    const tarball = packed.stdout.trim().split("\n").at(-1) ?? "";
    const listed = (await runOk("tar", ["-tzf", tarball], options)).stdout.split("\n");
    expect(listed).toContain("package/bin/zot");
    // Examples show how programs test themselves.
    const tests = listed.filter((name) => name.endsWith(".test.ts"));
    expect(tests.filter((name) => !name.startsWith("package/examples/"))).toEqual([]);
    expect(listed).toContain("package/src/api/viewer/LICENSE");
    expect(listed).toContain("package/src/extensions/ui/built/interface.pack");
    expect(listed.filter((name) => name.startsWith("package/src/ui/"))).toEqual([]);
    expect(existsSync(join(packageDirectory, "src/api/viewer"))).toBe(false);

    await runOk("npm", ["init", "-y"], options);
    await runOk("npm", ["install", "--no-audit", "--no-fund", join(path, tarball)], options);
    for (const name of ["swagger-ui-dist", "@scarf"]) {
      expect(existsSync(join(path, "node_modules", name))).toBe(false);
    }
    const version = await runOk("npx", ["zot", "--version"], options);
    expect(version.stdout).toStartWith("zot ");
    expect(version.stdout).toMatch(/^commit [0-9a-f]{40,64}$/m);
    expect(existsSync(join(packageDirectory, "commit"))).toBe(false);
    await using zot = await startZot({
      executable: join(path, "node_modules/.bin/zot"),
      config: { extensions: { ui: {} } },
      cwd: path,
    });
    expect((await fetch(`${zot.url}/v2/`)).status).toBe(200);
    const viewer = await fetch(`${zot.url}/swagger/v2/swagger-ui-bundle.js`);
    expect((await viewer.arrayBuffer()).byteLength).toBeGreaterThan(1_000_000);
    const page = await fetch(`${zot.url}/ui/`);
    expect(await page.text()).toContain('<base href="/ui/">');
    expect(await zot.stop()).toBe(0);
  },
  installMs,
);
