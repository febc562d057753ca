// Failed logins: limits per pair, network and account, and that nobody locks others out.

import { describe, expect, test } from "bun:test";
import { networkOf, Throttle, type LoginNews } from "./throttle.ts";

const minute = 60_000;
const alice = { network: "192.0.2.1", account: "alice" };

function fail(throttle: Throttle, attempt: typeof alice, times: number, nowMs = 0): void {
  for (let at = 0; at < times; at += 1) throttle.record({ ...attempt, failed: true }, nowMs);
}

describe("an account from one network", () => {
  test("ten failures in a quarter of an hour, then a wait that ends", () => {
    const throttle = new Throttle();
    fail(throttle, alice, 9);
    expect(throttle.advise(alice, 0)).toEqual({ kind: "go", delayMs: 0 });
    fail(throttle, alice, 1);
    const advice = throttle.advise(alice, 0);
    expect(advice).toEqual({ kind: "wait", retryAfterS: 90 });
    expect(throttle.advise(alice, 90_000)).toMatchObject({ kind: "go" });
    // At the pace of the forgetting it goes on for ever; faster it does not.
    fail(throttle, alice, 1, 90_000);
    expect(throttle.advise(alice, 90_000)).toMatchObject({ kind: "wait" });
    expect(throttle.advise(alice, 15 * minute + 90_000)).toEqual({ kind: "go", delayMs: 0 });
  });

  test("the wait is bounded, however long the attack", () => {
    const throttle = new Throttle();
    fail(throttle, alice, 100_000);
    const advice = throttle.advise(alice, 0);
    expect(advice.kind === "wait" && advice.retryAfterS).toBeLessThanOrEqual(17 * 60);
  });

  test("a success forgets the failures", () => {
    const throttle = new Throttle();
    fail(throttle, alice, 9);
    throttle.record({ ...alice, failed: false }, 0);
    fail(throttle, alice, 9);
    expect(throttle.advise(alice, 0)).toEqual({ kind: "go", delayMs: 0 });
  });

  test.each([
    ["Anna Maria", "anna  maria"],
    ["anna maria", " ANNA\u00a0 \u2003MARIA "],
    ["anna maria", "anna\u200b mar\u00adia"],
    ["anna maria", "anna\tmaria\ufffc\u180b"],
    ["straße", "STRASSE"],
    ["andré", "ANDRE\u0301"],
    ["andre", "André"],
    ["ﬁn", "FIN"],
  ])("%j and %j are one to a directory, and have one count", (one, other) => {
    const throttle = new Throttle();
    fail(throttle, { ...alice, account: one }, 10);
    expect(throttle.advise({ ...alice, account: other }, 0)).toMatchObject({ kind: "wait" });
    expect(throttle.advise({ ...alice, account: `${other}x` }, 0)).toMatchObject({ kind: "go" });
  });

  test("a name has one count however it is written", () => {
    const throttle = new Throttle();
    for (const account of ["alice", "Alice", " ALICE ", "ａｌｉｃｅ"]) {
      fail(throttle, { ...alice, account }, 3);
    }
    expect(throttle.advise(alice, 0)).toMatchObject({ kind: "wait" });
  });
});

describe("logins that are tried at once", () => {
  const begin = (throttle: Throttle, attempt = alice) => throttle.begin(attempt, () => 0);

  test("are no more than failures are free; the next one goes when one has ended", async () => {
    const throttle = new Throttle();
    fail(throttle, alice, 7);
    for (let at = 0; at < 3; at += 1) expect((await begin(throttle)).kind).toBe("go");
    let fourth = "waits";
    const waiting = begin(throttle).then(({ kind }) => (fourth = kind));
    expect((await begin(throttle, { ...alice, account: "bob" })).kind).toBe("go");
    expect(fourth).toBe("waits");
    throttle.record({ ...alice, failed: false }, 0);
    throttle.end(alice);
    expect(await waiting).toBe("go");
  });

  test("beyond a line of bounded length are told to come again", async () => {
    const throttle = new Throttle();
    for (let at = 0; at < 10; at += 1) await begin(throttle);
    const others = Array.from({ length: 64 }, () => begin(throttle));
    expect(await begin(throttle)).toEqual({ kind: "wait", retryAfterS: 1 });
    fail(throttle, alice, 10);
    for (let at = 0; at < 10; at += 1) throttle.end(alice);
    const kinds = (await Promise.all(others)).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["wait"]));
  });
});

test("others are not locked out: the account from elsewhere, other accounts from here", () => {
  const throttle = new Throttle();
  fail(throttle, alice, 50);
  expect(throttle.advise({ ...alice, network: "198.51.100.1" }, 0).kind).toBe("go");
  expect(throttle.advise({ ...alice, account: "bob" }, 0)).toEqual({ kind: "go", delayMs: 0 });
});

test("a network that tries many accounts is refused, but not whom it vouches for", () => {
  const throttle = new Throttle();
  const bob = { ...alice, account: "bob" };
  throttle.record({ ...bob, failed: false }, 0);
  for (let at = 0; at < 100; at += 1) fail(throttle, { ...alice, account: `user${at}` }, 1);
  expect(throttle.advise({ ...alice, account: "carol" }, 0)).toMatchObject({ kind: "wait" });
  expect(throttle.advise(bob, 0)).toEqual({ kind: "go", delayMs: 0 });
  expect(throttle.advise(bob, 25 * 60 * minute)).toEqual({ kind: "go", delayMs: 0 });
});

test("an account attacked from everywhere is slowed, never refused", () => {
  const throttle = new Throttle();
  const home = { ...alice, network: "203.0.113.9" };
  throttle.record({ ...home, failed: false }, 0);
  for (let at = 0; at < 200; at += 1) fail(throttle, { ...alice, network: `192.0.2.${at}` }, 1);
  const fresh = { ...alice, network: "198.51.100.7" };
  expect(throttle.advise(fresh, 0)).toEqual({ kind: "go", delayMs: 1000 });
  expect(throttle.advise(home, 0)).toEqual({ kind: "go", delayMs: 0 });
});

test("what one process counts, another learns", () => {
  const news: LoginNews[] = [];
  const first = new Throttle((each) => news.push(each));
  const second = new Throttle();
  fail(first, alice, 10);
  for (const each of news) second.learn(each, 0);
  expect(second.advise(alice, 0)).toMatchObject({ kind: "wait" });
});

test.each([
  [null, "unknown"],
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::7", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002::7", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("the network of %p is %p", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
