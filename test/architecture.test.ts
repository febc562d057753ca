// The house rules over this repository, and over sources that break each of them.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname, join } from "node:path";
import {
  banViolations,
  bans,
  dependencyViolations,
  headerViolations,
  importsOf,
  layerViolations,
  layers,
  lengthViolations,
  placeViolations,
  shortLimits,
  type Source,
  staleExceptions,
  stateViolations,
  withoutComments,
} from "./architecture.ts";
import { importCircles, loadedPackages, usedByTestsAlone } from "./program.ts";

const root = join(import.meta.dir, "..");
const source = (path: string): Source => ({ path, text: readFileSync(join(root, path), "utf8") });
const files = (pattern: string): Source[] =>
  [...new Bun.Glob(pattern).scanSync({ cwd: root, dot: true })].sort().map(source);

const code = files("{src,test,scripts,bench}/**/*.{ts,tsx}");
/** What tests are handed in place of what the program has. */
const forTests = [
  // For programs that embed it.
  "src/create_registry.ts: createRegistry",
  "src/server.ts: startServer",
  "src/lib/clock.ts: manualClock",
  // A store of objects for tests.
  "src/storage/objects/memory_objects.ts: MemoryObjects",
];
const planted = (path: string, text: string): Source[] => [{ path, text }];

describe("layers", () => {
  test("every import goes where it may", () => {
    expect(layerViolations(code)).toEqual([]);
  });

  test("every folder of src is a layer, and every layer a folder or file of src", () => {
    const found = new Set(
      code
        .filter(({ path }) => path.startsWith("src/"))
        .map(({ path }) => path.split("/")[1] ?? ""),
    );
    expect([...found].sort()).toEqual(Object.keys(layers).sort());
  });

  test("no two layers import each other", () => {
    for (const [name, { may }] of Object.entries(layers)) {
      for (const other of may)
        expect(layers[other]?.may ?? [], `${name} and ${other}`).not.toContain(name);
    }
  });

  const broken: readonly (readonly [path: string, text: string])[] = [
    ["src/lib/x.ts", 'import { a } from "../oci/digest.ts";'],
    ["src/http/x.ts", 'import { a } from "../storage/blob_store.ts";'],
    ["src/http/x.ts", 'import type { A } from "../registry/registry.ts";'],
    ["src/http/x.ts", 'import { type A } from "../registry/registry.ts";'],
    ["src/http/x.ts", 'export { a } from "../api/blobs.ts";'],
    ["src/http/x.ts", 'export * from "../api/blobs.ts";'],
    ["src/http/x.ts", 'const a = await import("../api/blobs.ts");'],
    ["src/http/x.ts", 'import "../api/blobs.ts";'],
    ["src/registry/x.ts", 'import { a } from "../auth/authorize.ts";'],
    ["src/registry/x.ts", 'import { a } from "../storage/filesystem/keyed_files.ts";'],
    ["src/storage/cloud/x.ts", 'import { a } from "../filesystem/keyed_files.ts";'],
    ["src/server/x.ts", 'import { a } from "../storage/cloud/open_cloud.ts";'],
    ["src/api/x.ts", 'import { a } from "../metadata/sqlite/schema.ts";'],
    ["src/config/x.ts", 'import { a } from "../http/listen.ts";'],
    ["src/bench/x.ts", 'import { a } from "../registry/lists.ts";'],
    ["src/cli/x.ts", 'import { a } from "../http/listen.ts";'],
    ["src/server.ts", 'import { a } from "./cli/serve.ts";'],
    ["src/extensions/search/x.ts", 'import { a } from "../metrics/table.ts";'],
    ["src/extensions/search/x.ts", 'import { a } from "../metrics/metrics_extension.ts";'],
    ["src/extensions/search/x.ts", 'import { a } from "../extensions.ts";'],
    ["src/extensions/extensions.ts", 'import { a } from "./metrics/table.ts";'],
    ["src/server.ts", 'import { a } from "./extensions/metrics/table.ts";'],
    ["src/http/x.ts", 'import { a } from "../extensions/metrics/table.ts";'],
    ["src/newcomer/x.ts", 'import { a } from "../lib/assert.ts";'],
  ];

  test.each([...broken])("%s: %s is found", (path, text) => {
    expect(
      layerViolations(planted(path, `// A header.\n${text}\nexport const b = 1;`)),
    ).toHaveLength(1);
  });

  test("what is allowed is not found, nor what stands in a comment or a string", () => {
    const sources = [
      ...planted(
        "src/http/x.ts",
        '// import { a } from "../storage/blob_store.ts";\nimport "../oci/errors.ts";',
      ),
      ...planted(
        "src/http/y.ts",
        'export const s = \'import { a } from "no";\';\nimport "./reply.ts";',
      ),
      ...planted("src/config/x.ts", 'import { httpOptions } from "../http/options.ts";'),
      ...planted("src/config/y.ts", 'import { a } from "../extensions/metrics/options.ts";'),
      ...planted("src/extensions/metrics/x.ts", 'import { a } from "./table.ts";'),
      ...planted("src/cli/x.ts", 'import type { A } from "../http/listen.ts";'),
      ...planted("src/extensions/metrics/y.ts", 'import { a } from "../extension.ts";'),
      ...planted(
        "src/extensions/extensions.ts",
        'import { a } from "./metrics/metrics_extension.ts";',
      ),
      ...planted(
        "src/server/directory_root.ts",
        'import { F } from "../storage/filesystem/keyed_files.ts";',
      ),
      ...planted("src/server/cloud_root.ts", 'import { a } from "../storage/cloud/open_cloud.ts";'),
      ...planted("src/storage/cloud/x.ts", 'import { a } from "./open_cloud.ts";'),
    ];
    expect(layerViolations(sources)).toEqual([]);
  });

  test("types and values are told apart", () => {
    const [first, second] = importsOf({
      path: "src/a/x.ts",
      text: 'import { b } from "../b/b.ts";\nimport type { C } from "../c/c.ts";\nexport const d = b;',
    });
    expect([first, second]).toEqual([
      { target: "src/b/b.ts", typeOnly: false },
      { target: "src/c/c.ts", typeOnly: true },
    ]);
  });
});

