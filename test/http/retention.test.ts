// Retention on a server: tags go by rules, labels and signatures are honoured, and fixed tags are neither moved nor removed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../processes.ts";
import { config, content, descriptor, image, layer, type ManifestContent } from "./content.ts";
import { testRows } from "./row.ts";
import { retentionRows } from "./rows/retention.ts";
import { startWorld, type World } from "./world.ts";

const policies = [
  { repositories: ["rules/**"], keepTags: [{ patterns: ["^v"] }] },
  { repositories: ["labels/**"], expiresByLabel: true },
  {
    repositories: ["fixed/**"],
    keepTags: [{ patterns: ["^none$"] }],
    immutableTags: ["v*"],
    protect: [{ tags: ["prod"], reason: "in production" }],
  },
];
const collected = { gcInterval: "1s", gcDelay: "1s" };
let world: World;

beforeAll(async () => {
  world = await startWorld({ storage: { ...collected, retention: { policies } } });
});
afterAll(() => world[Symbol.asyncDispose]());

async function push(
  at: World,
  repository: string,
  reference: string,
  manifest: ManifestContent,
  blobs = [config, layer],
): Promise<number> {
  for (;;) {
    for (const { bytes: body, digest } of blobs) {
      await at.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body });
    }
    const { status, body } = await at.send("PUT", `/v2/${repository}/manifests/${reference}`, {
      body: manifest.bytes,
      headers: { "content-type": manifest.mediaType },
    });
    // What nothing names goes after a second here, which on a slow machine is before the manifest comes.
    if (!Buffer.from(body).includes("MANIFEST_BLOB_UNKNOWN")) return status;
  }
}

async function tagsOf(at: World, repository: string): Promise<string[]> {
  const { body } = await at.send("GET", `/v2/${repository}/tags/list`);
  const { tags = [] }: { tags?: string[] } = JSON.parse(Buffer.from(body).toString());
  return tags;
}

async function settles(at: World, repository: string, tags: readonly string[]): Promise<void> {
  await eventually(`${repository} has the tags ${tags.join(", ")}`, async () =>
    Bun.deepEquals(await tagsOf(at, repository), tags),
  );
}

const one = image({ annotations: { name: "one" } });
const two = image({ annotations: { name: "two" } });

testRows("without rules", retentionRows);

describe("rules", () => {
  test("a tag that no entry fits goes, and the log says why", async () => {
    await push(world, "rules/app", "v1", one);
    await push(world, "rules/app", "dev", two);
    await settles(world, "rules/app", ["v1"]);
    const said = (line: Readonly<Record<string, unknown>>) =>
      eventually(`the log says that ${String(line["tag"])} is looked at`, () =>
        world.lines.find((found) =>
          Object.entries(line).every(([key, value]) => found[key] === value),
        ),
      );
    const applied = { msg: "applied policy", repository: "rules/app" };
    await said({
      ...applied,
      tag: "dev",
      digest: two.digest,
      decision: "delete",
      reason: "didn't meet any tag 'patterns' rules",
      "dry-run": false,
    });
    await said({
      ...applied,
      tag: "v1",
      decision: "keep",
      reason: "retained by patterns policy",
    });
  });

  test("what was removed last is told with when, and how much", async () => {
    await push(world, "rules/counted", "v1", one);
    await push(world, "rules/counted", "dev", two);
    const before = Date.now();
    const said = await eventually("collection tells what it removed", async () => {
      const { body } = await world.send("GET", "/v2/_zot/gc");
      const { last }: { last: { at: string; manifests: number; sizeBytes: number } | null } =
        JSON.parse(Buffer.from(body).toString());
      return last !== null && Date.parse(last.at) >= before && last.manifests > 0 ? last : null;
    });
    expect(said.sizeBytes).toBeGreaterThan(0);
  });

  test("a signature of an image stays as long as the image, whatever patterns say", async () => {
    const signature = `${one.digest.replace(":", "-")}.sig`;
    await push(world, "rules/signed", "v1", one);
    await push(world, "rules/signed", signature, two);
    await push(world, "rules/signed", "dev", two);
    await settles(world, "rules/signed", [signature, "v1"]);
  });

  test("no policy, and every tag stays", async () => {
    await push(world, "other/app", "dev", one);
    await push(world, "rules/later", "dev", one);
    await settles(world, "rules/later", []);
    expect(await tagsOf(world, "other/app")).toEqual(["dev"]);
  });
});

