// A real PostgreSQL for tests, from Debian's package: a cluster of its own on a unix socket and on a port of the loopback,
// gone with its files at the end of the scope.
//
// It answers when `startPostgres` resolves. Flushing is off unless a test asks for it. `schema` makes an empty place for
// one store, so that tests share a server.

import { chown } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { PostgresConnections } from "../src/metadata/postgres/postgres_connections.ts";
import { eventually, requirement, runOk, startService, type Service } from "./processes.ts";
import { memoryDirectory } from "./memory_directory.ts";
import { freePort } from "./temp.ts";

const versions = "/usr/lib/postgresql";

function binaries(): string | null {
  try {
    const newest = readdirSync(versions).toSorted((one, other) => Number(other) - Number(one))[0];
    return newest === undefined ? null : join(versions, newest, "bin");
  } catch {
    return null;
  }
}

/** Whether a server can be started here. */
export function requirePostgres(): boolean {
  return requirement(binaries() !== null, "not installed: postgresql");
}

/** Where a store may be. */
export interface PostgresPlace {
  readonly url: string;
  readonly schema: string;
}

export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** A new and empty one. */
  place(): Promise<PostgresPlace>;
  /** SIGQUIT: as after a crash. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<Postgres> {
  const directory = await memoryDirectory("zot-postgres");
  const bin = binaries() ?? "";
  const data = join(directory.path, "data");
  const user = process.getuid?.() === 0 ? await serverUser() : null;
  if (user !== null) await chown(directory.path, user, user);
  const asUser =
    user === null ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
  const [command, ...args] = [
    ...asUser,
    join(bin, "initdb"),
    "-A",
    "trust",
    "-U",
    "zot",
    "-D",
    data,
    "-N",
    "-E",
    "UTF8",
  ];
  await runOk(command, args, { cwd: directory.path });
  const port = await freePort();
  const all: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: directory.path,
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    max_connections: "200",
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const url = `postgres://zot@/postgres?host=${directory.path}&port=${port}`;
  const start = async (): Promise<Service> => {
    const started = startService([...asUser, join(bin, "postgres"), "-D", data, ...options], {
      cwd: directory.path,
    });
    await eventually("PostgreSQL answers", async () => {
      if (!started.running()) throw new Error(started.stderr().join("\n"));
      const connections = new PostgresConnections({ url });
      const answers = await connections
        .ask({ text: "SELECT 1", values: [] })
        .then(() => true)
        .catch(() => false);
      await connections.close();
      return answers;
    });
    return started;
  };
  let service = await start();
  let places = 0;
  return {
    port,
    get pid() {
      return service.pid;
    },
    place: async () => {
      places += 1;
      const schema = `place${places}`;
      const connections = new PostgresConnections({ url });
      await connections.ask({ text: `CREATE SCHEMA ${schema}`, values: [], isOwn: true });
      await connections.close();
      return { url, schema };
    },
    kill: async () => {
      process.kill(service.pid, "SIGQUIT");
      await service.exited;
    },
    start: async () => {
      service = await start();
    },
    [Symbol.asyncDispose]: async () => {
      if (service.running()) process.kill(service.pid, "SIGQUIT");
      await service.exited;
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** The server refuses to run as root. */
async function serverUser(): Promise<number> {
  return Number((await runOk("id", ["-u", "postgres"])).stdout);
}
