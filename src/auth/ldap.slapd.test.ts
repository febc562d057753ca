// The directory method against a real slapd: plain, StartTLS and LDAPS, everything a login can get wrong, and a
// directory that is slow, dead or lying.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import * as z from "zod";
import { TestAuthority } from "../../test/certificates.ts";
import { requireTool } from "../../test/processes.ts";
import { baseDn, startSlapd, usersDn, type Slapd } from "../../test/slapd.ts";
import { tempDirectory } from "../../test/temp.ts";
import { systemClock } from "../lib/clock.ts";
import type { Option } from "../lib/option.ts";
import { Ldap, LdapUnavailable } from "./ldap.ts";
import { authOptions, type LdapOptions } from "./options.ts";

const installed = requireTool("ldapmodify", "openssl");

const schema = z.strictObject(
  Object.fromEntries(
    Object.entries<Option>(authOptions.ldap).map(([key, row]) => [
      key,
      row.type.prefault(row.default),
    ]),
  ),
);

function options(given: Record<string, unknown>): LdapOptions {
  return schema.parse(given) as LdapOptions;
}

describe.skipIf(!installed)("slapd", () => {
  let slapd: Slapd;
  const open: Ldap[] = [];
  beforeAll(async () => {
    slapd = await startSlapd();
  });
  afterAll(async () => {
    for (const each of open) each.close();
    await slapd[Symbol.asyncDispose]();
  });

  function ldap(given: Record<string, unknown> = {}): Ldap {
    const problems: (string | null)[] = [];
    const made = new Ldap({
      options: options({
        address: "127.0.0.1",
        port: slapd.port,
        insecure: true,
        credentialsFile: slapd.credentialsFile,
        baseDN: usersDn,
        userAttribute: "uid",
        userGroupAttribute: "memberOf",
        ...given,
      }),
      clock: systemClock,
      onChange: (problem) => problems.push(problem),
    });
    open.push(made);
    return made;
  }

  const encrypted = { insecure: true, startTLS: true };

  test.each([
    ["plain", {}, false],
    ["StartTLS", encrypted, true],
    ["LDAPS", { insecure: false }, true],
  ])("%s: right and wrong passwords, groups", async (_, given, secure) => {
    const directory = ldap({
      ...given,
      port: "insecure" in given && !given.insecure ? slapd.tlsPort : slapd.port,
      caCert: secure ? slapd.authority : "",
    });
    expect(await directory.verify("alice", "alice's password")).toMatchObject({
      name: "alice",
      groups: [`cn=devs,ou=groups,${baseDn}`],
    });
    expect(await directory.verify("bob", "bob's password")).toMatchObject({
      name: "bob",
      groups: [],
    });
    expect(await directory.verify("alice", "bob's password")).toBeNull();
    expect(await directory.verify("nobody", "nobody's password")).toBeNull();
    // The connection is used again, also after a bind that failed.
    expect(await directory.verify("alice", "alice's password")).not.toBeNull();
    expect(await directory.find("carol")).toMatchObject({ name: "carol" });
  });

  test("passwords that some directories take for an anonymous bind are refused", async () => {
    const directory = ldap();
    for (const password of ["", " ", "\t", "\0", "alice's password\0", "\0x"]) {
      expect(await directory.verify("alice", password)).toBeNull();
    }
  });

  test.each([
    "*",
    "a*",
    "alice)(uid=*",
    "a)(|(uid=*",
    "\\2a",
    "alice\\00",
    "alice\0",
    "",
    " ",
    `uid=alice,${usersDn}`,
    "alice,ou=users",
    "x".repeat(10_000),
    "(uid=alice)",
    "&",
    "\u202ealice",
  ])("the name %j is nobody's", async (name) => {
    expect(await ldap().verify(name, "alice's password")).toBeNull();
  });

  test("a name of special characters is found by exactly that name", async () => {
    const user = await ldap().verify("o(d)d*\\,ü", "odd's password");
    expect(user?.name).toBe("o(d)d*\\,ü");
  });

  test("the name is as the directory spells it", async () => {
    expect(await ldap().verify("ALICE", "alice's password")).toMatchObject({ name: "alice" });
  });

  test("one entry must fit: in the base alone, or below it too", async () => {
    expect(await ldap().verify("dave", "dave's password")).toBeNull();
    const deep = ldap({ subtreeSearch: true });
    expect(await deep.verify("dave", "dave's password")).toMatchObject({ name: "dave" });
    expect(await ldap().verify("twin", "twin's password")).toMatchObject({ name: "twin" });
    expect(await deep.verify("twin", "twin's password")).toBeNull();
  });

  test("the filter counts, with and without parentheses", async () => {
    for (const userFilter of ["(!(title=locked))", "!(title=locked)"]) {
      const filtered = ldap({ userFilter });
      expect(await filtered.verify("locked", "locked's password")).toBeNull();
      expect(await filtered.verify("alice", "alice's password")).not.toBeNull();
    }
    expect(() => ldap({ userFilter: "(uid" })).toThrow("http.auth.ldap.userFilter: expected");
  });

  test("referrals are not followed", async () => {
    // The tree holds a referral to a port where nobody listens: following it would fail.
    const deep = ldap({ subtreeSearch: true });
    expect(await deep.verify("alice", "alice's password")).not.toBeNull();
    expect(await deep.verify("elsewhere", "x")).toBeNull();
    const into = ldap({ baseDN: `ou=elsewhere,${usersDn}` });
    expect(await failureOf(into.verify("alice", "alice's password"))).toBeInstanceOf(
      LdapUnavailable,
    );
  });

  test("an anonymous search finds what the directory shows to anyone: here nothing", async () => {
    const directory = ldap({ credentialsFile: "" });
    const outcome = await directory.verify("alice", "alice's password").catch((error) => error);
    expect(outcome === null || outcome instanceof LdapUnavailable).toBe(true);
  });

  test("a wrong service account is a failure of the directory, never of the user", async () => {
    const directory = ldap({
      credentialsFile: "",
      bindDN: `cn=searcher,${baseDn}`,
      bindPassword: "wrong",
    });
    expect(String(await failureOf(directory.verify("alice", "alice's password")))).toContain(
      "service account",
    );
  });

  test("the stamp changes with the password, the entry and the groups", async () => {
    const directory = ldap();
    const stamp = async () => (await directory.find("carol"))?.stamp;
    const seen = new Set([await stamp(), await stamp()]);
    expect(seen.size).toBe(1);
    for (const change of [
      `dn: uid=carol,${usersDn}\nchangetype: modify\nreplace: userPassword\nuserPassword: another\n`,
      `dn: uid=carol,${usersDn}\nchangetype: modify\nadd: title\ntitle: boss\n`,
      `dn: cn=devs,ou=groups,${baseDn}\nchangetype: modify\nadd: member\nmember: uid=carol,${usersDn}\n`,
    ]) {
      await slapd.edit(change);
      seen.add(await stamp());
    }
    expect(seen.size).toBe(4);
    expect(await directory.verify("carol", "another")).toMatchObject({
      groups: [`cn=devs,ou=groups,${baseDn}`],
    });
    await slapd.edit(`dn: uid=carol,${usersDn}\nchangetype: delete\n`);
    expect(await directory.find("carol")).toBeNull();
  });

  test("many logins at once share few connections", async () => {
    const directory = ldap();
    const names = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? "alice" : "bob"));
    const users = await Promise.all(
      names.map((name) => directory.verify(name, `${name}'s password`)),
    );
    expect(users.map((user) => user?.name)).toEqual(names);
  });

  test("a certificate of another authority, or for another name, is refused", async () => {
    await using directory = await tempDirectory();
    const other = await TestAuthority.make(directory.path);
    for (const given of [encrypted, { insecure: false, port: slapd.tlsPort }]) {
      const strangers = ldap({ ...given, caCert: other.cert });
      expect(await failureOf(strangers.verify("alice", "alice's password"))).toBeInstanceOf(
        LdapUnavailable,
      );
      const system = ldap(given);
      expect(await failureOf(system.verify("alice", "alice's password"))).toBeInstanceOf(
        LdapUnavailable,
      );
      const renamed = ldap({ ...given, address: "127.0.0.2", caCert: slapd.authority });
      expect(await failureOf(renamed.verify("alice", "alice's password"))).toBeInstanceOf(
        LdapUnavailable,
      );
      const careless = ldap({ ...given, skipVerify: true });
      expect(await careless.verify("alice", "alice's password")).not.toBeNull();
    }
  });

  test("a directory that went away fails the login, and works again when it is back", async () => {
    let shiftMs = 0;
    const clock = { ...systemClock, monotonicMs: () => performance.now() + shiftMs };
    const directory = new Ldap({
      options: options({ ...slapd.overStartTls }),
      clock,
      onChange: () => {},
    });
    open.push(directory);
    expect(await directory.verify("alice", "alice's password")).not.toBeNull();
    await slapd.stop();
    expect(await failureOf(directory.verify("alice", "alice's password"))).toBeInstanceOf(
      LdapUnavailable,
    );
    // Right after a failure nobody waits.
    expect(String(await failureOf(directory.verify("alice", "alice's password")))).toContain(
      "a moment ago",
    );
    await slapd.restart();
    shiftMs += 5000;
    expect(await directory.verify("alice", "alice's password")).not.toBeNull();
    // A connection that died in its sleep is replaced without anybody noticing, StartTLS included.
    await slapd.stop();
    await slapd.restart();
    expect(await directory.verify("alice", "alice's password")).not.toBeNull();
  });

  test("credentials follow their file", async () => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "credentials.json");
    await writeFile(file, "{}");
    expect(() => ldap({ credentialsFile: file })).toThrow("expected a JSON object with the texts");
    await writeFile(file, JSON.stringify({ bindDN: "cn=x", bindPassword: "" }));
    expect(() => ldap({ credentialsFile: file })).toThrow("expected a bindPassword");
    await writeFile(file, "not JSON");
    expect(() => ldap({ credentialsFile: file })).toThrow("credentials.json: expected");
  });
});