describe("a label says how long tags last", () => {
  test("as an annotation of the manifest", async () => {
    const brief = image({ annotations: { "zot.expires-after": "1s" } });
    const long = image({ annotations: { "zot.expires-after": "30d" } });
    await push(world, "labels/annotated", "brief", brief);
    await push(world, "labels/annotated", "long", long);
    await settles(world, "labels/annotated", ["long"]);
  });

  test("as a label of the image's configuration", async () => {
    const labelled = content(JSON.stringify({ config: { Labels: { "zot.expires-after": "1s" } } }));
    const type = "application/vnd.oci.image.config.v1+json";
    const brief = image({ config: descriptor(labelled, type) });
    await push(world, "labels/configured", "brief", brief, [labelled, layer]);
    await push(world, "labels/configured", "plain", one);
    await settles(world, "labels/configured", ["plain"]);
  });

  test("one that is no duration is told of, and the tag stays", async () => {
    const odd = image({ annotations: { "zot.expires-after": "soon" } });
    expect(await push(world, "labels/odd", "odd", odd)).toBe(201);
    expect(world.lines).toContainEqual(
      expect.objectContaining({ level: 40, repository: "labels/odd", got: "soon" }),
    );
  });
});

describe("fixed tags", () => {
  const at = "fixed/app";
  const tag = (name: string): string => `/v2/${at}/manifests/${name}`;

  async function refused(method: string, target: string, body?: ManifestContent) {
    const answer = await world.send(method, target, {
      body: body?.bytes,
      headers: body === undefined ? {} : { "content-type": body.mediaType },
    });
    const { errors }: { errors: { code: string; message: string }[] } = JSON.parse(
      Buffer.from(answer.body).toString(),
    );
    return { status: answer.status, code: errors[0]?.code, message: errors[0]?.message };
  }

  beforeAll(async () => {
    await push(world, at, "v1", one);
    await push(world, at, "prod", two);
    await push(world, at, "loose", two);
  });

  test("retention removes neither an immutable nor a protected tag", async () => {
    await settles(world, at, ["prod", "v1"]);
  });

  test("an immutable tag is not moved; the same image may be pushed again", async () => {
    expect(await refused("PUT", tag("v1"), two)).toEqual({
      status: 403,
      code: "DENIED",
      message: `The tag v1 is immutable here and points at ${one.digest}; push another tag`,
    });
    expect(await push(world, at, "v1", one)).toBe(201);
    expect(await push(world, at, "v2", two)).toBe(201);
  });

  test("it is not deleted, alone or with its manifest", async () => {
    const denied = { status: 403, code: "DENIED" };
    expect(await refused("DELETE", tag("v1"))).toMatchObject(denied);
    expect(await refused("DELETE", tag(one.digest))).toMatchObject(denied);
    expect(await refused("DELETE", tag("prod"))).toEqual({
      ...denied,
      message: "The tag prod cannot be removed: protected: in production",
    });
    expect((await world.send("DELETE", tag("v9"))).status).toBe(404);
  });

  test("a protected tag may be moved", async () => {
    expect(await push(world, at, "prod", one)).toBe(201);
  });
});

test("a dry run logs what would go, and nothing goes", async () => {
  await using dry = await startWorld({
    storage: { ...collected, retention: { dryRun: true, policies } },
  });
  await push(dry, "rules/app", "dev", one);
  await eventually("the dry run has looked", () =>
    dry.lines.some(
      ({ msg, tag, decision, "dry-run": isDry }) =>
        msg === "applied policy" && tag === "dev" && decision === "delete" && isDry === true,
    ),
  );
  expect(await tagsOf(dry, "rules/app")).toEqual(["dev"]);
});