describe("bans", () => {
  test("nothing stands where it is banned", () => {
    expect(banViolations(code)).toEqual([]);
  });

  test("no exception is stale", () => {
    expect(staleExceptions(code)).toEqual([]);
  });

  const broken = [
    "const s = Bun.serve({ fetch });",
    'const r = new Response("x");',
    'import { Database } from "bun:sqlite";',
    'import { SQL } from "bun";',
    'import { readFileSync } from "node:fs";',
    'import { open } from "fs/promises";',
    'await Bun.write("x", "y");',
    "const w = Bun.file(path).writer();",
    'const h = process.env["HOME"];',
    "const [a] = process.argv;",
    "process.exit(1);",
    'console.log("x");',
    "const t = Date.now();",
    "const d = new Date();",
    "setTimeout(f, 5);",
    "await Bun.sleep(5);",
    "const n = Math.random();",
    'eval("1");',
    'const f = new Function("1");',
    'import { exec } from "node:child_process";',
    "await Bun.$`ls`;",
    'import { $ } from "bun";',
    'const q = "SELECT 1 FROM t WHERE name LIKE ?1";',
    "const record = await registry.metadata.blobRecord(repository, digest);",
    "const later = 1; /* kept */ const TODO = 2;",
  ];

  test.each(broken)("%s is found", (line) => {
    const found = banViolations(planted("src/registry/x.ts", `// A header.\n${line}\n`));
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toMatch(/^src\/registry\/x\.ts:2: .* is banned here; use .{10}/);
  });

  test("every ban is tried above", () => {
    const untried = bans.filter(({ banned }) => !broken.some((line) => banned.test(line)));
    expect(untried.map(({ banned }) => String(banned))).toEqual([]);
  });

  test("a stale exception is found", () => {
    expect(staleExceptions([]).length).toBe(bans.filter(({ but }) => but.source !== "^$").length);
  });

  test("comments are passed over, strings are not", () => {
    const text = 'a; // Bun.serve\n/* console.\n log */ b("// c"); `// ${d}`; // e';
    const stripped = withoutComments(text);
    expect(stripped.split("\n").length).toBe(3);
    expect(stripped).not.toMatch(/Bun|console|log/);
    expect(stripped).toContain('b("// c"); `// ${d}`;');
    expect(stripped).not.toMatch(/e$/);
  });
});

