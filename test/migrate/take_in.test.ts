// `zot migrate` from registries of other kinds: what Debian's docker-registry wrote, into a directory and into a bucket,
// and a bucket as zot (Go) writes it.

import { describe, expect, test } from "bun:test";
import { readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../contracts/store_samples.ts";
import { requireTool, run, startDockerRegistry, tempDirectory, type Zot } from "../harness.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { driverOf, manifestOf, sha256 } from "../objects/object_registry.ts";
import { hasVersitygw, startVersitygw } from "../objects/versitygw.ts";
import { migrate, program, serve, writeConfig } from "./moved_registry.ts";
import { fillBucket, zotBucketConfig } from "./zot_bucket.ts";

const testMs = 240_000;
const config = new TextEncoder().encode(`{"os":"linux"}`);
const shared = sample(300_000);
const large = sample(9 * 1024 * 1024);
const types = {
  oci: "application/vnd.oci.image.manifest.v1+json",
  docker: "application/vnd.docker.distribution.manifest.v2+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

type Served = Pick<Zot, "url">;

async function pushBlob({ url }: Served, repository: string, bytes: Uint8Array): Promise<void> {
  const begun = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const location = new URL(begun.headers.get("location") ?? "", url);
  location.searchParams.set("digest", sha256(bytes));
  const headers = { "content-type": "application/octet-stream" };
  const answer = await fetch(location, { method: "PUT", body: bytes, headers });
  expect(answer.status).toBe(201);
}

async function put(
  { url }: Served,
  target: string,
  { body, type }: { body: Uint8Array; type: string },
): Promise<void> {
  const headers = { "content-type": type };
  const answer = await fetch(`${url}/v2/${target}`, { method: "PUT", body, headers });
  expect(answer.status).toBe(201);
}

/** As Docker's own formats have it. */
function dockerManifest(layers: readonly Uint8Array[]): Uint8Array {
  const described = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  return new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.docker,
      config: described("application/vnd.docker.container.image.v1+json", config),
      layers: layers.map((layer) =>
        described("application/vnd.docker.image.rootfs.diff.tar.gzip", layer),
      ),
    }),
  );
}

const one = manifestOf(config, [shared]);
const two = manifestOf(config, [shared, large]);
const docker = dockerManifest([large]);
const list = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: types.list,
    manifests: [
      {
        mediaType: types.docker,
        digest: sha256(docker),
        size: docker.length,
        platform: { os: "linux", architecture: "amd64" },
      },
    ],
  }),
);

/** Tags that move, formats of Docker, a list, repositories that share layers, and a manifest without a tag. */
async function fill(registry: Served): Promise<void> {
  for (const bytes of [config, shared, large]) await pushBlob(registry, "team/app", bytes);
  for (const bytes of [config, large]) await pushBlob(registry, "team/app/sub", bytes);
  await put(registry, "team/app/manifests/1", { body: one, type: types.oci });
  await put(registry, "team/app/manifests/latest", { body: one, type: types.oci });
  await put(registry, "team/app/manifests/latest", { body: two, type: types.oci });
  await put(registry, `team/app/sub/manifests/${sha256(docker)}`, {
    body: docker,
    type: types.docker,
  });
  await put(registry, "team/app/sub/manifests/all", { body: list, type: types.list });
}

async function expectAll({ url }: Served): Promise<void> {
  const expected: readonly (readonly [string, Uint8Array, string])[] = [
    ["team/app/manifests/1", one, types.oci],
    ["team/app/manifests/latest", two, types.oci],
    ["team/app/sub/manifests/all", list, types.list],
    [`team/app/sub/manifests/${sha256(docker)}`, docker, types.docker],
  ];
  for (const [target, bytes, type] of expected) {
    const answer = await fetch(`${url}/v2/${target}`, { headers: { accept: type } });
    expect([target, answer.status, answer.headers.get("content-type")]).toEqual([
      target,
      200,
      type,
    ]);
    expect(sha256(await answer.bytes())).toBe(sha256(bytes));
  }
  for (const [repository, bytes] of [
    ["team/app", shared],
    ["team/app/sub", large],
  ] as const) {
    const blob = await fetch(`${url}/v2/${repository}/blobs/${sha256(bytes)}`);
    expect(sha256(await blob.bytes())).toBe(sha256(bytes));
  }
}

