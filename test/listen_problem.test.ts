// A server that cannot listen says why, and what to do, in one line; one that can says where others reach it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import {
  freePort,
  packageDirectory,
  requireRoot,
  requireTool,
  run,
  startZot,
  tempDirectory,
} from "./harness.ts";
import type { TempDirectory } from "./temp.ts";

const testMs = 60_000;
const program = join(packageDirectory, "bin/zot");
let directory: TempDirectory;
beforeAll(async () => void (directory = await tempDirectory()));
afterAll(() => directory[Symbol.asyncDispose]());

async function configFile(http: object, storage: object = {}): Promise<string> {
  const file = join(directory.path, "config.json");
  const rootDirectory = join(directory.path, "root");
  await writeFile(file, JSON.stringify({ storage: { rootDirectory, ...storage }, http }));
  return file;
}

/** What a start says that fails, without what is logged before. */
async function failure(
  http: object,
  storage: object = {},
  prefix: readonly string[] = [],
): Promise<string> {
  const file = await configFile(http, storage);
  const [command, ...args] = [...prefix, program, "serve", file];
  const { code, stderr } = await run(command ?? program, args, { timeoutMs: testMs });
  expect(code).toBe(1);
  return stderr;
}

describe.each([{ shared: false }, { shared: true }])("with %j", (storage) => {
  test(
    "a port that is taken: by whom",
    async () => {
      using other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const { port } = other;
      expect(await failure({ address: "127.0.0.1", port }, storage)).toMatch(
        new RegExp(
          `^zot: http.port: expected 127.0.0.1:${port} to be free, found it taken by .+ \\(process ${process.pid}\\); ` +
            "end what listens there, or choose another http.port in a configuration file\n$",
        ),
      );
    },
    testMs,
  );

  test(
    "an address of another machine",
    async () => {
      // TEST-NET-2 (RFC 5737): nobody's.
      expect(await failure({ address: "198.51.100.7", port: 0 }, storage)).toMatch(
        /^zot: http.address: expected an address of this machine \(.*127\.0\.0\.1.*\), got 198\.51\.100\.7; choose one of them, or 0\.0\.0\.0 for every interface\n$/,
      );
    },
    testMs,
  );

  test.skipIf(!requireRoot() || !requireTool("setpriv"))(
    "a port that the user has no right to",
    async () => {
      const without = ["setpriv", "--bounding-set", "-net_bind_service"];
      expect(await failure({ address: "127.0.0.1", port: 443 }, storage, without)).toMatch(
        /^zot: http.port: expected a port that this user may listen on, got 443: ports below \d+ need a right of their own; choose one from \d+ on, or give the right \(systemd: AmbientCapabilities=/,
      );
    },
    testMs,
  );
});

test(
  "a port that another zot holds: its supervisor is named, not a worker",
  async () => {
    await using zot = await startZot({ config: { http: { port: await freePort(), workers: 2 } } });
    const message = await failure({ address: "127.0.0.1", port: zot.port });
    expect(message).toContain(`found it taken by another zot (process ${zot.pid});`);
  },
  testMs,
);

const outside = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .filter(({ internal, family }) => !internal && family === "IPv4")
  .map(({ address }) => address);

test(
  "every interface is told with the addresses that others can use",
  async () => {
    await using zot = await startZot({ config: { http: { address: "0.0.0.0" } } });
    const [line] = zot.logs().filter(({ msg }) => msg === "listening");
    expect(line?.["url"]).toBe(`http://127.0.0.1:${zot.port}`);
    const told = (line?.["outsideUrls"] ?? []) as string[];
    expect(told).toEqual(outside.slice(0, 4).map((address) => `http://${address}:${zot.port}`));
    for (const url of told) expect((await fetch(`${url}/v2/`)).status).toBe(200);
  },
  testMs,
);