describe("files", () => {
  test("every file opens with a comment", () => {
    expect(headerViolations(code)).toEqual([]);
  });

  test("no file is too long", () => {
    expect(lengthViolations(code)).toEqual([]);
  });

  test("a file without a header is found, and one that talks too long", () => {
    expect(headerViolations(planted("src/x.ts", "export const a = 1;\n"))).toHaveLength(1);
    expect(headerViolations(planted("src/x.ts", "// Short.\nexport const a = 1;\n"))).toHaveLength(
      1,
    );
    expect(
      headerViolations(planted("src/x.ts", "// A line of a header.\n".repeat(31))),
    ).toHaveLength(1);
    expect(
      headerViolations(
        planted(
          "src/x.ts",
          "#!/usr/bin/env bun\n/**\n * What this file holds, and what it promises.\n */\n",
        ),
      ),
    ).toEqual([]);
  });

  test("a long file is found", () => {
    expect(lengthViolations(planted("src/x.ts", "a;\n".repeat(451)))).toHaveLength(1);
    expect(lengthViolations(planted("src/x.ts", "a;\n".repeat(450)))).toEqual([]);
  });
});

describe("state of modules", () => {
  /** Of the process itself, or the same whoever asks. */
  const shared = [
    // The program's own output.
    "src/main.ts: outWritten",
    "src/main.ts: errorWritten",
    "src/lib/log.ts: openBuffers",
    // The limit of open files, which all connections of the process share.
    "src/http/listening_socket.ts: ownOpenFilesLimit",
    "src/http/connection_limit.ts: open",
    // Found once what never changes: functions of the C library, files of the package, formats of time zones.
    "src/http/listening_socket.ts: library",
    // What a call of it fills at once, and nobody else can see.
    "src/http/listening_socket.ts: peerBytes",
    "src/http/listening_socket.ts: peer",
    "src/http/listening_socket.ts: peerLength",
    "src/storage/filesystem/file_lock.ts: loaded",
    "src/storage/filesystem/file_system_flush.ts: loaded",
    "src/storage/filesystem/allocate.ts: loaded",
    "src/storage/filesystem/directory_names.ts: loaded",
    "src/storage/filesystem/file_check.ts: loaded",
    "src/api/swagger.ts: loaded",
    "src/lib/expression/moment_parts.ts: formats",
    // Goes by the policy that it is asked about, and with it.
    "src/auth/policy.ts: knownGroups",
    // A script of a page, in its text.
    "src/compliance/reports/html_style.ts: shown",
    // A page in a browser has one reader.
    "src/ui/core/http.ts: refusals",
    "src/ui/core/live.ts: changes",
    "src/ui/core/load.ts: kept",
    "src/ui/core/router.tsx: place",
    "src/ui/core/session.ts: session",
    "src/ui/parts/toasts.tsx: toasts",
    // A thread has one owner.
    "src/storage/filesystem/hash_worker.ts: digests",
    "src/storage/filesystem/hash_worker.ts: checks",
    "src/storage/filesystem/hash_worker.ts: scheduled",
  ];

  test("nothing is shared by registries of one process but what may be", () => {
    expect(stateViolations(code, shared)).toEqual([]);
  });

  const broken = [
    "let count = 0;",
    "export let current: string | null = null;",
    "const cache = new Map();",
    "const seen = new Set<string>();",
    "const cache: Map<string, number> = new Map<string, number>();",
    "const bodies = new MemoryBudget(bytesMax);",
    "const known = new Lru<string, true>({ entriesMax });",
    "const buffer = new Uint8Array(1024);",
  ];
  test.each(broken)("%s is found", (line) => {
    expect(stateViolations(planted("src/x.ts", `// A header.\n${line}\n`), [])).toHaveLength(1);
  });

  test("a table is not, nor what a function or a class has, and a stale exception is found", () => {
    const text = `const rows = new Map([["a", 1]]);
const names: ReadonlySet<string> = new Set(list);
const none = new Uint8Array(0);
function f() {
  let count = 0;
  const seen = new Set<string>();
}
`;
    expect(stateViolations(planted("src/x.ts", text), [])).toEqual([]);
    expect(stateViolations(planted("src/x.ts", text), ["src/x.ts: gone"])).toHaveLength(1);
  });
});

