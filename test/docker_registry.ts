// Debian's `docker-registry` as a second registry: cross checks in the tests, comparisons in the benchmark.
//
// It has the shape of `startZot`'s answer where the two can agree, so that a test can be tried against it.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, startService } from "./processes.ts";
import { freePort, tempDirectory } from "./temp.ts";

export interface Registry extends AsyncDisposable {
  /** For example `http://127.0.0.1:41234`. */
  readonly url: string;
  /** `host:port`, as it stands in an image's name. */
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly rootDirectory: string;
  /** The file that it was started with, where it is a registry of that kind. */
  readonly configFile: string;
  /** Ends the server in an orderly way; the exit code. */
  stop(): Promise<number>;
}

/**
 * Starts docker-registry on a free port of 127.0.0.1 with an empty root directory and deletion on. `storage` puts its
 * content elsewhere, such as into a bucket.
 */
export async function startDockerRegistry(storage: object | null = null): Promise<Registry> {
  const directory = await tempDirectory("docker-registry");
  const rootDirectory = join(directory.path, "root");
  await mkdir(rootDirectory);
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      ...(storage ?? { filesystem: { rootdirectory: rootDirectory } }),
      delete: { enabled: true },
    },
    http: { addr: `127.0.0.1:${port}`, secret: "only for tests" },
  };
  const file = join(directory.path, "config.yml");
  await writeFile(file, JSON.stringify(config));
  // Its client of S3 takes no authorities from there.
  const env = { AWS_CA_BUNDLE: undefined };
  const service = startService(["docker-registry", "serve", file], { env });
  const url = `http://127.0.0.1:${port}`;
  await eventually("docker-registry answers", async () => {
    if (!service.running())
      throw new Error(`docker-registry ended:\n${service.stderr().join("\n")}`);
    return (await fetch(`${url}/v2/`).catch(() => null))?.ok;
  });
  return {
    url,
    host: `127.0.0.1:${port}`,
    port,
    pid: service.pid,
    rootDirectory,
    configFile: file,
    stop: () => service.stop(),
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
