// `zot retention explain`, `zot why`, `zot gc plan` and `zot gc apply` against a server, as a person types them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { testedProgram, run, startZot, tempDirectory, type Zot } from "./harness.ts";
import { config, image, layer, type ManifestContent } from "./http/content.ts";
import type { TempDirectory } from "./temp.ts";

const program = await testedProgram();
const stable = image({ annotations: { name: "stable" } });
const branch = image({ annotations: { name: "branch" } });
let directory: TempDirectory;
let zot: Zot;

beforeAll(async () => {
  directory = await tempDirectory();
  const policies = [
    {
      repositories: ["team/**"],
      keepTags: [{ patterns: ["^v"], mostRecentlyPushedCount: 3, pushedWithin: "720h" }],
    },
  ];
  // Nothing goes by itself.
  zot = await startZot({ config: { storage: { gc: false, retention: { policies } } } });
  await push("v1", stable);
  await push("dev", branch);
});
afterAll(async () => {
  await zot[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function push(tag: string, { bytes, mediaType }: ManifestContent): Promise<void> {
  for (const { bytes: body, digest } of [config, layer]) {
    const target = `${zot.url}/v2/team/app/blobs/uploads/?digest=${digest}`;
    expect((await fetch(target, { method: "POST", body })).status).toBe(201);
  }
  const headers = { "content-type": mediaType };
  const target = `${zot.url}/v2/team/app/manifests/${tag}`;
  expect((await fetch(target, { method: "PUT", body: bytes, headers })).status).toBe(201);
}

async function typed(...args: string[]) {
  const env = { ...process.env, ZOT_SERVER: zot.url };
  return await run(program, args, { cwd: directory.path, env });
}

describe("zot retention explain", () => {
  test("of a repository: a line for each tag", async () => {
    const { code, stdout, stderr } = await typed("retention", "explain", "team/app");
    expect([code, stderr]).toEqual([0, ""]);
    const [policy, head, dev, v1] = stdout.split("\n");
    expect(policy).toBe("storage.retention.policies[0]");
    expect(head).toMatch(/^TAG +DECISION +REASON +PUSHED +PULLED +UNTIL$/);
    expect(dev).toMatch(/^dev +delete +didn't meet any tag 'patterns' rules +\d{4}-\S+Z +never$/);
    expect(v1).toMatch(/^v1 +keep +retained by mostRecentlyPushedCount:3 policy /);
  });

  test("of a tag: its entry and every rule with its value", async () => {
    const { stdout } = await typed("retention", "explain", `${zot.host}/team/app:v1`);
    for (const line of [
      /^tag +v1$/m,
      /^entry +keepTags\[0\]$/m,
      /^rule +mostRecentlyPushedCount:3 holds$/m,
      /^rule +pushedWithin:720h holds$/m,
      /^decision +keep$/m,
      /^decided by +rules \(of protect, pin, /m,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  test("as JSON", async () => {
    const { stdout } = await typed("retention", "explain", "team/app:dev", "-f", "json");
    expect(JSON.parse(stdout)).toMatchObject({ policy: 0, tags: [{ decision: "delete" }] });
  });

  test.each([
    [["retention", "list", "team/app"], 2, "zot: expected explain, got 'list'\n"],
    [["retention", "explain", "team/app", "-f", "xml"], 2, "expected --format text or json"],
    [["retention", "explain", "team/app:v9"], 1, "(MANIFEST_UNKNOWN)"],
    [["retention", "explain", "other/app"], 1, "(NAME_UNKNOWN)"],
  ])("%p ends with %d", async (args, status, says) => {
    const { code, stderr } = await typed(...args);
    expect([code, stderr]).toEqual([status, expect.stringContaining(says)]);
  });
});

test("zot why tells every way down to a layer, and what has none", async () => {
  const { stdout } = await typed("why", `team/app@${layer.digest}`);
  expect(stdout.split("\n")).toEqual([
    `blob ${layer.digest}`,
    ...[
      { tag: "v1", digest: stable.digest },
      { tag: "dev", digest: branch.digest },
    ]
      .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
      .map(({ tag, digest }) => `  tag ${tag} > manifest ${digest} > blob ${layer.digest}`),
    "",
  ]);
});

test("a plan is looked at, written, and carried out as far as it holds", async () => {
  const shown = await typed("gc", "plan");
  expect(shown.stdout).toMatch(
    /^KIND +NAME +FREES +REASON\ntag +team\/app:dev +\d+ B +didn't meet any tag 'patterns' rules\n$/,
  );
  expect(shown.stderr).toMatch(/^1 tags, 0 manifests, 0 blobs, \d+ B\n$/);
  await typed("gc", "plan", "-o", "plan.jsonl");
  const file = join(directory.path, "plan.jsonl");
  const plan = await readFile(file, "utf8");
  expect(plan.split("\n")).toHaveLength(3);
  await writeFile(file, plan.replace('"tag":"dev"', '"tag":"v1"') + plan);
  const { code, stdout } = await typed("gc", "apply", "plan.jsonl");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^SKIPPED +REASON\nteam\/app:v1 +the tag points at \S+ now\n1 removed, 1 skipped\n$/,
  );
  expect((await typed("gc", "plan")).stdout).toBe("KIND  NAME  FREES  REASON\n");
});

test("what is no plan is a mistake", async () => {
  await writeFile(join(directory.path, "other.txt"), "{}\n");
  for (const [args, says] of [
    [["gc", "apply"], "expected the file of a plan, got none"],
    [["gc", "apply", "none.jsonl"], "expected the file of a plan, got 'none.jsonl'"],
    [["gc", "apply", "other.txt"], "expected a plan as zot gc plan writes it, got another line 1"],
    [["gc", "sweep"], "expected plan or apply, got 'sweep'"],
  ] as const) {
    const { code, stderr } = await typed(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
  }
});

test("zot verify warns of patterns that fit more of the tags that are there than they seem to", async () => {
  await push("10.0.15", stable);
  const policies = [{ repositories: ["team/**"], keepTags: [{ patterns: ["0.0.1"] }] }];
  const file = join(directory.path, "loose.json");
  const storage = { rootDirectory: zot.rootDirectory, retention: { policies } };
  await writeFile(file, JSON.stringify({ storage }));
  const { code, stderr } = await typed("verify", file);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^warning: storage\.retention\.policies\[0\]\.keepTags\[0\]\.patterns: .* fit 1 tags .* team\/app:10\.0\.15; /m,
  );
});

test("zot verify warns of quotas and policies that are about no repository that is there", async () => {
  const file = join(directory.path, "unmet.json");
  const policies = ["team/**", "taem/**"].map((glob) => ({ repositories: [glob] }));
  const quotas = [
    { prefix: "team", tags: 9 },
    { prefix: "teams/", tags: 9 },
    { repositories: ["*"], tags: 9 },
  ];
  const storage = { rootDirectory: zot.rootDirectory, retention: { policies }, quotas };
  await writeFile(file, JSON.stringify({ storage }));
  const { code, stderr } = await typed("verify", file);
  expect(code).toBe(0);
  const none = "none of the 1 repositories that are there fits it";
  expect(stderr.split("\n").filter((line) => line.endsWith(none))).toEqual([
    `warning: storage.quotas[1]: ${none}`,
    `warning: storage.quotas[2]: ${none}`,
    `warning: storage.retention.policies[1]: ${none}`,
  ]);
});
