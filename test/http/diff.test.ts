// What differs between two images, asked of a server that runs: at once without files, and with files in a while; who may
// ask; what bad layers and wrong questions get.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { eventually, startZot, type Zot } from "../harness.ts";
import { inspectedImages, placeImages, tarOf } from "../inspected_images.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { emptyIndexPush } from "./content.ts";
import { diffRows } from "./rows/diff.ts";
import { testRows } from "./row.ts";

const testMs = 120_000;
const { ociImage } = mediaTypes;
const emptyConfig = { digest: digestOf("sha256", Buffer.from("{}")), size: 2 };
testRows("what differs between images", diffRows);

let zot: Zot;

beforeAll(async () => {
  const may = { anonymousPolicy: ["read", "create", "update", "delete"] };
  const repositories = { "**": may, "shut/**": { anonymousPolicy: ["create"] } };
  zot = await startZot({ config: { http: { accessControl: { repositories } } } });
  const images = inspectedImages();
  const layer = (content: string | Uint8Array) =>
    images.blobOf(content, "application/vnd.oci.image.layer.v1.tar+gzip");
  const config = images.blobOf("{}", "application/vnd.oci.image.config.v1+json");
  images.manifestOf({ config, layers: [layer("no tar at all")] }, undefined, "text");
  const zeros = new Uint8Array(100 * 1024 * 1024);
  const bomb = gzipSync(Buffer.concat([tarOf([{ name: "a" }]).subarray(0, 512), zeros]));
  images.manifestOf({ config, layers: [layer(bomb)] }, undefined, "zeros");
  await placeImages(images, `${zot.url}/team/app`);
  await placeImages(images, `${zot.url}/other/app`);
  const { headers, body } = emptyIndexPush();
  await fetch(`${zot.url}/v2/shut/app/manifests/1`, { method: "PUT", headers, body });
}, testMs);
afterAll(() => zot[Symbol.asyncDispose]());

const ask = (query: string, name = "team/app"): Promise<Response> =>
  fetch(`${zot.url}/v2/${name}/_zot/diff?${query}`);

/** The answer, once its files are there. */
async function withFiles(query: string): Promise<{ files: object }> {
  return eventually("the files are compared", async () => {
    const answer = await ask(`${query}&files=true`);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { files: { state: string } };
    const isPending = body.files.state === "pending";
    expect(answer.headers.get("retry-after")).toBe(isPending ? "1" : null);
    return isPending ? null : body;
  });
}

test("config, layers, sizes and packages, at once", async () => {
  const answer = await ask("a=1.0&b=1.10");
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    a: { name: "team/app", reference: "1.0", kind: "image", platform: "linux/amd64" },
    b: { name: "team/app", reference: "1.10" },
    isSame: false,
    platforms: null,
    config: [
      { path: "config.Env.VERSION", before: "1.0", after: "1.10" },
      { path: "config.User", before: null, after: "app" },
    ],
    annotations: [],
    layers: [{ in: "both" }, { in: "b", from: "COPY part1 /" }],
    packages: { changed: [{ name: "busybox", before: "1.36", after: "1.37" }] },
    files: null,
  });
});

test(
  "files, in a while; and the same comparison again, of another repository, at once",
  async () => {
    const { files } = await withFiles("a=1.0&b=1.10");
    expect(files).toMatchObject({
      state: "done",
      added: [{ path: "etc/new.conf" }, { path: "var/cache/c" }],
      removed: [{ path: "etc/old.conf" }, { path: "var/cache/a" }, { path: "var/cache/b" }],
      changed: [{ path: "bin/app", what: ["content"] }],
      counts: { added: 2, removed: 3, changed: 1, same: 2 },
      isCutOff: false,
    });
    const again = await ask("a=1.0&b=other/app:1.10&files=true");
    expect(await again.json()).toMatchObject({ b: { name: "other/app" }, files });
  },
  testMs,
);

test(
  "a layer that lies elsewhere does not tell of another repository's files",
  async () => {
    await withFiles("a=1.0&b=1.10");
    const { layers } = (await (await fetch(`${zot.url}/v2/team/app/manifests/1.10`)).json()) as {
      layers: { mediaType: string; urls?: string[] }[];
    };
    for (const layer of layers) {
      layer.mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
      layer.urls = ["https://elsewhere.example/layer"];
    }
    // What it must have it has.
    const config = { mediaType: mediaTypes.ociConfig, ...emptyConfig };
    await fetch(`${zot.url}/v2/spy/far/blobs/uploads/?digest=${config.digest}`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/octet-stream" },
    });
    for (const [tag, named] of [
      ["far", layers],
      ["none", []],
    ] as const) {
      const body = { schemaVersion: 2, mediaType: ociImage, config, layers: named };
      const pushed = await fetch(`${zot.url}/v2/spy/far/manifests/${tag}`, {
        method: "PUT",
        headers: { "content-type": ociImage },
        body: JSON.stringify(body),
      });
      expect([tag, pushed.status]).toEqual([tag, 201]);
    }
    const answer = await eventually("it is answered", async () => {
      const told = await ask("a=none&b=far&files=true", "spy/far");
      const { files } = (await told.json()) as { files: { state: string; problem?: string } };
      return files.state === "pending" ? null : files;
    });
    expect(answer).toEqual({
      state: "failed",
      problem: expect.stringMatching(/^layer sha256:[0-9a-f]{64}: it is not here$/),
    });
  },
  testMs,
);

