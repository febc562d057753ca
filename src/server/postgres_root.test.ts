// What a server says about a database that it cannot use, on real servers of PostgreSQL: one line each, which names the
// option and holds no password. With TLS the server has to prove its name.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "../../test/certificates.ts";
import {
  requirePostgres,
  serverUser,
  standbySettings,
  startPostgres,
  startStandby,
  type Postgres,
} from "../../test/postgres.ts";
import { freePort, tempDirectory } from "../../test/temp.ts";
import { checkConfig } from "../config/load.ts";
import { systemClock } from "../lib/clock.ts";
import { objectsUnderLock } from "../metadata/sql/objects_under_lock.ts";
import { PostgresRoot } from "./postgres_root.ts";

const secret = "s3cret-of-the-database";
const people = `
  local replication all           trust
  local all all                   trust
  host  all all     127.0.0.1/32  scram-sha-256
`;

describe.skipIf(!requirePostgres())("a database", () => {
  let server: Postgres;
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  let authority: TestAuthority;
  let other: TestAuthority;

  beforeAll(async () => {
    directory = await tempDirectory("postgres-root");
    authority = await TestAuthority.make(directory.path);
    other = await TestAuthority.make(directory.path, "other");
    const { cert, key } = await authority.issue("database", { names: ["DNS:localhost"] });
    await writeFile(file("people"), people);
    if (process.getuid?.() === 0) {
      const user = await serverUser();
      for (const path of [directory.path, cert, key, file("people")]) await chown(path, user, user);
    }
    const tls = { ssl: "on", ssl_cert_file: cert, ssl_key_file: key, hba_file: file("people") };
    server = await startPostgres({ ...standbySettings, ...tls });
    await server.sql(`CREATE ROLE anna LOGIN PASSWORD '${secret}'`);
    await server.sql("CREATE ROLE full_up LOGIN CONNECTION LIMIT 0");
    await server.sql("CREATE DATABASE annas OWNER anna");
    await server.sql("CREATE DATABASE readonly");
    await server.sql("ALTER DATABASE readonly SET default_transaction_read_only = on");
    await server.sql(
      "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    await server.sql("CREATE DATABASE newer");
    await server.sql(
      "CREATE TABLE schema (only_row boolean PRIMARY KEY DEFAULT true, version bigint, code_min bigint); " +
        "INSERT INTO schema (version, code_min) VALUES (99, 98)",
      "newer",
    );
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  function file(name: string): string {
    return join(directory.path, name);
  }

  /** What a start says; null where it goes on. */
  async function start(url: string, more: object = {}, commit = false): Promise<string | null> {
    const loaded = checkConfig({
      storage: {
        rootDirectory: directory.path,
        commit,
        metadata: { url, ...more },
        storageDriver: { name: "s3", region: "x", bucket: "images" },
      },
    });
    if ("problems" in loaded) return loaded.problems.join("\n");
    const { storage } = loaded.config;
    try {
      const root = new PostgresRoot(storage, storage.metadata.url ?? "", systemClock);
      const hooks = { clock: systemClock, onBatch: undefined };
      const writer = await root.openWriter(hooks, objectsUnderLock);
      await writer.close();
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  const overTcp = (host: string, user: string, mode = ""): string =>
    `postgres://${user}@${host}:${server.port}/annas${mode}`;

  interface Row {
    readonly name: string;
    readonly url: () => string;
    readonly more?: () => object;
    readonly commit?: true;
    /** Null where it starts. */
    readonly says: string | null;
  }

  const rows: readonly Row[] = [
    { name: "that is right", url: () => server.url("annas", "anna"), says: null },
    {
      name: "with a schema of its own, which is made",
      url: () => server.url(),
      more: () => ({ schema: "registry" }),
      says: null,
    },
    {
      name: "that may lose what it acknowledged",
      url: () => server.url(),
      commit: true,
      says: "expected fsync = on at the database, got off; a crash would lose what was acknowledged",
    },
    {
      name: "that is not there",
      url: () => server.url("nowhere"),
      says: 'expected the database that the URL names, got: database "nowhere" does not exist; create it',
    },
    {
      name: "with the wrong password",
      url: () => overTcp("127.0.0.1", `anna:not${secret}`),
      says: 'expected to be let in, got: password authentication failed for user "anna"',
    },
    {
      name: "with no password",
      url: () => overTcp("127.0.0.1", "anna"),
      says: "expected to be let in, got: ",
    },
    {
      name: "with the right password",
      url: () => overTcp("127.0.0.1", `anna:${secret}`),
      says: null,
    },
    {
      name: "with the right password in a file",
      url: () => overTcp("127.0.0.1", "anna"),
      more: () => ({ passwordFile: file("password") }),
      says: null,
    },
    {
      name: "with a file of the password that is not there",
      url: () => overTcp("127.0.0.1", "anna"),
      more: () => ({ passwordFile: file("nothing") }),
      says: "storage.metadata.passwordFile: ",
    },
    {
      name: "that has no connection left",
      url: () => server.url("annas", "full_up"),
      says: 'expected room for connections, got: too many connections for role "full_up"; lower storage.metadata.connections',
    },
    {
      name: "that is read-only",
      url: () => server.url("readonly"),
      says: "expected a database that can be written, got one with default_transaction_read_only = on",
    },
    {
      name: "in another encoding",
      url: () => server.url("latin"),
      says: "expected a database in UTF8, got LATIN1",
    },
    {
      name: "without the right to make tables",
      url: () => server.url("postgres", "anna"),
      says: "expected the right to create tables, got: permission denied for schema public",
    },
    {
      name: "of a newer version",
      url: () => server.url("newer"),
      says: " or older, found 99; this database was served by a newer zot",
    },
    {
      name: "with TLS, which proves its name",
      url: () => overTcp("localhost", `anna:${secret}`, "?sslmode=verify-full"),
      more: () => ({ ca: authority.cert }),
      says: null,
    },
    {
      name: "with TLS and another name",
      url: () => overTcp("127.0.0.1", `anna:${secret}`, "?sslmode=verify-full"),
      more: () => ({ ca: authority.cert }),
      says: "expected a database that answers, got: ",
    },
    {
      name: "with TLS of another authority",
      url: () => overTcp("localhost", `anna:${secret}`, "?sslmode=verify-full"),
      more: () => ({ ca: other.cert }),
      says: "expected a database that answers, got: ",
    },
    {
      name: "with TLS and the authorities of the system",
      url: () => overTcp("localhost", `anna:${secret}`, "?sslmode=verify-full"),
      says: "expected a database that answers, got: ",
    },
    {
      name: "with a file of authorities that is none",
      url: () => overTcp("localhost", `anna:${secret}`, "?sslmode=verify-full"),
      more: () => ({ ca: file("password") }),
      says: "storage.metadata.ca: ",
    },
  ];

  for (const { name, url, more, commit, says } of rows) {
    test(`${name}: ${says === null ? "it starts" : "one line"}`, async () => {
      await writeFile(file("password"), `${secret}\n`);
      const line = await start(url(), more?.(), commit);
      if (says === null) {
        expect(line).toBeNull();
        return;
      }
      expect(line).toContain(says);
      expect(line).toMatch(/^(storage\.)?metadata/);
      expect(line).not.toContain("\n");
      expect(line).not.toContain(secret);
    });
  }

  test("that is down: one line", async () => {
    const line = await start(`postgres://anna:${secret}@127.0.0.1:${await freePort()}/annas`);
    expect(line).toContain("storage.metadata.url: expected a database that answers, got: ");
    expect(line).not.toContain(secret);
  });

  test("without TLS, where it is asked for: one line, and no password for it", async () => {
    await using plain = await startPostgres();
    const url = `postgres://zot:${secret}@localhost:${plain.port}/postgres?sslmode=verify-full`;
    expect(await start(url)).toContain("Server does not support SSL");
  });

  test("that is a standby: one line", async () => {
    await using standby = await startStandby(server);
    expect(await start(standby.url())).toContain(
      "expected the primary, which takes writes, got: a standby",
    );
  });

  test("that is silent: one line, in time", async () => {
    await using silent = await startPostgres();
    silent.signal("SIGSTOP");
    try {
      expect(await start(silent.url())).toContain("expected a database that answers, got: ");
    } finally {
      silent.signal("SIGCONT");
    }
  });
});
