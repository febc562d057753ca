// What answers of a directory mean: a fake one answers each bind and search as it is told, in real LDAP messages.
//
// A refusal of one user must never look like a failure of the directory: that would hold up everybody's logins.

import { describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import * as z from "zod";
import type { Clock } from "../lib/clock.ts";
import { systemClock } from "../lib/clock.ts";
import type { Option } from "../lib/option.ts";
import { Ldap } from "./ldap.ts";
import { LdapUnavailable } from "./ldap_connection.ts";
import { authOptions, type LdapOptions } from "./options.ts";

const usersDn = "ou=users,dc=example,dc=com";
const schema = z.strictObject(
  Object.fromEntries(
    Object.entries<Option>(authOptions.ldap).map(([key, row]) => [
      key,
      row.type.prefault(row.default),
    ]),
  ),
);

/** What the fake directory says; results are LDAP's result codes (RFC 4511 §4.1.9). */
interface Answers {
  /** Of binds as users; the service account may always. */
  bind: number;
  search: number;
  /** Names of entries that every search finds. */
  found: string[];
  /** Called when a user's bind arrives. */
  onBind: (dn: string) => void;
}

/** One BER element. */
function element(tag: number, ...parts: (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)),
  );
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

const result = (tag: number, code: number) =>
  element(tag, element(10, Buffer.from([code])), element(4), element(4));

async function fakeDirectory(told: Partial<Answers> = {}) {
  const answers: Answers = { bind: 0, search: 0, found: ["alice"], onBind: () => {}, ...told };
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const message of messagesOf(chunk as Buffer))
        for (const each of answer(message)) socket.write(each);
    });
  });
  function answer(message: Buffer): Buffer[] {
    // 30 len 02 01 id op …: identifiers of one byte, since a test never asks more often.
    const at = message[1]! < 128 ? 2 : 2 + (message[1]! & 0x7f);
    const id = message.subarray(at, at + 3);
    const op = message[at + 3];
    const wrap = (body: Buffer): Buffer => element(0x30, id, body);
    if (op === 0x60) {
      const isUser = message.includes("uid=");
      const dn = /uid=[^,]+,ou=users,dc=example,dc=com/.exec(message.toString("latin1"))?.[0];
      if (dn !== undefined) answers.onBind(dn);
      return [wrap(result(0x61, isUser ? answers.bind : 0))];
    }
    if (op !== 0x63) return [];
    const entries = answers.found.map((name) =>
      wrap(
        element(
          0x64,
          element(4, `uid=${name},${usersDn}`),
          element(0x30, element(0x30, element(4, "uid"), element(0x31, element(4, name)))),
        ),
      ),
    );
    return [...entries, wrap(result(0x65, answers.search))];
  }
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    answers,
    port: typeof address === "object" && address !== null ? address.port : 0,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** The messages of a chunk: a client sends several in one when it does not wait. */
function* messagesOf(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at < chunk.length;) {
    const first = chunk[at + 1]!;
    const octets = first < 128 ? 0 : first & 0x7f;
    const length = octets === 0 ? first : chunk.readUIntBE(at + 2, octets);
    yield chunk.subarray(at, at + 2 + octets + length);
    at += 2 + octets + length;
  }
}

function ldapAt(port: number, clock: Clock = systemClock): Ldap {
  const options = schema.parse({
    address: "127.0.0.1",
    port,
    insecure: true,
    baseDN: usersDn,
    userAttribute: "uid",
    bindDN: "cn=searcher",
    bindPassword: "secret",
    timeout: "5s",
  }) as LdapOptions;
  return new Ldap({ options, clock, onChange: () => {} });
}

async function outcomeOf(login: Promise<unknown>): Promise<unknown> {
  return await login.catch((error: unknown) => error);
}

describe("a user's bind that is answered with", () => {
  test.each([
    [19, "constraintViolation, as of an account that is locked"],
    [32, "noSuchObject"],
    [34, "invalidDNSyntax"],
    [48, "inappropriateAuthentication"],
    [49, "invalidCredentials"],
    [50, "insufficientAccessRights"],
    [53, "unwillingToPerform"],
    [10, "referral"],
  ])("%d (%s) is a refusal of that user", async (code) => {
    await using directory = await fakeDirectory({ bind: code });
    const ldap = ldapAt(directory.port);
    expect(await outcomeOf(ldap.verify("alice", "wrong"))).toBeNull();
    ldap.close();
  });

  test.each([
    [1, "operationsError"],
    [8, "strongerAuthRequired"],
    [13, "confidentialityRequired"],
    [51, "busy"],
    [52, "unavailable"],
    [80, "other"],
  ])("%d (%s) says nothing of the password", async (code) => {
    await using directory = await fakeDirectory({ bind: code });
    const ldap = ldapAt(directory.port);
    expect(await outcomeOf(ldap.verify("alice", "right"))).toBeInstanceOf(LdapUnavailable);
    ldap.close();
  });
});