test("an index, by platform", async () => {
  const arm = await ask("a=multi&b=multi&platform=linux/arm64");
  expect(await arm.json()).toMatchObject({
    isSame: true,
    a: { platform: "linux/arm64/v8" },
    platforms: { same: ["linux/amd64", "linux/arm64/v8"], changed: [] },
  });
});

test("two moments", async () => {
  const before = new Date().toISOString().toLowerCase().replaceAll(":", ".");
  const to = `${zot.url}/v2/team/app/manifests`;
  const manifest = await fetch(`${to}/1.10`);
  const headers = { "content-type": manifest.headers.get("content-type") ?? "" };
  await fetch(`${to}/1.9`, { method: "PUT", headers, body: await manifest.arrayBuffer() });
  const told = { a: { name: `at.${before}/team/app` }, config: [{ after: "1.10" }, {}] };
  expect(await (await ask("a=1.9&b=team/app:1.9", `at.${before}/team/app`)).json()).toMatchObject(
    told,
  );
  const turned = await ask(`a=1.9&b=at.${before}/team/app:1.9`);
  expect(await turned.json()).toMatchObject({ config: [{ before: "1.10" }, {}] });
});

test(
  "a layer that is no tar is named, and a tar of nothing but zeros has its files",
  async () => {
    const { files } = await withFiles("a=1.0&b=text");
    expect(files).toEqual({
      state: "failed",
      problem: expect.stringMatching(/^layer sha256:[0-9a-f]{64}: it is no tar archive/),
    });
    expect((await withFiles("a=1.0&b=zeros")).files).toMatchObject({
      state: "done",
      counts: { added: 1 },
    });
  },
  testMs,
);

const questions: readonly (readonly [query: string, status: number, says: string])[] = [
  ["b=1.0", 400, "Expected a=<tag or digest>, got nothing"],
  ["a=1.0", 400, "Expected b=<tag or digest>, got nothing"],
  ["a=1.0&b=%21", 400, 'Expected b=<tag or digest>, got "!"'],
  ["a=1.0&b=Team:1.0", 400, 'Expected b=<tag, digest, name:tag or name@digest>, got "Team:1.0"'],
  ["a=1.0&b=1.10&files=maybe", 400, 'Expected files=true or false, got "maybe"'],
  [
    "a=1.0&b=1.10&platform=linux",
    400,
    'Expected platform=<os/architecture[/variant]>, got "linux"',
  ],
  [
    "a=multi&b=1.0&platform=linux/s390x",
    400,
    "team/app: expected an image for linux/s390x; there are linux/amd64, linux/arm64/v8",
  ],
  ["a=1.0&b=none", 404, ""],
  ["a=1.0&b=no/such:1.0", 404, ""],
];
test.each([...questions])("%s: %d", async (query, status, says) => {
  const answer = await ask(query);
  expect(answer.status).toBe(status);
  const { errors } = (await answer.json()) as { errors: { message: string }[] };
  if (says !== "") expect(errors[0]?.message).toBe(says);
});

test(
  "a caller has a few comparisons waiting, and no more",
  async () => {
    const tags = ["1.0", "1.10", "chart", "text", "zeros"];
    const pairs = tags.flatMap((a) =>
      tags.filter((b) => a < b).map((b) => `a=${a}&b=other/app:${b}`),
    );
    const answers = await Promise.all(pairs.map((pair) => ask(`${pair}&files=true`)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get("retry-after")).toBe("5");
    for (const pair of pairs.slice(0, 2)) await withFiles(pair);
  },
  testMs,
);

test("who may not read one of them learns nothing, whether it is there or not", async () => {
  const answers = await Promise.all(
    ["shut/app:1", "shut/none:1"].map(async (b) => {
      const answer = await ask(`a=1.0&b=${b}&files=true`);
      return [answer.status, await answer.json()];
    }),
  );
  expect(answers[0]).toEqual(answers[1] as never);
  expect(answers[0]?.[0]).toBe(403);
  expect((await ask("a=1&b=team/app:1.0", "shut/app")).status).toBeOneOf([401, 403]);
});
