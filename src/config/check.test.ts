// Every kind of problem, word for word, and that all of them are told, in the file's order.

import { describe, expect, test } from "bun:test";
import { checkConfig } from "./load.ts";

const env = { PORT: "5000", WORKERS: "3", YES: "true", SECRET: "hunter2", OFF: "false" };

/** What a file holds, and the lines it gets. */
const table: [string, unknown, string[]][] = [
  [
    "a key that is known and not served",
    { http: { auth: { sessionKeysFile: "keys" } } },
    [
      'http.auth.sessionKeysFile: login by session is not served by this version yet; remove the key or set it to ""',
    ],
  ],
  [
    "a block that is not served",
    { http: { auth: { secureSession: {} } } },
    ["http.auth.secureSession: login by session is not served by this version yet; remove the key"],
  ],
  [
    "a part of a section that is not served",
    { http: { auth: { htpasswd: { path: "users" }, sessionKeysFile: "keys", openid: {} } } },
    [
      "http.auth.sessionKeysFile: login by session is not served by this version yet; " +
        'remove the key or set it to ""',
      "http.auth.openid: authentication by OpenID is not served by this version yet; remove the key",
    ],
  ],
  [
    "an extension that is on because it is there",
    { extensions: { events: {} } },
    [
      "extensions.events: sending of events is not served by this version yet; " +
        "remove the key or set its enable to false",
    ],
  ],
  [
    "a mistyped key",
    { storage: { dedup: true } },
    ['storage.dedup: expected a key of storage, got "dedup"; did you mean storage.dedupe?'],
  ],
  [
    "a key in the wrong section",
    { http: { rootDirectory: "/data" } },
    [
      'http.rootDirectory: expected a key of http, got "rootDirectory"; ' +
        "did you mean storage.rootDirectory?",
    ],
  ],
  [
    "a key like no other",
    { log: { frobnicate: 1 } },
    ['log.frobnicate: expected a key of log, got "frobnicate"; its keys are audit, level, output'],
  ],
  [
    "a mistyped section",
    { storge: {} },
    ['storge: expected a key of the configuration, got "storge"; did you mean storage?'],
  ],
  [
    "a secret inside of a list is not repeated",
    {
      extensions: {
        sync: {
          registries: [
            { urls: ["https://r.example.com"], credentials: { username: 5, password: 12345 } },
          ],
        },
      },
    },
    [
      "extensions.sync.registries[0].credentials.username: expected text, got 5",
      "extensions.sync.registries[0].credentials.password: expected text, got something else",
    ],
  ],
  [
    "a mistyped key in a block that is switched off",
    { extensions: { lint: { enable: false, mandatoryAnnotation: [] } } },
    [
      'extensions.lint.mandatoryAnnotation: expected a key of extensions.lint, got "mandatoryAnnotation"; ' +
        "did you mean extensions.lint.mandatoryAnnotations?",
    ],
  ],
  [
    "one key in two spellings",
    { storage: { dedupe: true, Dedupe: false } },
    ["storage.Dedupe: expected each key once, got it as dedupe, too; keep one"],
  ],
  [
    "names that JavaScript knows",
    JSON.parse('{"__proto__": {}, "http": {"constructor": 1, "toString": 1}}'),
    [
      '__proto__: expected a key of the configuration, got "__proto__"; its keys are binaryType, ' +
        "cluster, commit, distSpecVersion, extensions, goVersion, http, log, releaseTag, " +
        "scheduler, storage",
      expect.stringContaining('http.constructor: expected a key of http, got "constructor"; its'),
      expect.stringContaining('http.toString: expected a key of http, got "toString"; its keys'),
    ],
  ],
  [
    "a section that is something else",
    { http: [], log: "debug", extensions: true },
    [
      "http: expected a section with keys, got an array",
      'log: expected a section with keys, got "debug"',
      "extensions: expected a section with keys, got true",
    ],
  ],
  ["no section at all", [], ["the configuration: expected a section with keys, got an array"]],
  ["nothing", null, ["the configuration: expected a section with keys, got null"]],
  [
    "quotes too many",
    { storage: { dedupe: "true" }, http: { workers: "2" } },
    [
      'storage.dedupe: expected true or false, got "true"; remove the quotes',
      'http.workers: expected a whole number from 1 to 256, got "2"; remove the quotes',
    ],
  ],
  [
    "quotes too few",
    { distSpecVersion: 1.1, http: { realm: true } },
    [
      "distSpecVersion: expected text, got 1.1; put it in quotes",
      "http.realm: expected one line of printable ASCII text, got true; put it in quotes",
    ],
  ],
  [
    "numbers out of range",
    { http: { port: 65_536, workers: 0, manifestBytesMax: 0 } },
    [
      'http.port: expected a port from 0 to 65535 ("0" lets the kernel choose), got 65536',
      "http.workers: expected a whole number from 1 to 256, got 0",
      'http.manifestBytesMax: expected a number of bytes of at least 1 and at most 64 MiB, or a size such as "4MiB", got 0',
    ],
  ],
  [
    "durations",
    { storage: { uploadIdle: "0s", gcDelay: "-1h" }, http: { graceTimeout: 30, readTimeout: "x" } },
    [
      "storage.uploadIdle: expected a duration above zero with its unit, " +
        'such as "30s", "24h" or "1h30m", got "0s"',
      'storage.gcDelay: expected a duration with its unit, such as "30s", "24h" or "1h30m", got "-1h"',
      'http.graceTimeout: expected a duration with its unit, such as "30s", "24h" or "1h30m", got 30',
      'http.readTimeout: expected a duration with its unit, such as "60s", or "0" for no limit, got "x"',
    ],
  ],
  [
    "words",
    { http: { compat: ["docker2s2", "docker1"] }, log: { level: "loud" } },
    [
      'http.compat[1]: expected one of docker2s2, got "docker1"',
      "log.level: expected one of trace, debug, info, warn, warning, error, fatal, panic, " +
        'got "loud"',
    ],
  ],
  [
    "null where a value belongs",
    { storage: { rootDirectory: null } },
    ["storage.rootDirectory: expected a path, got null"],
  ],
  [
    "an address that would mean every interface",
    { http: { address: "" } },
    [
      'http.address: expected a host name or an IP address without a port, such as "127.0.0.1", ' +
        'or "0.0.0.0" for all, got ""',
    ],
  ],
  [
    "a variable that is not set",
    { http: { realm: "${REALM}" } },
    [
      "http.realm: expected the environment to set REALM, got nothing; " +
        "set it, or write ${REALM:-default}",
    ],
  ],
  [
    "a variable that holds the wrong thing, without showing it",
    { http: { workers: "${SECRET}" } },
    ["http.workers: expected a whole number from 1 to 256, got something else from ${SECRET}"],
  ],
  [
    "a key that is not served, switched on by a variable",
    { http: { auth: { sessionKeysFile: "${YES}" } } },
    [
      'http.auth.sessionKeysFile: login by session is not served by this version yet; remove the key or set it to ""',
    ],
  ],
  [
    "text that only looks like off",
    { extensions: { trust: { enable: "false" } } },
    [
      "extensions.trust: verification of signatures is not served by this version yet; remove the key or set its enable to false",
    ],
  ],
  [
    "everything at once, in the file's order",
    {
      log: { level: 5 },
      http: { prot: 80, compat: ["x"], ratelimit: { rate: -1 }, port: "x" },
      storage: { subPaths: { "/a": {} }, retention: { dryRun: 1 }, commit: 1 },
    },
    [
      "log.level: expected one of trace, debug, info, warn, warning, error, fatal, panic, got 5",
      'http.prot: expected a key of http, got "prot"; did you mean http.port?',
      'http.compat[0]: expected one of docker2s2, got "x"',
      "http.ratelimit.rate: expected a whole number of requests a second from 0 to 1000000, got -1",
      'http.port: expected a port from 0 to 65535 ("0" lets the kernel choose), got "x"',
      `storage.subPaths["/a"].rootDirectory: expected a path, got missing`,
      "storage.retention.dryRun: expected true or false, got 1",
      "storage.commit: expected true or false, got 1",
    ],
  ],
];

