// Password files: every hash, every bad line, changes, and what an unknown name costs.

import { describe, expect, test } from "bun:test";
import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireTool, runOk } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import type { Clock } from "../lib/clock.ts";
import { systemClock } from "../lib/clock.ts";
import { Gate, GateFull } from "../lib/gate.ts";
import { Htpasswd, parseHtpasswd } from "./htpasswd.ts";

async function bcrypt(password: string, kind = "2b"): Promise<string> {
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  return hash.replace(/^\$2b/, `$${kind}`);
}

async function shaCrypt(variant: 5 | 6, password: string): Promise<string> {
  const { stdout } = await runOk("openssl", ["passwd", `-${variant}`, "-salt", "salt", password]);
  return stdout.trim();
}

function open(path: string, clock: Clock = systemClock, gate?: Gate) {
  const problems: (string | null)[] = [];
  const htpasswd = new Htpasswd({
    path,
    clock,
    gate: gate ?? new Gate({ runningMax: 2, waitingMax: 8 }),
    onChange: (problem) => problems.push(problem),
  });
  return { htpasswd, problems };
}

const parse = (text: string) => parseHtpasswd(new TextEncoder().encode(text), "users");

const openssl = requireTool("openssl");

describe("hashes", () => {
  test.skipIf(!openssl)("every kind verifies its password and no other", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    const lines = [
      `a:${await bcrypt("secret", "2a")}`,
      `b:${await bcrypt("secret", "2b")}`,
      `y:${await bcrypt("secret", "2y")}`,
      `sha256:${await shaCrypt(5, "secret")}`,
      `sha512:${await shaCrypt(6, "secret")}`,
      `name with spaces, ünd=more:${await bcrypt("pässwörd:with:colons")}`,
    ];
    writeFileSync(path, `# users\n\n  # more\n \t\n${lines.join("\r\n")}\n`);
    const { htpasswd } = open(path);
    for (const name of ["a", "b", "y", "sha256", "sha512"]) {
      expect(await htpasswd.verify(name, "secret")).toBe(true);
      for (const wrong of ["", "Secret", "secret ", "secre", "secret\0"]) {
        expect(await htpasswd.verify(name, wrong)).toBe(false);
      }
    }
    const odd = "name with spaces, ünd=more";
    expect(await htpasswd.verify(odd, "pässwörd:with:colons")).toBe(true);
    expect(await htpasswd.verify("A", "secret")).toBe(false);
    expect(await htpasswd.verify("", "secret")).toBe(false);
    expect(await htpasswd.verify("# users", "secret")).toBe(false);
  });

  test("a password of more than 72 bytes is never cut: bcrypt would not see its end", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    const long = "x".repeat(72);
    writeFileSync(path, `a:${await bcrypt(long)}\n`);
    const { htpasswd } = open(path);
    expect(await htpasswd.verify("a", long)).toBe(true);
    expect(await htpasswd.verify("a", `${long}y`)).toBe(false);
    expect(await htpasswd.verify("a", `${long}${"y".repeat(5000)}`)).toBe(false);
    expect(await htpasswd.verify("a", long.slice(1))).toBe(false);
  });

  test.skipIf(!requireTool("htpasswd"))("what Apache's tool writes", async () => {
    await using directory = await tempDirectory();
    const path = join(directory.path, "users");
    await runOk("htpasswd", ["-cbB", "-C", "5", path, "alice", "alice's password"]);
    await runOk("htpasswd", ["-bB", "-C", "5", path, "bob", "bob's password"]);
    const { htpasswd } = open(path);
    expect(await htpasswd.verify("alice", "alice's password")).toBe(true);
    expect(await htpasswd.verify("alice", "bob's password")).toBe(false);
  });
});

