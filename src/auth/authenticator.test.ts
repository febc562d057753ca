// The authenticator: how often anything is computed, what is remembered for how long, what failures cost and say.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWorld } from "../../test/registry/world.ts";
import { tempDirectory } from "../../test/temp.ts";
import { systemClock, type Clock } from "../lib/clock.ts";
import { Gate } from "../lib/gate.ts";
import { apiKeys, type ApiKeyRecord } from "../metadata/api_keys.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { ApiKeys } from "./api_keys.ts";
import { Authenticator, type FailedLogin } from "./authenticator.ts";
import { PolicyCaller } from "./caller.ts";
import { Htpasswd } from "./htpasswd.ts";
import type { Identity } from "./identity.ts";
import { LdapUnavailable, type Ldap, type LdapUser } from "./ldap.ts";
import { LoginFailed } from "./login_failed.ts";
import type { Methods, Sessions } from "./methods.ts";
import type { Origin, Presented } from "./presented.ts";
import { Throttle } from "./throttle.ts";
import { TokenRefused, type ProvenToken } from "./token_service.ts";

const here: Origin = { address: "192.0.2.1", ownPage: false };
const shows = (authorization: string | null, origin: Origin = here): Presented => ({
  authorization,
  cookie: null,
  certificate: null,
  origin,
});
const basic = (name: string, password: string) =>
  `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

interface MovedClock extends Clock {
  advance(ms: number): void;
  readonly slept: number[];
  /** Deadlines, which are sleeps with a signal, pass at once. */
  late: boolean;
}

/** The machine's clock, moved on by hand; sleeps end at once and are noted. */
function movedClock(): MovedClock {
  let shiftMs = 0;
  const slept: number[] = [];
  const clock: MovedClock = {
    late: false,
    now: () => Date.now() + shiftMs,
    monotonicMs: () => performance.now() + shiftMs,
    sleep: (ms, signal) => {
      if (signal !== undefined) return clock.late ? Promise.resolve() : new Promise(() => {});
      slept.push(ms);
      return Promise.resolve();
    },
    advance: (ms) => {
      shiftMs += ms;
    },
    slept,
  };
  return clock;
}

class CountingGate extends Gate {
  runs = 0;
  override async run<T>(work: () => Promise<T>): Promise<T> {
    this.runs += 1;
    return await super.run(work);
  }
}

/** A directory of one user, which a test may make fail or change. */
class FakeLdap {
  user: LdapUser | null = { name: "lee", groups: ["dev"], id: "entryUUID 1", stamp: "1" };
  isDown = false;
  /** Until this is settled searches do not answer. */
  hangs: Promise<void> | null = null;
  verified = 0;
  found = 0;

  async verify(name: string, password: string): Promise<LdapUser | null> {
    this.verified += 1;
    if (this.isDown) throw new LdapUnavailable("down");
    return name === this.user?.name && password === "right" ? this.user : null;
  }

  async find(): Promise<LdapUser | null> {
    this.found += 1;
    await this.hangs;
    if (this.isDown) throw new LdapUnavailable("down");
    return this.user;
  }

  close(): void {}
}

async function world(change: (methods: Methods) => Partial<Methods> = () => ({}), failDelayMs = 0) {
  const directory = await tempDirectory();
  const path = join(directory.path, "users");
  const hash = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 });
  writeFileSync(path, `alice:${hash}\n`);
  const clock = movedClock();
  const gate = new CountingGate({ runningMax: 2, waitingMax: 64 });
  const failures: FailedLogin[] = [];
  const none: Methods = {
    htpasswd: new Htpasswd({ path, clock, gate, onChange: () => {} }),
    ldap: null,
    apiKeys: null,
    fileUsers: null,
    tokens: null,
    access: null,
    workload: null,
    certificates: {
      identityAttributes: ["CommonName"],
      uriSanPattern: null,
      uriSanIndex: 0,
      dnsSanIndex: 0,
      emailSanIndex: 0,
    },
    sessions: null,
  };
  const authenticator = new Authenticator({
    methods: { ...none, ...change(none) },
    policy: null,
    throttle: new Throttle(),
    clock,
    failDelayMs,
    onFailure: (failure) => failures.push(failure),
  });
  return {
    authenticator,
    clock,
    gate,
    failures,
    path,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function failureOf(login: () => unknown): Promise<LoginFailed> {
  try {
    await login();
  } catch (error) {
    if (error instanceof LoginFailed) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

describe("what was verified is remembered", () => {
  test("a hundred requests at once and a thousand after them cost one hash, and no promise", async () => {
    await using w = await world();
    const header = basic("alice", "right");
    const callers = await Promise.all(
      Array.from({ length: 100 }, async () => await w.authenticator.authenticate(shows(header))),
    );
    for (let at = 0; at < 1000; at += 1) {
      const caller = w.authenticator.authenticate(shows(header));
      expect(caller).toBeInstanceOf(PolicyCaller);
      callers.push(caller as PolicyCaller);
    }
    expect(new Set(callers).size).toBe(1);
    expect(callers[0]?.name).toBe("alice");
    expect(w.gate.runs).toBe(1);
  });

  test("for a minute", async () => {
    await using w = await world();
    const header = basic("alice", "right");
    await w.authenticator.authenticate(shows(header));
    w.clock.advance(59_000);
    expect(w.authenticator.authenticate(shows(header))).toBeInstanceOf(PolicyCaller);
    w.clock.advance(2_000);
    expect(w.authenticator.authenticate(shows(header))).toBeInstanceOf(Promise);
    await w.authenticator.authenticate(shows(header));
    expect(w.gate.runs).toBe(2);
  });

  test("until the file changes", async () => {
    await using w = await world();
    const header = basic("alice", "right");
    await w.authenticator.authenticate(shows(header));
    const hash = await Bun.password.hash("other", { algorithm: "bcrypt", cost: 4 });
    writeFileSync(w.path, `alice:${hash}\n`);
    w.clock.advance(1_000);
    const failed = await failureOf(() => w.authenticator.authenticate(shows(header)));
    expect(failed.kind).toBe("invalid");
    const caller = await w.authenticator.authenticate(shows(basic("alice", "other")));
    expect(caller.name).toBe("alice");
  });

  test("as of the file that it was checked against, were it to change that very moment", async () => {
    let version = 1;
    let looks = 0;
    const file = {
      get version() {
        looks += 1;
        // The look after the check is the first that sees another file.
        if (looks === 3) version = 2;
        return version;
      },
      has: () => true,
      verify: async () => version === 1,
    };
    await using w = await world(() => ({ htpasswd: file as unknown as Htpasswd }));
    const login = () => w.authenticator.authenticate(shows(basic("alice", "right")));
    expect(await login()).toBeInstanceOf(PolicyCaller);
    expect((await failureOf(login)).kind).toBe("invalid");
  });

  test("but failures are not: each is computed, and equal ones at once together", async () => {
    await using w = await world();
    const header = basic("alice", "wrong");
    const login = () => failureOf(() => w.authenticator.authenticate(shows(header)));
    await Promise.all([login(), login(), login()]);
    expect(w.gate.runs).toBe(1);
    await login();
    expect(w.gate.runs).toBe(2);
  });

  test("a hit of another password, name or scheme is none", async () => {
    await using w = await world();
    await w.authenticator.authenticate(shows(basic("alice", "right")));
    for (const header of [basic("alice", "right "), basic("Alice", "right"), "Bearer x", "x"]) {
      await failureOf(() => w.authenticator.authenticate(shows(header)));
    }
  });
});

describe("failures", () => {
  test("of unknown names and wrong passwords are one and the same", async () => {
    await using w = await world();
    const seen = [];
    for (const name of ["alice", "nobody", "", "x".repeat(300)]) {
      const failed = await failureOf(() =>
        w.authenticator.authenticate(shows(basic(name, "wrong"))),
      );
      const refusal = failed.toApiError({ kind: "basic", realm: "zot" }, null);
      seen.push(JSON.stringify([failed.kind, refusal.status, refusal.errors, refusal.headers]));
    }
    expect(new Set(seen).size).toBe(1);
    // The first two cost a hash each; a name that nobody can have costs none.
    expect(w.gate.runs).toBe(2);
    expect(w.failures.map(({ reason }) => reason)).toEqual(
      Array.from({ length: 4 }, () => "wrong name or password"),
    );
  });

  test("are refused after ten from one network, with the time to wait; others go on", async () => {
    await using w = await world();
    await w.authenticator.authenticate(shows(basic("alice", "right")));
    for (let at = 0; at < 10; at += 1) {
      await failureOf(() => w.authenticator.authenticate(shows(basic("bob", `wrong${at}`))));
    }
    const hashes = w.gate.runs;
    const failed = await failureOf(() => w.authenticator.authenticate(shows(basic("bob", "x"))));
    expect(failed).toMatchObject({ kind: "throttled", retryAfterS: 90 });
    expect(failed.toApiError(null, null)).toMatchObject({
      status: 429,
      headers: { "retry-after": "90" },
    });
    // Not a hash was computed for it.
    expect(w.gate.runs).toBe(hashes);
    const elsewhere = { ...here, address: "198.51.100.1" };
    const from = await failureOf(() =>
      w.authenticator.authenticate(shows(basic("bob", "x"), elsewhere)),
    );
    expect(from.kind).toBe("invalid");
    expect(w.authenticator.authenticate(shows(basic("alice", "right")))).toBeInstanceOf(
      PolicyCaller,
    );
    expect(w.authenticator.authenticate(shows(null))).toBe(w.authenticator.anonymous);
  });

  test("that come at once are as many as one by one: ten, then none is computed", async () => {
    await using w = await world();
    const guesses = Array.from({ length: 60 }, (_, at) => basic("alice", `wrong${at}`));
    const failed = await Promise.all(
      guesses.map((guess) => failureOf(() => w.authenticator.authenticate(shows(guess)))),
    );
    const kinds = failed.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "invalid")).toHaveLength(10);
    expect(kinds.filter((kind) => kind === "throttled")).toHaveLength(50);
    expect(w.gate.runs).toBe(10);
  });

  test("are held back when the configuration says so, successes are not", async () => {
    await using w = await world(undefined, 5_000);
    await w.authenticator.authenticate(shows(basic("alice", "right")));
    expect(w.clock.slept).toEqual([]);
    await failureOf(() => w.authenticator.authenticate(shows(basic("alice", "wrong"))));
    await failureOf(() => w.authenticator.authenticate(shows("nonsense")));
    expect(w.clock.slept).toEqual([5_000, 5_000]);
    expect(w.authenticator.authenticate(shows("Basic Og=="))).toBe(w.authenticator.anonymous);
  });
});

describe("a directory", () => {
  const withLdap = async () => {
    const ldap = new FakeLdap();
    const w = await world(() => ({ ldap: ldap as unknown as Ldap }));
    return Object.assign(w, { ldap });
  };

  test("is asked after the file, and only for who is not in it with this password", async () => {
    await using w = await withLdap();
    await w.authenticator.authenticate(shows(basic("alice", "right")));
    expect(w.ldap.verified).toBe(0);
    const caller = await w.authenticator.authenticate(shows(basic("lee", "right")));
    expect(caller.identity).toMatchObject({ name: "lee", groups: ["dev"], provenBy: "ldap" });
  });

  test("that fails many logins at once holds none of those after them", async () => {
    const fake = new FakeLdap();
    await using w = await world(() => ({ ldap: fake as unknown as Ldap }));
    fake.isDown = true;
    const names = Array.from({ length: 40 }, (_, at) => basic("lee", `wrong${at}`));
    const failed = await Promise.all(
      names.map((header) => failureOf(() => w.authenticator.authenticate(shows(header)))),
    );
    expect(new Set(failed.map(({ kind }) => kind))).toEqual(new Set(["unavailable"]));
    fake.isDown = false;
    const caller = await w.authenticator.authenticate(shows(basic("lee", "right")));
    expect(caller.name).toBe("lee");
  });

  test("is looked at again after a second, and what changed there counts at once", async () => {
    await using w = await withLdap();
    const header = basic("lee", "right");
    await w.authenticator.authenticate(shows(header));
    await w.authenticator.authenticate(shows(header));
    expect(w.ldap.found).toBe(0);
    w.clock.advance(1_500);
    await Promise.all([1, 2, 3].map(async () => await w.authenticator.authenticate(shows(header))));
    expect([w.ldap.found, w.ldap.verified]).toEqual([1, 1]);
    // Another group: a new login finds it.
    w.ldap.user = { name: "lee", groups: [], id: "entryUUID 1", stamp: "2" };
    w.clock.advance(1_500);
    const caller = await w.authenticator.authenticate(shows(header));
    expect(caller.identity.groups).toEqual([]);
    expect(w.ldap.verified).toBe(2);
    // Gone: refused.
    w.ldap.user = null;
    w.clock.advance(1_500);
    expect((await failureOf(() => w.authenticator.authenticate(shows(header)))).kind).toBe(
      "invalid",
    );
  });

  test("that hangs keeps those waiting for a moment who are known, and once; what it says at last counts", async () => {
    await using w = await withLdap();
    const header = basic("lee", "right");
    const known = () => w.authenticator.authenticate(shows(header));
    await known();
    const hanging = Promise.withResolvers<void>();
    w.ldap.hangs = hanging.promise;
    w.clock.advance(1_500);
    w.clock.late = true;
    // One waits until the moment is over, then nobody does.
    expect((await known()).name).toBe("lee");
    for (let at = 0; at < 100; at += 1) expect(known()).toBeInstanceOf(PolicyCaller);
    expect(w.ldap.found).toBe(1);
    w.ldap.user = null;
    hanging.resolve();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect((await failureOf(known)).kind).toBe("invalid");
  });

  test("that is down fails those who need it, who were not known a moment ago", async () => {
    await using w = await withLdap();
    const header = basic("lee", "right");
    await w.authenticator.authenticate(shows(header));
    w.ldap.isDown = true;
    w.clock.advance(1_500);
    expect((await w.authenticator.authenticate(shows(header))).name).toBe("lee");
    expect((await w.authenticator.authenticate(shows(basic("alice", "right")))).name).toBe("alice");
    for (const header of [basic("lee", "other"), basic("alice", "wrong"), basic("zoe", "x")]) {
      const failed = await failureOf(() => w.authenticator.authenticate(shows(header)));
      expect(failed.toApiError(null, null)).toMatchObject({ status: 503 });
    }
    // Never for longer than what was verified is trusted.
    w.clock.advance(60_000);
    const failed = await failureOf(() => w.authenticator.authenticate(shows(header)));
    expect(failed.kind).toBe("unavailable");
  });
});

describe("tokens", () => {
  const proven = (expiresAt: number): ProvenToken => ({
    identity: { name: "ci", groups: [], provenBy: "workload", scope: null },
    expiresAt,
  });

  test("are remembered no longer than they are good", async () => {
    let verified = 0;
    await using w = await world(() => ({
      workload: async () => {
        verified += 1;
        return proven(Date.now() + 10_000);
      },
    }));
    await w.authenticator.authenticate(shows("Bearer x"));
    await w.authenticator.authenticate(shows("Bearer x"));
    expect(verified).toBe(1);
    w.clock.advance(11_000);
    await w.authenticator.authenticate(shows("Bearer x"));
    expect(verified).toBe(2);
  });

  test("of a workload serve as a password, and are shown to nobody else", async () => {
    const ldap = new FakeLdap();
    await using w = await world(() => ({
      ldap: ldap as unknown as Ldap,
      workload: async (token) => {
        if (token !== "eyJa.eyJb.c") throw new TokenRefused("no");
        return proven(Date.now() + 10_000);
      },
    }));
    expect((await w.authenticator.authenticate(shows(basic("any", "eyJa.eyJb.c")))).name).toBe(
      "ci",
    );
    await failureOf(() => w.authenticator.authenticate(shows(basic("lee", "eyJa.eyJb.d"))));
    expect(ldap.verified).toBe(0);
    expect(w.gate.runs).toBe(0);
  });
});

describe("an API key has the groups that its owner has now", () => {
  const key = `zak_${"0".repeat(32)}`;
  /** The keys of one record, whoever asks. */
  const keysOf = (record: Partial<ApiKeyRecord>, clock: Clock): ApiKeys => {
    const stored = {
      id: "1",
      scopes: [],
      expiresAt: null,
      lastUsedAt: null,
      incarnation: null,
      ...record,
    };
    return new ApiKeys(
      {
        records: () => ({ byHash: async () => stored }),
        commit: async () => ({}),
      } as unknown as Metadata,
      clock,
    );
  };

  test.each([
    ["htpasswd", "alice", []],
    ["htpasswd", "gone", null],
    ["ldap", "lee", ["dev"]],
    ["ldap", "gone", null],
    ["certificate", "cn", []],
    // The token that told them has ended long ago.
    ["workload", "ci", []],
  ] as const)("made with %s by %s: %p", async (provenBy, owner, groups) => {
    const ldap = new FakeLdap();
    if (owner === "gone") ldap.user = null;
    await using w = await world(() => ({
      ldap: ldap as unknown as Ldap,
      apiKeys: keysOf({ owner, provenBy, groups: ["once"] }, systemClock),
    }));
    const login = () => w.authenticator.authenticate(shows(basic(owner, key)));
    if (groups === null) expect((await failureOf(login)).kind).toBe("invalid");
    else expect((await login()).identity.groups).toEqual(groups);
  });
});

describe("a key of somebody who had the name before", () => {
  const made = async (metadata: Metadata, owner: Identity): Promise<string> => {
    const wanted = { label: "ci", scopes: [], expiresAt: null, madeWith: "" };
    return (await new ApiKeys(metadata, systemClock).make(owner, wanted))?.key ?? "";
  };
  const identity = (provenBy: "ldap" | "workload", incarnation: string): Identity => ({
    name: "lee",
    groups: [],
    provenBy,
    scope: null,
    incarnation,
  });

  test("is refused when the directory has another entry of that name, and ends at its login", async () => {
    await using store = await openWorld();
    const { metadata } = store.registry;
    const ldap = new FakeLdap();
    await using w = await world(() => ({
      ldap: ldap as unknown as Ldap,
      apiKeys: new ApiKeys(metadata, systemClock),
    }));
    const key = await made(metadata, identity("ldap", "entryUUID 1"));
    await made(metadata, identity("workload", "subject"));
    const login = (password: string) => w.authenticator.authenticate(shows(basic("lee", password)));
    expect((await login(key)).name).toBe("lee");
    ldap.user = { name: "lee", groups: [], id: "entryUUID 2", stamp: "9" };
    w.clock.advance(1_500);
    expect((await failureOf(() => login(key))).kind).toBe("invalid");
    expect(await metadata.records(apiKeys).ofOwner("lee", 9)).toHaveLength(2);
    await login("right");
    // That of another kind of login is nobody's business here.
    const left = await metadata.records(apiKeys).ofOwner("lee", 9);
    expect(left.map(({ provenBy }) => provenBy)).toEqual(["workload"]);
  });

  test("ends when an issuer gives the name to another subject, and not before", async () => {
    await using store = await openWorld();
    const { metadata } = store.registry;
    let subject = "first";
    await using w = await world(() => ({
      apiKeys: new ApiKeys(metadata, systemClock),
      workload: async () => ({
        identity: identity("workload", subject),
        expiresAt: Date.now() + 60_000,
      }),
    }));
    const login = (token: string) => w.authenticator.authenticate(shows(`Bearer ${token}`));
    const token = (payload: string) => `eyJhbGciOiJFUzI1NiJ9.${payload}.c`;
    const key = await made(metadata, identity("workload", "first"));
    await login(token("a"));
    const withKey = () => w.authenticator.authenticate(shows(basic("lee", key)));
    expect((await withKey()).name).toBe("lee");
    subject = "second";
    await login(token("b"));
    w.clock.advance(1_500);
    expect((await failureOf(withKey)).kind).toBe("invalid");
  });
});

test("where nobody can log in, what clients send along means nothing", async () => {
  await using w = await world(() => ({ htpasswd: null }));
  for (const header of [basic("alice", "right"), "Bearer x", "nonsense"]) {
    expect(w.authenticator.authenticate(shows(header))).toBe(w.authenticator.anonymous);
  }
});

test("a certificate counts where there is no header, and must name somebody", async () => {
  await using w = await world();
  const certificate = { subject: [{ type: "CN", value: "machine" }], san: [] };
  const caller = await w.authenticator.authenticate({ ...shows(null), certificate });
  expect(caller.name).toBe("machine");
  expect(w.authenticator.authenticate({ ...shows(null), certificate })).toBe(caller);
  const header = basic("alice", "right");
  expect((await w.authenticator.authenticate({ ...shows(header), certificate })).name).toBe(
    "alice",
  );
  const nameless = { subject: [{ type: "O", value: "x" }], san: [] };
  const failed = await failureOf(() =>
    w.authenticator.authenticate({ ...shows(null), certificate: nameless }),
  );
  expect(failed.kind).toBe("invalid");
});

describe("a session", () => {
  const sessions = (lives: () => boolean): Sessions => ({
    find: async (cookie) =>
      cookie === "session=good" && lives()
        ? {
            identity: { name: "lee", groups: [], provenBy: "session", login: "ldap", scope: null },
            isCurrent: lives,
            isKept: null,
            recheck: null,
            expiresAt: null,
          }
        : null,
  });
  const cookie = "session=good";
  const withCookie = (ownPage: boolean, text = cookie): Presented => ({
    ...shows(null, { ...here, ownPage }),
    cookie: text,
  });

  test("counts on a page of our own, and on no other", async () => {
    await using w = await world(() => ({ sessions: sessions(() => true) }));
    const caller = await w.authenticator.authenticate(withCookie(true));
    expect(caller.identity).toMatchObject({ name: "lee", provenBy: "session", login: "ldap" });
    expect(w.authenticator.authenticate(withCookie(true))).toBe(caller);
    expect(w.authenticator.authenticate(withCookie(false))).toBe(w.authenticator.anonymous);
  });

  test("that is unknown or over is no failed login", async () => {
    let lives = true;
    await using w = await world(() => ({ sessions: sessions(() => lives) }));
    const strange = withCookie(true, "session=other");
    expect(await w.authenticator.authenticate(strange)).toBe(w.authenticator.anonymous);
    expect((await w.authenticator.authenticate(withCookie(true))).name).toBe("lee");
    expect(w.authenticator.knownName(withCookie(true))).toBe("lee");
    lives = false;
    expect(await w.authenticator.authenticate(withCookie(true))).toBe(w.authenticator.anonymous);
    expect(w.failures).toEqual([]);
  });

  test("gives way to credentials in a header", async () => {
    await using w = await world(() => ({ sessions: sessions(() => true) }));
    const both = { ...withCookie(true), authorization: basic("alice", "right") };
    expect((await w.authenticator.authenticate(both)).name).toBe("alice");
    const wrong = { ...withCookie(true), authorization: basic("alice", "wrong") };
    expect((await failureOf(() => w.authenticator.authenticate(wrong))).kind).toBe("invalid");
  });

  test("means nothing where no sessions are served", async () => {
    await using w = await world();
    expect(w.authenticator.authenticate(withCookie(true))).toBe(w.authenticator.anonymous);
  });
});
