// The server as a part of another program: started and stopped in the program's own process.

import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkConfig, type Config } from "../src/config/load.ts";
import { openLog } from "../src/lib/log.ts";
import { startServer } from "../src/server.ts";
import { usersFile } from "./auth/world.ts";
import { tempDirectory } from "./harness.ts";

function configOf(rootDirectory: string, port: number): Config {
  const checked = checkConfig({ storage: { rootDirectory }, http: { port: String(port) } });
  if ("problems" in checked) throw new Error(checked.problems.join("; "));
  return checked.config;
}

test("a server that cannot listen lets go of its root", async () => {
  await using first = await tempDirectory();
  await using second = await tempDirectory();
  const log = await openLog({ level: "fatal", output: null, base: {} });
  const taken = await startServer(configOf(first.path, 0), log);
  try {
    const refused = await startServer(configOf(second.path, taken.port), log).then(
      () => "started",
      (error: unknown) => String(error),
    );
    expect(refused).not.toBe("started");
    const free = await startServer(configOf(second.path, 0), log);
    expect((await fetch(`${free.url}/v2/`)).status).toBe(200);
    await free.stop();
  } finally {
    await taken.stop();
  }
});

// Whoever makes the directory flushes its name as well (strace shows that), and keeps strangers out.
test("a root that the key of tokens is the first to need is as private as any", async () => {
  await using directory = await tempDirectory();
  const rootDirectory = join(directory.path, "deep", "root");
  const path = join(directory.path, "users");
  await writeFile(path, await usersFile(["alice"]));
  const checked = checkConfig({
    storage: { rootDirectory },
    http: { port: "0", externalUrl: "http://127.0.0.1", auth: { htpasswd: { path } } },
  });
  if ("problems" in checked) throw new Error(checked.problems.join("; "));
  const log = await openLog({ level: "fatal", output: null, base: {} });
  const server = await startServer(checked.config, log);
  await server.stop();
  for (const made of [rootDirectory, join(rootDirectory, "_zot")]) {
    expect(statSync(made).mode & 0o777).toBe(0o700);
  }
});
