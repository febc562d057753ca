// A real PostgreSQL for tests, from Debian's package: a cluster of its own on a unix socket and on a port of the loopback,
// gone with its files at the end of the scope.
//
// It answers when `startPostgres` resolves. Flushing is off unless a test asks for it. `schema` makes an empty place for
// one store, so that tests share a server.

import { SQL } from "bun";
import { chown } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  descendants,
  eventually,
  requirement,
  runOk,
  signalTo,
  startService,
  type Service,
} from "./processes.ts";
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
  /** Of the unix socket. */
  readonly directory: string;
  /** Of a database over the unix socket, where everybody is let in. */
  url(database?: string, user?: string): string;
  /** Runs statements as the owner of everything. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** A new and empty one. */
  place(): Promise<PostgresPlace>;
  /** SIGQUIT: as after a crash. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP or SIGCONT to it and all of its processes. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
}

type Settings = Readonly<Record<string, string>>;

export async function startPostgres(settings: Settings = {}): Promise<Postgres> {
  return await start(settings, (bin, data) =>
    words(`${bin}/initdb -A trust -U zot -D ${data} -N -E UTF8`),
  );
}

/** A standby of a server that was started with `standbySettings`. */
export async function startStandby(of: Postgres): Promise<Postgres> {
  return await start(standbySettings, (bin, data) =>
    words(`${bin}/pg_basebackup -h ${of.directory} -p ${of.port} -U zot -D ${data} -R -c fast`),
  );
}

export const standbySettings: Settings = { wal_level: "replica", max_wal_senders: "4" };

function words(command: string): readonly string[] {
  return command.split(" ");
}

async function start(
  settings: Settings,
  maker: (bin: string, data: string) => readonly string[],
): Promise<Postgres> {
  const directory = await memoryDirectory("zot-postgres");
  const bin = binaries() ?? "";
  const data = join(directory.path, "data");
  const user = process.getuid?.() === 0 ? await serverUser() : null;
  if (user !== null) await chown(directory.path, user, user);
  const asUser =
    user === null ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
  const [command = "", ...args] = [...asUser, ...maker(bin, data)];
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
  const url = (database = "postgres", as = "zot"): string =>
    `postgres://${as}@/${database}?host=${directory.path}&port=${port}`;
  const run = async (): Promise<Service> => {
    const started = startService([...asUser, join(bin, "postgres"), "-D", data, ...options], {
      cwd: directory.path,
    });
    await eventually("PostgreSQL answers", async () => {
      if (!started.running()) throw new Error(started.stderr().join("\n"));
      return await answers({ directory: directory.path, port });
    });
    return started;
  };
  let service = await run();
  let places = 0;
  const sql = async (text: string, database?: string) => {
    const client = new SQL({
      url: `postgres://zot@localhost/${database ?? "postgres"}?sslmode=disable`,
      path: join(directory.path, `.s.PGSQL.${port}`),
      max: 1,
    });
    try {
      const rows = await client.unsafe<Record<string, unknown>[]>(text);
      return [...rows];
    } finally {
      await client.close({ timeout: 0 });
    }
  };
  return {
    port,
    directory: directory.path,
    get pid() {
      return service.pid;
    },
    url,
    sql,
    place: async () => {
      places += 1;
      const schema = `place${places}`;
      await sql(`CREATE SCHEMA ${schema}`);
      return { url: url(), schema };
    },
    kill: async () => {
      process.kill(service.pid, "SIGQUIT");
      await service.exited;
    },
    start: async () => {
      service = await run();
    },
    signal: (name) => {
      for (const pid of [service.pid, ...descendants(service.pid)]) signalTo(pid, name);
    },
    [Symbol.asyncDispose]: async () => {
      if (service.running()) process.kill(service.pid, "SIGQUIT");
      await service.exited;
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function answers({
  directory,
  port,
}: {
  readonly directory: string;
  readonly port: number;
}): Promise<boolean> {
  const client = new SQL({
    url: "postgres://zot@localhost/postgres?sslmode=disable",
    path: join(directory, `.s.PGSQL.${port}`),
    max: 1,
  });
  try {
    await client.unsafe("SELECT 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.close({ timeout: 0 });
  }
}

/** The server refuses to run as root. */
export async function serverUser(): Promise<number> {
  return Number((await runOk("id", ["-u", "postgres"])).stdout);
}