describe("the program as a graph", () => {
  test("no imports go in a circle", () => {
    expect(importCircles(code)).toEqual([]);
  });

  // The library costs a process 30 ms at its start, and 8 MiB: what reads no configuration does without it.
  for (const path of ["src/cli/worker.ts", "src/cli/heavy.ts"]) {
    test(`${path} does not load the library of the configuration's types`, () => {
      const loaded = loadedPackages(code, path);
      expect(loaded.get("pino")).toEqual(["src/lib/log.ts"]);
      expect(loaded.get("zod") ?? []).toEqual([]);
    });
  }

  test("a process that the program starts itself does not load the library that reads command lines", () => {
    expect(loadedPackages(code, "src/cli/program.ts").get("commander")).toEqual([
      "src/cli/program.ts",
    ]);
    const loaded = [...loadedPackages(code, "src/main.ts").keys()];
    expect(loaded.filter((name) => !name.startsWith("node:"))).toEqual([]);
  });

  test("a package is found that is loaded through other files, and none for a type or when it is needed", () => {
    const sources = [
      ...planted("src/a/a.ts", 'import { b } from "./b.ts";\nb;\n'),
      ...planted("src/a/b.ts", 'import * as z from "zod";\nexport const b = z;\n'),
      ...planted("src/a/c.ts", 'import type { T } from "zod";\nexport type U = T;\n'),
      ...planted("src/a/d.ts", 'export const d = () => import("./b.ts");\n'),
    ];
    expect([...loadedPackages(sources, "src/a/a.ts")]).toEqual([["zod", ["src/a/b.ts"]]]);
    for (const path of ["src/a/c.ts", "src/a/d.ts"]) {
      expect([...loadedPackages(sources, path)]).toEqual([]);
    }
  });

  test("nothing is exported for tests alone", () => {
    expect(usedByTestsAlone(code, forTests)).toEqual([]);
  });

  test("circles are found, also those of types, and each once", () => {
    const sources = [
      ...planted("src/a/a.ts", 'import { b } from "./b.ts";'),
      ...planted("src/a/b.ts", 'import type { C } from "./c.ts";'),
      ...planted("src/a/c.ts", 'export { a } from "./a.ts";'),
      ...planted("src/a/d.ts", 'import "./a.ts";'),
    ];
    const circle = ["src/a/a.ts", "src/a/b.ts", "src/a/c.ts", "src/a/a.ts"].join(" -> ");
    expect(importCircles(sources)).toEqual([circle]);
    expect(importCircles(sources.slice(1))).toEqual([]);
  });

  test("an export and a method that only a test uses are found, and an exception without a need", () => {
    const text = `export function used() {}
export const unused = 1; // unused
export class Thing {
  get size() { return 1; }
  async run(): Promise<void> {}
  #own() {}
}
`;
    const sources = [
      ...planted("src/a/a.ts", text),
      ...planted("src/a/a.test.ts", "unused; new Thing().run();"),
      ...planted("src/b/b.ts", "used(new Thing().size);"),
    ];
    expect(usedByTestsAlone(sources, [])).toEqual([
      "src/a/a.ts: unused is used by tests alone",
      "src/a/a.ts: Thing.run is used by tests alone",
    ]);
    expect(usedByTestsAlone(sources, ["src/a/a.ts: unused", "src/a/a.ts: used"])).toEqual([
      "src/a/a.ts: Thing.run is used by tests alone",
      "src/a/a.ts: used needs no exception",
    ]);
  });
});