describe("asked before it happens", () => {
  // Nothing is collected, and nothing waits: what the plan lists is due.
  const planned = { gc: false, gcDelay: "1ms", retention: { delay: "0s", policies } };
  let asked: World;

  beforeAll(async () => {
    asked = await startWorld({ storage: planned });
  });
  afterAll(() => asked[Symbol.asyncDispose]());

  async function json(method: string, target: string, body?: unknown): Promise<never> {
    const { body: bytes } = await asked.send(method, target, {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
    return JSON.parse(Buffer.from(bytes).toString()) as never;
  }

  async function plan(): Promise<Record<string, unknown>[]> {
    const { body } = await asked.send("GET", "/v2/_zot/gc/plan");
    const lines = Buffer.from(body).toString().trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  const own = image({ annotations: { name: "own" } });

  test("explain tells the entry, the rules with their values, and the last pull", async () => {
    await push(asked, "rules/told", "v1", one);
    await push(asked, "rules/told", "dev", two);
    await asked.send("GET", "/v2/rules/told/manifests/v1");
    await asked.restart();
    const { policy, tags }: { policy: number; tags: Record<string, unknown>[] } = await json(
      "GET",
      "/v2/rules/told/_zot/retention",
    );
    expect(policy).toBe(0);
    expect(tags).toEqual([
      expect.objectContaining({ tag: "dev", decision: "delete", entry: null, pulledAt: null }),
      expect.objectContaining({ tag: "v1", decision: "keep", entry: 0 }),
    ]);
    expect(tags[1]!["pulledAt"]).toBeString();
  });

  test("the plan has a line for each removal with what it frees, and applying it skips what changed", async () => {
    const blob = content("a layer of its own");
    const withBlob = image({
      layers: [descriptor(blob, "application/vnd.oci.image.layer.v1.tar")],
      annotations: { name: "with a layer of its own" },
    });
    await push(asked, "rules/planned", "v1", one);
    await push(asked, "rules/planned", "dev", withBlob, [config, blob]);
    await push(asked, "rules/planned", "again", withBlob, [config, blob]);
    await push(asked, "rules/planned", "moved", own);
    const all = await plan();
    const lines = all.filter(({ repository }) => repository === "rules/planned");
    const reason = "didn't meet any tag 'patterns' rules";
    const base = { kind: "tag", repository: "rules/planned", reason };
    const freed = withBlob.bytes.length + blob.bytes.length;
    expect(lines).toEqual([
      { ...base, tag: "again", digest: withBlob.digest, bytesFreed: 0 },
      { ...base, tag: "dev", digest: withBlob.digest, bytesFreed: freed },
      { ...base, tag: "moved", digest: own.digest, bytesFreed: own.bytes.length },
    ]);
    expect(all.at(-1)).toMatchObject({ kind: "totals", isCutOff: false });
    await push(asked, "rules/planned", "moved", two);
    expect(await json("POST", "/v2/_zot/gc/apply", { lines })).toEqual({
      removed: 2,
      skipped: [
        {
          kind: "tag",
          repository: "rules/planned",
          tag: "moved",
          digest: own.digest,
          reason: `the tag points at ${two.digest} now`,
        },
      ],
    } as never);
    expect(await tagsOf(asked, "rules/planned")).toEqual(["moved", "v1"]);
  });

  test("manifests and blobs that nothing names are in it, and go when it is applied", async () => {
    const at = "other/loose";
    const unnamed = content("a blob that no manifest names");
    await push(asked, at, own.digest, own, [config, layer, unnamed]);
    const isHere = ({ repository }: Record<string, unknown>) => repository === at;
    await eventually("both are due", async () => (await plan()).filter(isHere).length === 2);
    const lines = (await plan()).filter(isHere);
    expect(await json("GET", `/v2/${at}/_zot/untagged`)).toMatchObject({
      manifests: [
        {
          digest: own.digest,
          decision: "delete",
          reason: "didn't meet any untagged retention rule",
          until: null,
        },
      ],
    });
    expect(lines).toEqual([
      expect.objectContaining({ kind: "manifest", digest: own.digest }),
      expect.objectContaining({ kind: "blob", digest: unnamed.digest }),
    ]);
    // Pushed again, it waits from then on.
    await asked.send("POST", `/v2/${at}/blobs/uploads/?digest=${unnamed.digest}`, {
      body: unnamed.bytes,
    });
    const applied: { removed: number; skipped: { reason: string }[] } = await json(
      "POST",
      "/v2/_zot/gc/apply",
      { lines },
    );
    expect(applied.removed).toBe(1);
    expect(applied.skipped.map(({ reason }) => reason)).toEqual(["something named it meanwhile"]);
    expect((await asked.send("GET", `/v2/${at}/manifests/${own.digest}`)).status).toBe(404);
  });
});