describe("bad lines stop the start", () => {
  const good = "ok:$2y$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
  const cut = "$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ0123";
  const sha = "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
  test.each([
    ["alice", "line 2: expected name:hash, got no colon"],
    [":hash", "line 2: expected a name before the colon"],
    ["al\u0007ice:hash", "line 2: expected a name before the colon"],
    [good, "line 2: expected each name once, got ok again"],
    [
      "alice:",
      "line 2: expected a hash of bcrypt ($2y$), SHA-256 ($5$) or SHA-512 crypt ($6$), got nothing",
    ],
    [
      " " + good.replace("ok", "alice"),
      'line 2: expected a name without blanks around it, got " alice"',
    ],
    [
      good.replace("ok", "alice "),
      'line 2: expected a name without blanks around it, got "alice "',
    ],
    [`${good.replace("ok", "alice")} `, "line 2: expected nothing behind the hash, got a blank"],
    [`${good.replace("ok", "alice")}\t`, "line 2: expected nothing behind the hash, got a blank"],
    [
      `${good.replace("ok", "alice")} # of the build`,
      "line 2: expected nothing behind the hash; comments have lines of their own",
    ],
    [
      good.replace("ok:", "alice: "),
      "line 2: expected the hash right behind the colon, got a blank",
    ],
    ["alice:secret", "got something else"],
    ["alice:$apr1$salt$hash", "got MD5 crypt"],
    ["alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "got SHA-1"],
    [`alice:${cut}`, "got a bcrypt hash that is cut off"],
    [
      `alice:${good.slice(3).replace("$04", "$31")}`,
      "line 2: expected a bcrypt cost of 4 to 14, got 31",
    ],
    [`alice:${good.slice(3).replace("$04", "$15")}`, "expected a bcrypt cost of 4 to 14, got 15"],
    [`alice:${good.slice(3).replace("$04", "$03")}`, "expected a bcrypt cost of 4 to 14, got 3"],
    [`alice:$5$rounds=9999999$salt$${sha}`, "line 2: expected up to 1000000 rounds, got 9999999"],
    [`alice:$5$salt$${sha.slice(1)}`, "got a SHA crypt hash that is cut off"],
  ])("%j", (line, says) => {
    expect(() => parse(`${good}\n${line}\n`)).toThrow(`users: line 2: expected`);
    expect(() => parse(`${good}\n${line}\n`)).toThrow(says);
  });

  test("so does a file that is no text", () => {
    expect(() => parseHtpasswd(new Uint8Array([0xff, 0xfe, 0x3a]), "users")).toThrow("UTF-8");
  });
});

test("the file is followed, also when Kubernetes swaps its volume", async () => {
  await using directory = await tempDirectory();
  const at = (name: string) => join(directory.path, name);
  let shiftMs = 0;
  const clock: Clock = {
    now: () => Date.now() + shiftMs,
    monotonicMs: () => performance.now() + shiftMs,
    sleep: () => Promise.resolve(),
  };
  await runOk("mkdir", [at("first"), at("second")]);
  writeFileSync(join(at("first"), "users"), `alice:${await bcrypt("old")}\n`);
  writeFileSync(join(at("second"), "users"), `alice:${await bcrypt("new")}\n`);
  symlinkSync("first", at("..data"));
  symlinkSync("..data/users", at("users"));
  const { htpasswd, problems } = open(at("users"), clock);
  expect(await htpasswd.verify("alice", "old")).toBe(true);
  const version = htpasswd.version;
  symlinkSync("second", at("..data_next"));
  renameSync(at("..data_next"), at("..data"));
  shiftMs += 1000;
  expect(await htpasswd.verify("alice", "old")).toBe(false);
  expect(await htpasswd.verify("alice", "new")).toBe(true);
  expect(htpasswd.version).toBeGreaterThan(version);
  // A bad file after the start keeps the old one.
  writeFileSync(join(at("second"), "users"), "alice\n");
  shiftMs += 1000;
  expect(await htpasswd.verify("alice", "new")).toBe(true);
  expect(problems).toEqual([null, expect.stringContaining("line 1: expected name:hash")]);
});

test("an unknown name is checked against somebody's hash, always the same one", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  // One hash is dear: names that fall on it take longer, every time alike.
  const dear = await Bun.password.hash("x", { algorithm: "bcrypt", cost: 9 });
  writeFileSync(path, `cheap:${await bcrypt("x")}\ndear:${dear}\n`);
  const runs: number[] = [];
  class CountingGate extends Gate {
    override async run<T>(work: () => Promise<T>): Promise<T> {
      runs.push(1);
      return await super.run(work);
    }
  }
  const { htpasswd } = open(path, systemClock, new CountingGate({ runningMax: 2, waitingMax: 8 }));
  for (const name of ["nobody", "cheap", "dear", ""]) {
    expect(await htpasswd.verify(name, "y")).toBe(false);
  }
  // Each cost exactly one hash.
  expect(runs).toHaveLength(4);
  // The right password of the hash that stands in proves nothing.
  for (let at = 0; at < 20; at += 1) {
    expect(await htpasswd.verify(`nobody${at}`, "x")).toBe(false);
  }
});

test("beyond the line logins are refused at once", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  writeFileSync(path, `a:${await bcrypt("x")}\n`);
  const { htpasswd } = open(path, systemClock, new Gate({ runningMax: 1, waitingMax: 2 }));
  const logins = Array.from({ length: 6 }, () =>
    htpasswd.verify("a", "x").catch((error: unknown) => error),
  );
  const outcomes = await Promise.all(logins);
  expect(outcomes.filter((each) => each === true)).toHaveLength(3);
  expect(outcomes.filter((each) => each instanceof GateFull)).toHaveLength(3);
});

test("an empty file has no users", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "users");
  writeFileSync(path, "");
  expect(await open(path).htpasswd.verify("a", "x")).toBe(false);
});