test("a name that several entries have is nobody's, however many the directory would tell of", async () => {
  // With a limit of two, a directory that has a third says sizeLimitExceeded.
  await using directory = await fakeDirectory({ found: ["alice", "alice"], search: 4 });
  const ldap = ldapAt(directory.port);
  expect(await outcomeOf(ldap.verify("alice", "right"))).toBeNull();
  ldap.close();
});

test("a password that some directories take for an anonymous bind is refused before they hear of it", async () => {
  await using directory = await fakeDirectory();
  const ldap = ldapAt(directory.port);
  for (const password of ["", " ", "\t\n", "\u3000", "\0", "right\0"]) {
    expect(await ldap.verify("alice", password)).toBeNull();
  }
  for (const name of ["", "\0", "al\nice", "x".repeat(300)]) {
    expect(await ldap.verify(name, "right")).toBeNull();
  }
  expect(directory.connections()).toBe(0);
  expect(await ldap.verify("alice", "right")).toMatchObject({ name: "alice" });
  expect(directory.connections()).toBe(1);
  ldap.close();
});

test("a directory that answers is not left alone because of one answer: others log in at once", async () => {
  await using directory = await fakeDirectory({ bind: 80 });
  const ldap = ldapAt(directory.port);
  expect(await outcomeOf(ldap.verify("alice", "right"))).toBeInstanceOf(LdapUnavailable);
  directory.answers.bind = 0;
  expect(await outcomeOf(ldap.verify("alice", "right"))).toMatchObject({ name: "alice" });
  directory.answers.search = 2;
  expect(await outcomeOf(ldap.verify("alice", "right"))).toBeInstanceOf(LdapUnavailable);
  directory.answers.search = 0;
  expect(await outcomeOf(ldap.verify("alice", "right"))).toMatchObject({ name: "alice" });
  ldap.close();
});

test("a directory that is busy is left alone for a moment", async () => {
  await using directory = await fakeDirectory({ bind: 51 });
  const ldap = ldapAt(directory.port);
  expect(await outcomeOf(ldap.verify("alice", "right"))).toBeInstanceOf(LdapUnavailable);
  expect(String(await outcomeOf(ldap.verify("alice", "right")))).toContain("a moment ago");
  ldap.close();
});

describe("an unknown name", () => {
  /** A clock that stands still but for what the directory takes; deadlines never pass. */
  function stillClock() {
    const state = { nowMs: 0, slept: [] as number[] };
    const clock: Clock = {
      now: () => Date.now(),
      monotonicMs: () => state.nowMs,
      sleep: (ms, signal) => {
        // Deadlines come with a signal.
        if (signal !== undefined) return new Promise(() => {});
        state.slept.push(ms);
        return Promise.resolve();
      },
    };
    return { state, clock };
  }

  test("is bound as like a wrong password, on connections that go on alike", async () => {
    const { state, clock } = stillClock();
    const binds: string[] = [];
    await using directory = await fakeDirectory({ bind: 49, onBind: (dn) => binds.push(dn) });
    const ldap = ldapAt(directory.port, clock);
    expect(await ldap.verify("alice", "wrong")).toBeNull();
    directory.answers.found = [];
    expect(await ldap.verify("nobody", "wrong")).toBeNull();
    expect(binds).toEqual([
      `uid=alice,${usersDn}`,
      expect.stringMatching(new RegExp(`^uid=[0-9a-f-]{36},${usersDn}$`)),
    ]);
    // Where comparing takes no time nothing is waited for: no timer is that fine.
    expect(state.slept).toEqual([]);
    expect(directory.connections()).toBe(1);
    ldap.close();
  });

  test("waits for as long as passwords took lately", async () => {
    const { state, clock } = stillClock();
    const onBind = (dn: string): void => {
      if (dn.startsWith("uid=alice")) state.nowMs += 400;
    };
    await using directory = await fakeDirectory({ bind: 49, onBind });
    const ldap = ldapAt(directory.port, clock);
    for (let at = 0; at < 20; at += 1) expect(await ldap.verify("alice", "wrong")).toBeNull();
    expect(state.slept).toEqual([]);
    directory.answers.found = [];
    expect(await ldap.verify("nobody", "wrong")).toBeNull();
    expect(state.slept).toEqual([400]);
    ldap.close();
  });
});
