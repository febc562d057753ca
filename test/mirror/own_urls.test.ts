// A server among its own upstreams, as servers that mirror each other have it: recognised before it asks itself.

import { expect, test } from "bun:test";
import { hostname, networkInterfaces } from "node:os";
import { isOwnPlace } from "../../src/extensions/sync/upstream/own_address.ts";
import { join } from "node:path";
import { freePort, packageDirectory, run, startZot, tempDirectory } from "../harness.ts";

const resolve = (host: string): Promise<string[]> =>
  host === "me.example" ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error("no address"));

const outside = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ internal, family }) => !internal && family === "IPv4")?.address;

const program = join(packageDirectory, "bin/zot");

const rows: readonly (readonly [address: string, host: string, port: number, isOwn: boolean])[] = [
  ["127.0.0.1", "127.0.0.1", 5000, true],
  ["127.0.0.1", "localhost", 5000, true],
  ["127.0.0.1", "me.example", 5000, true],
  ["127.0.0.1", "127.0.0.1", 5001, false],
  ["127.0.0.1", "127.0.0.2", 5000, false],
  ["0.0.0.0", "127.0.0.2", 5000, true],
  ["0.0.0.0", hostname(), 5000, true],
  ["::", "::1", 5000, true],
  ["0.0.0.0", "other.example", 5000, false],
  ["0.0.0.0", "192.0.2.1", 5000, false],
  ...(outside === undefined
    ? []
    : ([
        ["0.0.0.0", outside, 5000, true],
        ["127.0.0.1", outside, 5000, false],
      ] as const)),
];

test.each([...rows])("listening on %s port 5000, %s:%d is this server: %p", async (...row) => {
  const [address, host, port, isOwn] = row;
  const own = { address, port: 5000 };
  expect(await isOwnPlace({ tls: false, host, port }, own, resolve)).toBe(isOwn);
});

test("one of several upstreams that is this server is told, and one that is alone is refused", async () => {
  await using root = await tempDirectory();
  const port = await freePort();
  const config = (urls: readonly string[]): string =>
    JSON.stringify({
      storage: { rootDirectory: `${root.path}/data` },
      http: { port },
      extensions: { sync: { registries: [{ urls, onDemand: true }] } },
    });
  const own = `http://127.0.0.1:${port}`;
  const file = `${root.path}/config.json`;
  await Bun.write(file, config([own, "http://other.example:5000"]));
  const told = await run(program, ["verify", file]);
  expect(told.stderr).toContain(
    `warning: extensions.sync.registries[0].urls: ${own} is this server itself, and is passed over\n`,
  );
  expect(told.code).toBe(0);
  await Bun.write(file, config([own]));
  const line = `extensions.sync.registries[0]: expected another registry, got ${own}, which is this server itself`;
  const refused = await run(program, ["verify", file]);
  expect(refused.stderr).toBe(`${line}\n`);
  expect(refused.code).toBe(1);
  const started = await run(program, ["serve", file]);
  expect(started.stderr).toContain(line);
  expect(started.code).toBe(1);
});

test("a server that starts says so in its log", async () => {
  const port = await freePort();
  const urls = [`http://127.0.0.1:${port}`, "http://127.0.0.1:1"];
  await using zot = await startZot({
    config: { http: { port }, extensions: { sync: { registries: [{ urls, onDemand: true }] } } },
  });
  const words = "is this server itself, and is passed over";
  expect(zot.logs().some(({ msg }) => String(msg).includes(`${urls[0]} ${words}`))).toBe(true);
});
