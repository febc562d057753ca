// Files to configurations: JSON and YAML alike, defaults, warnings, and files that cannot be read.

import { describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { tempDirectory } from "../../test/temp.ts";
import { checkConfig, type Config, loadConfig } from "./load.ts";

const json = `{
  "distSpecVersion": "1.1.1",
  "storage": { "rootDirectory": "/data", "dedupe": false },
  "http": { "port": "5000", "compat": ["docker2s2"], "realm": "\${REALM:-zot}" },
  "log": { "level": "debug" }
}`;
const yaml = `
distSpecVersion: "1.1.1"
storage: {rootDirectory: /data, dedupe: false}
http:
  port: "5000"
  compat:
    - docker2s2
  realm: \${REALM:-zot}
log:
  level: debug
`;

async function loadText(text: string, name: string) {
  await using directory = await tempDirectory();
  const path = join(directory.path, name);
  await Bun.write(path, text);
  return await loadConfig(path, {});
}

describe("loadConfig", () => {
  test("JSON and YAML say the same", async () => {
    const fromJson = await loadText(json, "config.json");
    expect(fromJson).toMatchObject({
      config: {
        storage: { rootDirectory: "/data", dedupe: false, commit: true },
        http: { port: 5000, compat: ["docker2s2"], realm: "zot" },
        log: { level: "debug" },
      },
      warnings: [],
    });
    expect(await loadText(yaml, "config.yaml")).toEqual(fromJson);
    expect(await loadText(yaml, "config.YML")).toEqual(fromJson);
    expect(await loadText(json, "config.yaml")).toEqual(fromJson);
    expect(await loadText(json, "config")).toEqual(fromJson);
    expect(await loadText(yaml, "config.conf")).toEqual(fromJson);
    expect(await loadText(`\uFEFF${json}`, "config.json")).toEqual(fromJson);
  });

  test.each([
    [
      "config.json",
      '{"http": {},}',
      'config.json: line 1, column 13: expected a key in double quotes, got "}"',
    ],
    ["config.json", "", "config.json: expected a configuration, got nothing"],
    ["config.yaml", " \n", "config.yaml: expected a configuration, got nothing"],
    ["config.yaml", "# nothing\n", "the configuration: expected a section with keys, got null"],
    ["config.conf", '{"http": }', 'config.conf: line 1, column 10: expected a value, got "}"'],
    ["config.yaml", "a: 1\na: 2", "config.yaml: line 2, column 1: Map keys must be unique"],
    [
      "config.yaml",
      "log:\n  level: x\n output: y",
      "config.yaml: line 3, column 1: All mapping items must start at the same column",
    ],
    ["config.yaml", "log: !secret x", "config.yaml: line 1, column 6: Unresolved tag: !secret"],
    [
      "config.yaml",
      "---\nlog:\n---\nlog:",
      "config.yaml: line 3, column 1: expected one document, got a second",
    ],
    [
      "config.yaml",
      "log: *none",
      "config.yaml: Unresolved alias (the anchor must be set before the alias): none",
    ],
  ])("%s: %p", async (name, text, problem) => {
    expect(await loadText(text, name)).toEqual({ problems: [problem] });
  });

  test("aliases that unfold beyond measure are refused", async () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let at = 1; at < 12; at += 1) {
      lines.push(`a${at}: &a${at} [${Array.from({ length: 10 }, () => `*a${at - 1}`).join(", ")}]`);
    }
    expect(await loadText(lines.join("\n"), "config.yaml")).toEqual({
      problems: [expect.stringContaining("config.yaml: Excessive alias count")],
    });
  });

  test("a file that is not there, and a directory", async () => {
    await using directory = await tempDirectory();
    const missing = join(directory.path, "missing.json");
    expect(await loadConfig(missing)).toEqual({
      problems: [`${missing}: expected a configuration file, got no such file`],
    });
    expect(await loadConfig(directory.path)).toEqual({
      problems: [`${directory.path}: expected a configuration file, got a directory`],
    });
  });
});

