// The compiled executable does what `bin/zot` does, for a user who has no checkout, no Node and no home.
//
// Proves: it serves pushes and pulls (small and large, so that its hashing thread runs), answers every command, and
// reads nothing of the directory that it is started in. Builds are the same bytes twice.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  packageDirectory,
  requireRoot,
  requireTool,
  run,
  runOk,
  startZot,
  tempDirectory,
} from "../harness.ts";
import { startSlapd } from "../slapd.ts";
import { builtExecutable } from "./built.ts";

const buildMs = 120_000;
/** `nobody`: owns nothing here. */
const stranger = 65534;

describe.skipIf(!requireRoot())("the executable", () => {
  test(
    "serves a push and a pull for a user without the repository",
    async () => {
      const executable = await builtExecutable();
      await using zot = await startZot({
        executable,
        config: { extensions: { ui: {} } },
        uid: stranger,
        cwd: "/",
        env: { HOME: undefined },
      });
      for (const size of [10, 3_000_000, 40_000_000]) {
        const body = Buffer.alloc(size, `${size} bytes `);
        const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
        const blobs = `${zot.url}/v2/built/app/blobs`;
        const pushed = await fetch(`${blobs}/uploads/?digest=${digest}`, { method: "POST", body });
        expect(pushed.status).toBe(201);
        const pulled = await (await fetch(`${blobs}/${digest}`)).arrayBuffer();
        expect(Buffer.from(pulled).equals(body)).toBe(true);
      }
      const viewer = await fetch(`${zot.url}/swagger/v2/swagger-ui-bundle.js`);
      expect(viewer.status).toBe(200);
      expect(await viewer.text()).toContain("SwaggerUIBundle");
      expect(await (await fetch(`${zot.url}/ui/`)).text()).toContain('<base href="/ui/">');
      expect(await zot.stop()).toBe(0);
      expect(zot.stderr()).toEqual([]);
    },
    buildMs,
  );

  test(
    "is judged compliant by its own checker",
    async () => {
      const executable = await builtExecutable();
      await using zot = await startZot({ executable, uid: stranger, cwd: "/" });
      const judged = await run(executable, ["compliance", zot.host], { cwd: "/" });
      expect(judged.stdout).toContain("Distribution specification 1.1: compliant");
      expect(judged.code).toBe(0);
    },
    buildMs,
  );

  // Both are loaded only where they are configured: here, from the bundle.
  test.skipIf(!requireTool("slapadd", "ldapmodify"))(
    "knows callers by a directory, and gives them tokens",
    async () => {
      const executable = await builtExecutable();
      await using slapd = await startSlapd();
      await using zot = await startZot({
        executable,
        cwd: "/",
        config: {
          http: {
            externalUrl: "http://127.0.0.1",
            auth: {
              ldap: slapd.overTls,
            },
          },
        },
      });
      const ask = async (path: string, authorization: string): Promise<Response> =>
        await fetch(`${zot.url}${path}`, { headers: { authorization } });
      const basic = (password: string) => `Basic ${btoa(`alice:${password}`)}`;
      expect((await ask("/v2/", basic("not hers"))).status).toBe(401);
      const given = await ask("/zot/auth/token", basic("alice's password"));
      const { token } = (await given.json()) as { readonly token: string };
      expect((await ask("/v2/", `Bearer ${token}`)).status).toBe(200);
    },
    buildMs,
  );

  test(
    "answers the other commands, and reads no settings of the directory that it starts in",
    async () => {
      const executable = await builtExecutable();
      await using directory = await tempDirectory();
      await writeFile(join(directory.path, "bunfig.toml"), 'preload = ["./trap.ts"]\n');
      await writeFile(join(directory.path, "trap.ts"), 'console.log("trapped");\n');
      await writeFile(join(directory.path, ".env"), "ZOT_TRAP=1\n");
      const cwd = directory.path;
      const version = await runOk(executable, ["--version"], { cwd });
      expect(version.stdout).toStartWith("zot ");
      expect(version.stdout).not.toContain("trapped");
      const checkout = await runOk(join(packageDirectory, "bin/zot"), ["schema"], { cwd });
      expect((await runOk(executable, ["schema"], { cwd })).stdout).toBe(checkout.stdout);
      const document = await runOk(join(packageDirectory, "bin/zot"), ["openapi"], { cwd });
      expect((await runOk(executable, ["openapi"], { cwd })).stdout).toBe(document.stdout);
      await writeFile(join(cwd, "bad.json"), '{"storage":{"rootDirectry":"/x"}}');
      const bad = await run(executable, ["verify", join(cwd, "bad.json")], { cwd });
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain("rootDirectory");
    },
    buildMs,
  );

  test(
    "is the same bytes when it is built again",
    async () => {
      await builtExecutable();
      const sums = join(packageDirectory, "dist/SHA256SUMS");
      const first = await Bun.file(sums).text();
      await runOk(join(packageDirectory, "scripts/bun"), ["scripts/build.ts"], {
        cwd: packageDirectory,
        timeoutMs: buildMs,
      });
      expect(await Bun.file(sums).text()).toBe(first);
    },
    buildMs,
  );
});
