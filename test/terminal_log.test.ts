// What a person sees at the terminal that the server runs in: one line for each request, and a login that failed.

import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, packageDirectory } from "./harness.ts";
import { tempDirectory } from "./temp.ts";
import { startInTerminal } from "./terminal.ts";

test("a request is one line on a terminal, whoever asked", async () => {
  await using directory = await tempDirectory();
  const at = (name: string): string => join(directory.path, name);
  const hash = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 });
  await writeFile(at("users"), `ann:${hash}\n`);
  const http = { port: "0", workers: 1, auth: { htpasswd: { path: at("users") } } };
  await writeFile(at("c.json"), JSON.stringify({ storage: { rootDirectory: at("root") }, http }));
  const program = join(packageDirectory, "bin/zot");
  await using terminal = startInTerminal([program, "serve", at("c.json")]);
  const [url] = await eventually("it listens", () =>
    /http:\/\/127\.0\.0\.1:\d+/.exec(terminal.text()),
  );
  // With a configuration, too, and with the login that it asks for.
  await eventually("it tells how to push", () => terminal.text().includes("Stop with Ctrl+C."));
  expect(terminal.text()).toContain(`docker login ${url.slice("http://".length)}`);
  const login = (name: string, password: string): RequestInit => ({
    headers: { authorization: `Basic ${btoa(`${name}:${password}`)}` },
  });
  expect((await fetch(`${url}/v2/`, login("ann", "right"))).status).toBe(200);
  expect((await fetch(`${url}/v2/`, login("bob", "wrong"))).status).toBe(401);
  const line = (rest: string): RegExp => new RegExp(`^\\d\\d:\\d\\d:\\d\\d ${rest}\\r$`, "m");
  const rows = [
    line("200 GET /v2/ ann [\\d.]+ m?s"),
    line("401 GET /v2/ - [\\d.]+ m?s UNAUTHORIZED: .+"),
    line("a login failed .*name=bob.*"),
  ];
  for (const row of rows) await eventually(`a line ${row.source}`, () => row.test(terminal.text()));
}, 60_000);