describe("problems", () => {
  for (const [name, value, problems] of table) {
    test(name, () => {
      expect(checkConfig(value, env)).toEqual({ problems });
    });
  }
});

describe("TLS", () => {
  const cert = "server.crt";
  const key = "server.key";
  const cacert = "clients.crt";
  const none = "got none";

  test.each([
    [{}, []],
    [{ cert, key }, []],
    [{ cert, key, cacert }, []],
    [{ cert: "", key: "", cacert: "" }, []],
    [{ cert }, [`http.tls.key: expected the path of the certificate's key, ${none}`]],
    [{ cert, cacert }, [`http.tls.key: expected the path of the certificate's key, ${none}`]],
    [{ key }, [`http.tls.cert: expected the path of the key's certificate, ${none}`]],
    [
      { cacert },
      [`http.tls.cacert: expected cert and key beside it, ${none}; clients cannot be asked`],
    ],
  ])("%p", (tls, problems) => {
    const checked = checkConfig({ http: { tls } }, env);
    expect("problems" in checked ? checked.problems : []).toEqual(problems);
  });
});

describe("extensions.metrics", () => {
  const metricsOf = (metrics: unknown) => {
    const checked = checkConfig({ extensions: { metrics } }, env);
    return "config" in checked ? checked.config.extensions.metrics : checked;
  };

  test.each([
    ["with its block it is on, as in zot", {}, { enable: true, prometheus: { path: "/metrics" } }],
    ["a block may turn it off", { enable: false }, { enable: false }],
    ["an empty YAML section is none", null, { enable: false }],
    ["a path", { prometheus: { path: "/a/b_c.d" } }, { prometheus: { path: "/a/b_c.d" } }],
  ])("%s", (_, metrics, expected) => {
    expect(metricsOf(metrics)).toMatchObject(expected);
  });

  test.each(
    [
      ["", "/", "metrics", "//metrics", "/metrics/", "/a/../b", "/a/./b", "/a b", "/a?b", "/é"],
      ["/v2", "/v2/metrics", "/zot/x", "/swagger", "/livez", "/readyz", "/startupz/x"],
    ].flat(),
  )("refuses the path %p", (path) => {
    expect(metricsOf({ prometheus: { path } })).toEqual({
      problems: [
        'extensions.metrics.prometheus.path: expected a clean path such as "/metrics", not "/" and ' +
          `none that the registry serves, got ${JSON.stringify(path)}`,
      ],
    });
  });
});