describe("limits of tests", () => {
  test("a test ends by its condition, and one limit is for hangs", () => {
    expect(shortLimits(code)).toEqual([]);
  });

  const broken = [
    "  }, 30_000);",
    "}, 5_000);",
    "setDefaultTimeout(30_000);",
    '    await eventually("it is out", () => isOut(), 2_000);',
    "    const received = await socket.closed(5_000);",
    '    expect(await socket.closed(5_000)).toBe("");',
    "      3_000,",
    '    await run("openssl", to, { timeoutMs: 20_000 });',
  ];

  test.each(broken)("%s is found", (line) => {
    expect(shortLimits(planted("test/x.test.ts", `// A header.\n${line}\n`))).toHaveLength(1);
    expect(shortLimits(planted("src/x.ts", `// A header.\n${line}\n`))).toEqual([]);
  });

  test("a longer limit is not found, nor a timer", () => {
    const text = "  }, 120_000);\n  }, testMs);\n  }, 200);\n";
    expect(shortLimits(planted("test/x.test.ts", text))).toEqual([]);
  });
});

describe("dependencies", () => {
  const page = "docs/dependencies.md";

  test("each is pinned and has its reason on the page", () => {
    expect(dependencyViolations(source("package.json"), source(page))).toEqual([]);
  });

  test("a new one, a gone one, an empty reason and a loose version are found", () => {
    const manifest = { path: "package.json", text: '{"dependencies":{"a":"1.0.0","b":"^2.0.0"}}' };
    const rows =
      "| `b` | because it is needed here |\n| `c` | because it was needed |\n| `a` |  |\n";
    const found = (text: string): string[] => dependencyViolations(manifest, { path: page, text });
    expect(found(rows)).toEqual([
      `${page}: c is not in package.json any more`,
      `${page}: the reason for a is too short to be one`,
      "package.json: b must be pinned, and is ^2.0.0",
    ]);
    expect(found("")).toContain(`${page}: a is in package.json; say why`);
  });
});

describe("places", () => {
  const text = files("{.ci,bin,bench,docs,examples,scripts,src,test}/**/*")
    .concat(files("*.{md,json}"), files(".*.json"), files("Dockerfile"))
    .filter(({ text }) => !text.includes("\0"));
  /** Directories that every machine has tell nothing of this one. */
  const everywhere = /^\/(?:root|home|tmp)\/$/;
  /** The directory of this checkout and what is above it, the home directory, the host's name. */
  const places = [`${root}/`, `${dirname(root)}/`, `${homedir()}/`, hostname()].filter(
    (place) => place.length > 3 && place !== "localhost" && !everywhere.test(place),
  );

  test("no committed file knows this machine", () => {
    expect(text.length).toBeGreaterThan(200);
    expect(placeViolations(text, places)).toEqual([]);
  });

  test("the lock file names no host", () => {
    expect(source("package-lock.json").text).not.toContain('"resolved"');
  });

  test("a path of this machine is found", () => {
    expect(placeViolations(planted("docs/x.md", `see ${root}/src`), [`${root}/`])).toHaveLength(1);
  });
});