describe("defaults", () => {
  const configOf = (loaded: ReturnType<typeof checkConfig>): Config => {
    if ("problems" in loaded) throw new Error(loaded.problems.join("; "));
    return loaded.config;
  };

  test("this machine only, a port known to zot's users, flushed writes", async () => {
    await using home = await tempDirectory();
    const config = configOf(checkConfig({}, { HOME: home.path }));
    expect(config).toEqual({
      distSpecVersion: "1.1.1",
      goVersion: "",
      commit: "",
      releaseTag: "",
      binaryType: "",
      storage: {
        rootDirectory: join(home.path, ".local/share/zot"),
        dedupe: true,
        commit: true,
        shared: false,
        storageDriver: null,
        redirectBlobURL: false,
        redirectExcept: [],
        removalDelay: 24 * 3_600_000,
        auditInterval: 168 * 3_600_000,
        exportInterval: 24 * 3_600_000,
        exportsKept: 7,
        uploadIdle: 24 * 3_600_000,
        metadata: { url: null, passwordFile: null, ca: null, schema: null, connections: 8 },
        sparseIndexes: [],
        subPaths: {},
        gc: true,
        gcDelay: 3_600_000,
        gcInterval: 3_600_000,
        gcTimeWindow: "",
        fastRestart: false,
        undo: { window: 24 * 3_600_000, pin: 168 * 3_600_000, maxBytes: 0 },
        history: { keep: 8_760 * 3_600_000 },
        minFree: { part: 0.05 },
        maxRepos: 0,
        quotas: [],
        retention: { dryRun: false, delay: null, policies: [] },
      },
      http: {
        address: "127.0.0.1",
        port: 8080,
        workers: Math.min(4, availableParallelism()),
        allowOrigin: "auto",
        realm: "",
        readTimeout: 60_000,
        writeTimeout: 60_000,
        graceTimeout: 30_000,
        externalUrl: null,
        compat: [],
        trustedProxies: [],
        blobBytesMax: 0,
        manifestBytesMax: 4 * 1024 * 1024,
        connectionsMax: 0,
        ratelimit: { rate: 0, methods: [], perCaller: 0 },
        tls: { cert: null, key: null, cacert: null },
        auth: expect.objectContaining({
          failDelay: 0,
          apikey: false,
          htpasswd: { path: null },
          token: { enable: true, lifetime: 300_000 },
        }),
        accessControl: {
          repositories: {},
          adminPolicy: { users: [], groups: [], actions: [], conditions: [] },
          groups: {},
          metrics: { users: [], anonymousPolicy: [] },
        },
      },
      log: { level: "info", output: null, audit: null },
      extensions: {
        lint: { enable: false, mandatoryAnnotations: [], mode: "enforce", kinds: [] },
        metrics: { enable: false, prometheus: { path: "/metrics" }, repositoriesMax: 100 },
        scrub: { enable: false, interval: 86_400_000 },
        search: { enable: false },
        sync: {
          enable: false,
          mirrors: [],
          registries: [],
          credentialsFile: null,
          downloadDir: null,
          minFree: 5,
          queueMax: 256,
          redirectsMax: 5,
          manifestBytesMax: 4 * 1024 * 1024,
        },
        ui: { enable: false },
      },
    } as never);
    const written = new Set<string>();
    expect(checkConfig({}, { HOME: home.path })).toEqual({ config, written, warnings: [] });
  });

  test("a configuration cannot be changed", () => {
    const config = configOf(checkConfig({}));
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.http.compat, { 0: "x" })).toThrow(TypeError);
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("a relative root directory is relative to the working directory", () => {
    expect(checkConfig({ storage: { rootDirectory: "data" } })).toMatchObject({
      config: { storage: { rootDirectory: resolve("data") } },
    });
  });

  test("without a home, a directory that may not last, and a warning", () => {
    const loaded = checkConfig({}, { HOME: "/dev/null" });
    expect(loaded).toHaveProperty("warnings", [
      expect.stringMatching(
        /^storage\.rootDirectory: there is no home directory to write to, so images go to \/.*zot-\d+/,
      ),
    ]);
  });
});

describe("warnings", () => {
  const root = { rootDirectory: "/data" };
  test.each([
    [{ storage: root }, []],
    [
      { distSpecVersion: "1.0.1", storage: root },
      ["distSpecVersion: expected 1.1.1, got 1.0.1; 1.1.1 is served"],
    ],
    [
      { storage: root, http: { trustedProxies: ["127.0.0.1"] } },
      [expect.stringMatching(/^http\.externalUrl: expected the URL that clients use.*got none/)],
    ],
    [
      { storage: { ...root, commit: false } },
      ["storage.commit: with false an acknowledged push may be lost when the machine stops"],
    ],
    [
      { storage: { ...root, gc: false, GCdelay: "1h" } },
      ["storage.gcDelay: has no effect while storage.gc is false"],
    ],
  ])("%j", (value, warnings) => {
    expect(checkConfig(value, {})).toMatchObject({
      config: { distSpecVersion: "1.1.1" },
      warnings,
    });
  });
});