/** What a promise was rejected with; fails when it was not. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("expected a failure");
    },
    (error: unknown) => error,
  );
}

/** A server that does with every connection what it is told. */
async function fakeServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

describe("a directory that is no directory", () => {
  const base = { address: "127.0.0.1", baseDN: usersDn, userAttribute: "uid", timeout: "300ms" };
  const make = (given: Record<string, unknown>) =>
    new Ldap({ options: options({ ...base, ...given }), clock: systemClock, onChange: () => {} });

  test.each([
    ["plain", { insecure: true }],
    ["StartTLS", { insecure: true, startTLS: true }],
    ["LDAPS", {}],
  ])("%s: never answers", async (_, given) => {
    let heard = "";
    await using server = await fakeServer((socket) => {
      socket.on("data", (chunk) => {
        heard += chunk.toString("latin1");
      });
    });
    const directory = make({ ...given, port: server.port, bindDN: "cn=x", bindPassword: "secret" });
    expect(await failureOf(directory.verify("alice", "password"))).toBeInstanceOf(LdapUnavailable);
    expect(heard).not.toContain("password");
    if (!("insecure" in given) || "startTLS" in given) expect(heard).not.toContain("secret");
  });

  test("says no to StartTLS: nothing more is told to it", async () => {
    let heard = "";
    await using server = await fakeServer((socket) => {
      socket.on("data", (chunk) => {
        heard += chunk.toString("latin1");
        // ExtendedResponse to message 2 with result 2, protocolError.
        const id = Buffer.from(chunk)[4] ?? 1;
        socket.write(Buffer.from([0x30, 12, 2, 1, id, 0x78, 7, 10, 1, 2, 4, 0, 4, 0]));
      });
    });
    const directory = make({
      insecure: true,
      startTLS: true,
      port: server.port,
      bindDN: "cn=x",
      bindPassword: "secret",
    });
    expect(await failureOf(directory.verify("alice", "password"))).toBeInstanceOf(LdapUnavailable);
    expect(heard).not.toContain("secret");
    expect(heard).not.toContain("password");
  });

  const liars: [string, (socket: Socket) => void][] = [
    ["closes at once", (socket) => socket.destroy()],
    ["speaks HTTP", (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["sends garbage", (socket) => socket.write(Buffer.alloc(5000, 0xff))],
  ];
  for (const [name, onSocket] of liars) {
    test(name, async () => {
      await using server = await fakeServer(onSocket);
      const directory = make({ insecure: true, port: server.port });
      const failure = await failureOf(directory.verify("alice", "password"));
      expect(failure).toBeInstanceOf(LdapUnavailable);
    });
  }

  test("is not there", async () => {
    const directory = make({ insecure: true, port: 1 });
    expect(await failureOf(directory.verify("alice", "password"))).toBeInstanceOf(LdapUnavailable);
  });
});