describe.skipIf(!requireTool("docker-registry"))("docker-registry", () => {
  test(
    "a directory: tags have their times, a second run brings what came since",
    async () => {
      await using directory = await tempDirectory();
      await using old = await startDockerRegistry();
      const storage = { rootDirectory: join(directory.path, "new") };
      const to = await writeConfig(directory.path, "new-config", storage);
      await fill(old);
      const link = join(
        old.rootDirectory,
        "docker/registry/v2/repositories/team/app/_manifests/tags/1/current/link",
      );
      const at = new Date("2020-02-03T04:05:06.000Z");
      await utimes(link, at, at);
      const from = `distribution:${old.configFile}`;
      const prepared = await migrate("--prepare", from, to);
      expect(prepared).toMatchObject({ code: 0, stderr: "" });
      const early = await run(program, ["serve", to]);
      expect(early.stderr + early.stdout).toContain("expected a registry that is whole");

      await put(old, "team/app/manifests/3", { body: one, type: types.oci });
      await old.stop();
      const filesNow = async (): Promise<string[]> =>
        (await readdir(old.rootDirectory, { recursive: true })).toSorted();
      const files = await filesNow();
      // The directory itself is the same place.
      const again = await migrate(`distribution:${old.rootDirectory}`, to, "--format", "json");
      expect(again).toMatchObject({ code: 0, stderr: "" });
      const report = JSON.parse(again.stdout.trim().split("\n").at(-1) ?? "") as {
        images: object;
        blobs: { sent: { count: number } };
      };
      expect(report.images).toMatchObject({ copied: 1 });
      expect(report.blobs.sent.count).toBe(0);
      expect(await filesNow()).toEqual(files);

      await using zot = await serve(storage);
      await expectAll(zot);
      const three = await fetch(`${zot.url}/v2/team/app/manifests/3`);
      expect(sha256(await three.bytes())).toBe(sha256(one));
      const history = await fetch(`${zot.url}/v2/team/app/_oci/tag-history/1`);
      expect(await history.text()).toContain("2020-02-03T04:05:06");
    },
    testMs,
  );

  test(
    "damaged content is told by its tags, and the rest goes on; repositories are chosen by globs",
    async () => {
      await using directory = await tempDirectory();
      await using old = await startDockerRegistry();
      await fill(old);
      const hex = sha256(large).slice("sha256:".length);
      const blobs = join(old.rootDirectory, "docker/registry/v2/blobs/sha256");
      await rm(join(blobs, hex.slice(0, 2), hex, "data"));
      const storage = { rootDirectory: join(directory.path, "new") };
      const to = await writeConfig(directory.path, "new-config", storage);
      const from = `distribution:${old.rootDirectory}`;
      const moved = await migrate(from, to, "--repositories", "team/app");
      expect(moved.code).toBe(3);
      expect(moved.stderr).toContain("zot migrate: team/app latest: ");
      expect(moved.stderr).toContain(sha256(large));
      expect(moved.stderr).not.toContain("team/app/sub");
      await using zot = await serve(storage);
      const tags = await fetch(`${zot.url}/v2/team/app/tags/list`);
      expect(await tags.json()).toMatchObject({ tags: ["1"] });
      expect((await fetch(`${zot.url}/v2/team/app/sub/tags/list`)).status).toBe(404);
    },
    testMs,
  );

  test.skipIf(!hasVersitygw())(
    "a bucket, into a bucket of ours",
    async () => {
      await using directory = await tempDirectory();
      await using gateway = await startVersitygw();
      const { bucket, url: regionendpoint, accessKey: accesskey, secretKey: secretkey } = gateway;
      const keys = { bucket, regionendpoint, accesskey, secretkey, secure: false };
      const s3 = { ...keys, region: "us-east-1", rootdirectory: "/old/one" };
      await using old = await startDockerRegistry({ s3 });
      await fill(old);
      const storage = {
        rootDirectory: join(directory.path, "new"),
        storageDriver: { name: "s3", ...keys, rootdirectory: "/new" },
      };
      const to = await writeConfig(directory.path, "new-config", storage);
      const moved = await migrate(`distribution:${old.configFile}`, to);
      expect(moved).toMatchObject({ code: 0, stderr: "" });
      await using zot = await serve(storage);
      await expectAll(zot);
    },
    testMs,
  );

  test("what is no such registry is refused in one line", async () => {
    await using directory = await tempDirectory();
    const to = await writeConfig(directory.path, "new-config", {
      rootDirectory: join(directory.path, "new"),
    });
    const rows: readonly (readonly [from: string, code: number, says: string])[] = [
      [`distribution:${directory.path}`, 1, "expected what docker-registry keeps below"],
      ["distribution:none.yml", 1, "expected a configuration file, and it cannot be read"],
      [`distribution:${to}`, 1, "expected storage.filesystem.rootdirectory"],
      [`zot:${to}`, 1, "a directory of zot (Go) is served as it is"],
    ];
    for (const [from, code, says] of rows) {
      const ran = await migrate(from, to);
      expect({ from, code: ran.code, stdout: ran.stdout }).toEqual({ from, code, stdout: "" });
      expect(ran.stderr).toContain(says);
    }
  });
});

test(
  "a bucket as zot (Go) writes it: what a stub stands for comes from the repository that has it",
  async () => {
    await using directory = await tempDirectory();
    await using store = await FakeS3.start();
    await using target = await FakeS3.start();
    fillBucket(store, [
      { name: "team/app", blobs: [config, shared, large], tags: { "1": one, latest: two } },
      { name: "team/beta", blobs: [config, shared], tags: { x: one } },
    ]);
    const from = await zotBucketConfig(directory.path, driverOf(store));
    const storage = {
      rootDirectory: join(directory.path, "new"),
      storageDriver: driverOf(target),
    };
    const to = await writeConfig(directory.path, "new-config", storage);
    const asked = store.asked.length;
    const moved = await migrate(`zot:${from}`, to);
    expect(moved).toMatchObject({ code: 0, stderr: "" });
    const reads = new Set(store.asked.slice(asked).map(({ operation }) => operation));
    expect([...reads].toSorted()).toEqual(["get", "head", "list"]);
    await using zot = await serve(storage);
    for (const [name, bytes] of [
      ["team/app/manifests/1", one],
      ["team/app/manifests/latest", two],
      ["team/beta/manifests/x", one],
      [`team/beta/blobs/${sha256(shared)}`, shared],
    ] as const) {
      const answer = await fetch(`${zot.url}/v2/${name}`);
      expect([name, answer.status, sha256(await answer.bytes())]).toEqual([
        name,
        200,
        sha256(bytes),
      ]);
    }
    const history = await fetch(`${zot.url}/v2/team/app/_oci/tag-history/1`);
    expect(await history.text()).toContain("2021-");
  },
  testMs,
);
