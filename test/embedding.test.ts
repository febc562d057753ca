// The server as a part of another program: started and stopped in the program's own process.

import { expect, test } from "bun:test";
import { checkConfig, type Config } from "../src/config/load.ts";
import { openLog } from "../src/lib/log.ts";
import { startServer } from "../src/server.ts";
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