describe("keys", () => {
  test("case does not count", () => {
    const result = checkConfig({ STORAGE: { RootDirectory: "/data" }, hTTP: { Port: 1 } }, env);
    expect(result).toMatchObject({
      config: { storage: { rootDirectory: "/data" }, http: { port: 1 } },
    });
  });

  test("sections may be empty, absent or commented out", () => {
    const empty = checkConfig({}, env);
    expect(empty).toHaveProperty("config");
    expect(checkConfig({ storage: null, http: {}, log: null, extensions: null }, env)).toEqual(
      empty,
    );
    expect(checkConfig({ extensions: {}, http: { auth: {}, tls: null } }, env)).toEqual(empty);
  });

  test("what asks for nothing is taken", () => {
    const off = { storage: { gc: false, remoteCache: false, gcTimeWindow: "", maxRepos: 0 } };
    const extensions = { ui: { enable: false }, search: { Enable: false, cve: {} } };
    expect(checkConfig({ ...off, extensions }, env)).toHaveProperty("config");
  });
});

describe("variables", () => {
  test("become what the option wants", () => {
    const value = {
      storage: { dedupe: "${OFF}", rootDirectory: "/data/${PORT}", gc: "${OFF}" },
      http: { port: "${PORT}", workers: "${WORKERS}", manifestBytesMax: "${PORT}" },
      extensions: { ui: { enable: "${UI:-false}" } },
    };
    expect(checkConfig(value, env)).toMatchObject({
      config: {
        storage: { dedupe: false, rootDirectory: "/data/5000", gc: false },
        http: { port: 5000, workers: 3, manifestBytesMax: 5000 },
      },
    });
  });

  test("never become structure", () => {
    const value = { http: { realm: "${JSON}" } };
    const loaded = checkConfig(value, { JSON: '", "address": "0.0.0.0' });
    expect(loaded).toMatchObject({
      config: { http: { realm: '", "address": "0.0.0.0', address: "127.0.0.1" } },
    });
  });

  test("text that a person wrote stays text", () => {
    expect(checkConfig({ http: { realm: "5" } }, env)).toMatchObject({
      config: { http: { realm: "5" } },
    });
  });
});
