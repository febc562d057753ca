// What a plan says for each kind of change, and that every option has its place in one of the two lists.

import { describe, expect, test } from "bun:test";
import { checkConfig, type Sound } from "./load.ts";
import { planReload, showChange } from "./reload.ts";
import { placedOptions } from "./schema.ts";

type File = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function sound(file: File): Sound {
  const loaded = checkConfig({ storage: { rootDirectory: "/data" }, ...file }, {});
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  return loaded;
}

function plan(before: File, after: File) {
  return planReload(sound(before), sound(after));
}

/** A file before and after, and the lines of what changes live and of what waits. */
const table: readonly (readonly [
  name: string,
  before: File,
  after: File,
  live: string[],
  restart: string[],
])[] = [
  ["nothing", { log: { level: "warn" } }, { log: { level: "warn" } }, [], []],
  [
    "a value in other words",
    { http: { readTimeout: "60s" } },
    { http: { readTimeout: "1m" } },
    [],
    [],
  ],
  ["a word", {}, { log: { level: "debug" } }, ["log.level: info -> debug"], []],
  ["a duration", {}, { http: { readTimeout: "90s" } }, ["http.readTimeout: 1m -> 1m30s"], []],
  ["a number", { http: { workers: 1 } }, { http: { workers: 3 } }, ["http.workers: 1 -> 3"], []],
  ["a size", {}, { http: { blobBytesMax: "1KiB" } }, ["http.blobBytesMax: 0 -> 1024"], []],
  [
    "a list",
    {},
    { http: { allowOrigin: "https://a.example, https://b.example" } },
    ["http.allowOrigin: auto -> https://a.example, https://b.example"],
    [],
  ],
  [
    "a key that is gone is its default",
    { http: { manifestBytesMax: 9 } },
    {},
    ["http.manifestBytesMax: 9 -> 4194304"],
    [],
  ],
  [
    "what may change in an entry of subPaths",
    { storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a" } } } },
    { storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a", gc: true } } } },
    ["storage.subPaths"],
    [],
  ],
  [
    "an entry of subPaths that is new",
    { storage: { rootDirectory: "/data" } },
    { storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a" } } } },
    [],
    ["storage.subPaths"],
  ],
  [
    "an entry of subPaths that is gone",
    { storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a" } } } },
    { storage: { rootDirectory: "/data" } },
    [],
    ["storage.subPaths"],
  ],
  [
    "both in an entry of subPaths",
    { storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a" } } } },
    {
      storage: {
        rootDirectory: "/data",
        subPaths: { "/a": { rootDirectory: "/b", commit: false, dedupe: true } },
      },
    },
    ["storage.subPaths"],
    ["storage.subPaths"],
  ],
  [
    "what holds sections is named, not shown",
    {},
    { http: { ratelimit: { methods: [{ method: "GET", rate: 1 }] } } },
    ["http.ratelimit.methods"],
    [],
  ],
  ["what needs a restart", {}, { http: { port: 5000 } }, [], ["http.port: 8080 -> 5000"]],
  [
    "some of each, in the order of the reference",
    {},
    { log: { output: "zot.log", level: "warn" }, http: { address: "::1", graceTimeout: "1s" } },
    ["http.graceTimeout: 30s -> 1s", "log.level: info -> warn"],
    ["http.address: 127.0.0.1 -> ::1", "log.output: none -> zot.log"],
  ],
];

describe("planReload", () => {
  test.each([...table])("%s", (_, before, after, live, restart) => {
    const found = plan(before, after);
    expect(found.live.map(showChange)).toEqual(live);
    expect(found.restart.map(showChange)).toEqual(restart);
    expect(found.problems).toEqual([]);
  });

  test("the next configuration has the live values, and runs on with the rest", () => {
    const running = sound({ http: { port: 5000, workers: 1 } });
    const { next } = planReload(
      running,
      sound({ http: { port: 6000, workers: 2 }, log: { level: "warn" } }),
    );
    expect(next.config).toEqual(
      sound({ http: { port: 5000, workers: 2 }, log: { level: "warn" } }).config,
    );
    expect([...next.written].sort()).toEqual([
      "http.port",
      "http.workers",
      "log.level",
      "storage.rootDirectory",
    ]);
    expect(Object.isFrozen(next.config.http)).toBe(true);
    expect(running.config.log.level).toBe("info");
  });

  test("what waits is found again until the file has it no more", () => {
    const running = sound({});
    const first = planReload(running, sound({ http: { port: 5000 } }));
    const second = planReload(first.next, sound({ http: { port: 5000 }, log: { level: "warn" } }));
    expect(second.restart.map(showChange)).toEqual(["http.port: 8080 -> 5000"]);
    expect(planReload(second.next, sound({ log: { level: "warn" } })).restart).toEqual([]);
  });

  const ldap = { address: "ldap.example.com", baseDN: "dc=example", userAttribute: "uid" };

  test("a secret is never shown", () => {
    const login = (bindPassword: string) => ({
      http: { auth: { ldap: { ...ldap, bindDN: "cn=x", bindPassword } } },
    });
    const { live } = plan(login("one"), login("two"));
    expect(live).toEqual([{ path: "http.auth.ldap.bindPassword", applies: "live" }]);
  });

  test("live options that cannot go without one that waits are a problem, and nothing is to change", () => {
    const tls = { cert: "a", key: "b", cacert: "c" };
    const accessControl = { repositories: { "**": { defaultPolicy: ["read"] } } };
    const { problems } = plan({}, { http: { tls, accessControl } });
    expect(problems.join()).toStartWith("http.accessControl: expected a method in http.auth");
    // What the running server has is there for the options of the new file.
    expect(plan({ http: { tls } }, { http: { tls, accessControl } }).problems).toEqual([]);
  });
});

describe("options", () => {
  test("each is live or needs a restart", () => {
    for (const { path, option } of placedOptions()) {
      expect(["live", "restart"], path).toContain(option.applies);
    }
  });

  test("each whose name says that it is a secret is marked as one", () => {
    const marked = placedOptions().filter(({ option }) => option.secret === true);
    const named = placedOptions().filter(({ path }) =>
      /password$|secret|metadata\.url$/i.test(path),
    );
    expect(marked.map(({ path }) => path)).toEqual(named.map(({ path }) => path));
  });
});

test("of an entry of subPaths the directory stays, and the rest is in force", () => {
  const file = (entry: object): File => ({
    storage: { rootDirectory: "/data", subPaths: { "/a": { rootDirectory: "/a", ...entry } } },
  });
  const { next } = plan(
    file({}),
    file({ rootDirectory: "/b", commit: false, dedupe: true, gc: true }),
  );
  expect(next.config.storage.subPaths).toMatchObject({
    "/a": { rootDirectory: "/a", commit: true, dedupe: true, gc: true },
  });
});
