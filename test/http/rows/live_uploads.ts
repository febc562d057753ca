// Stories of uploads and pushes that overlap, break off, or outlive the server [end-4, 5, 6, 7].

import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ClientError } from "../../../src/client/client_error.ts";
import type { Exchange } from "../../../src/client/exchange.ts";
import { chunkedBody, type RequestBody } from "../../../src/client/transport.ts";
import { eventually } from "../../processes.ts";
import { type Content, config, image, layer, pattern } from "../content.ts";
import { absent, finish, holds, readable, start } from "../expected.ts";
import type { Scene, Story } from "../row.ts";
import { addedFiles, filesOf } from "../world.ts";

/** Beyond what the server takes into memory, so that its bytes are on disk as they come. */
const big = pattern(3_000_000);

/** A body that sends `first` and then waits until it is let go on. */
function gated(first: Uint8Array, rest: Uint8Array): { body: RequestBody; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const open = async function* (): AsyncGenerator<Uint8Array> {
    yield first;
    await promise;
    yield rest;
  };
  return { body: { open, lengthBytes: null }, release: resolve };
}

/** How many bytes an upload holds, by its status; null when it is gone. */
async function held(scene: Scene, at: string): Promise<number | null> {
  const { status, headers } = await scene.world.send("GET", at);
  if (status !== 204) return null;
  const last = Number(/^0-(\d+)$/.exec(headers.get("range") ?? "")?.[1]);
  return last === 0 ? 0 : last + 1;
}

/** The bytes of an open upload as they lie on disk. */
async function storedUpload(scene: Scene, at: string): Promise<Buffer> {
  const id = at.split("/").at(-1) ?? "?";
  const { rootDirectory } = scene.world;
  const path = [...filesOf(rootDirectory).keys()].find((name) => name.includes(id));
  return readFile(join(rootDirectory, path ?? "?"));
}

async function open(scene: Scene): Promise<string> {
  await scene.step(start);
  return scene.fill("{at}");
}

/** Sends a part of a body and goes away; resolves when the server has noticed. */
async function breakOff(
  scene: Scene,
  method: string,
  target: string,
  options: { body: RequestBody; headers?: Record<string, string>; afterBytes: number },
): Promise<void> {
  const { world } = scene;
  const recorded = world.records.length;
  const { body, headers = {}, afterBytes } = options;
  const sent = world.send(method, target, { body, headers, cutAfterBytes: afterBytes });
  const error = await sent.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error instanceof ClientError && error.kind).toBe("aborted");
  const record = await eventually("the server notices that the client is gone", () =>
    world.records.slice(recorded).find((line) => line.method === method),
  );
  expect(record.aborted, "the log says that nobody read the answer").toBe(true);
}

const withLength = (bytes: Uint8Array): RequestBody => ({
  // In pieces, so that a client can go away between them.
  open: () => chunkedBody(bytes, 50_000).open(),
  lengthBytes: bytes.length,
});

const overlapping: readonly Story[] = [
  {
    rule: "Two requests write to one upload: the second is refused, and the first is whole",
    source: "[end-5], design, invariant 5",
    covers: [
      ["upload.append", "UPLOAD_BUSY"],
      ["upload.finish", "UPLOAD_BUSY"],
      ["upload.cancel", "UPLOAD_BUSY"],
      ["upload.append", 202],
      ["upload.status", 204],
    ],
    async run(scene) {
      const at = await open(scene);
      const { body, release } = gated(
        big.bytes.subarray(0, 1_000_000),
        big.bytes.subarray(1_000_000),
      );
      const first = scene.world.send("PATCH", at, { body });
      await eventually(
        "the first request's bytes are held",
        async () => (await held(scene, at)) ?? 0,
      );
      const busy = "UPLOAD_BUSY" as const;
      const leaves = "bytes" as const; // Those of the request that goes on.
      await scene.step({
        send: `PATCH ${at}`,
        body: "x",
        endpoint: "upload.append",
        answer: busy,
        leaves,
      });
      await scene.step({
        send: `PATCH ${at}`,
        body: chunkedBody(big.bytes),
        endpoint: "upload.append",
        answer: busy,
        leaves,
      });
      await scene.step({
        send: `PUT ${at}?digest=${big.digest}`,
        endpoint: "upload.finish",
        answer: busy,
        leaves,
      });
      await scene.step({ send: `DELETE ${at}`, endpoint: "upload.cancel", answer: busy, leaves });
      release();
      expect((await first).status).toBe(202);
      await scene.step(holds(big.bytes.length));
      await scene.step(finish(big));
      await scene.step(readable(big));
    },
  },
  {
    rule: "Many requests write to one upload at once: their bytes never mix",
    source: "design, invariant 5",
    covers: [],
    async run(scene) {
      const at = await open(scene);
      const pieces = Array.from({ length: 8 }, (_, n) => Buffer.alloc(300_000, 65 + n));
      const answers = await Promise.all(
        pieces.map((body) => scene.world.send("PATCH", at, { body: chunkedBody(body, 20_000) })),
      );
      const taken = answers.filter(({ status }) => status === 202).length;
      expect(answers.every(({ status }) => status === 202 || status === 409)).toBe(true);
      expect(taken).toBeGreaterThan(0);
      expect(await held(scene, at)).toBe(taken * 300_000);
      const bytes = await storedUpload(scene, at);
      const runs = Array.from({ length: taken }, (_, n) =>
        bytes.subarray(n * 300_000).subarray(0, 300_000),
      );
      expect(runs.every((run) => run.every((byte) => byte === run[0]))).toBe(true);
    },
  },
  {
    rule: "One blob is pushed by many at once, to one repository and to others",
    source: "[end-6]",
    covers: [["upload.finish", 201]],
    async run(scene) {
      const blob = pattern(400_001);
      const push = async (repository: string): Promise<number> => {
        const opened = await scene.world.send("POST", `/v2/${repository}/blobs/uploads/`);
        const at = opened.headers.get("location") ?? "";
        const patched = await scene.world.send("PATCH", at, { body: blob.bytes });
        expect(patched.status).toBe(202);
        return (await scene.world.send("PUT", `${at}?digest=${blob.digest}`)).status;
      };
      const repositories = Array.from({ length: 12 }, (_, n) => scene.fill(`{r}/${n % 4}`));
      expect(await Promise.all(repositories.map(push))).toEqual(repositories.map(() => 201));
      for (const n of [0, 1, 2, 3]) await scene.step(readable(blob, scene.fill(`{r}/${n}`)));
    },
  },
  {
    rule: "One tag is pushed by many at once: it is one of theirs, and all stay by digest",
    source: "[end-7a], design, invariant 2",
    covers: [["manifest.put", 201]],
    async run(scene) {
      await scene.give({ blob: config });
      await scene.give({ blob: layer });
      const manifests = Array.from({ length: 20 }, (_, n) => image({ annotations: { n: `${n}` } }));
      const answers = await Promise.all(
        manifests.map(({ bytes, mediaType }) =>
          scene.world.send("PUT", scene.fill("/v2/{r}/manifests/latest"), {
            body: bytes,
            headers: { "content-type": mediaType },
          }),
        ),
      );
      expect(answers.every(({ status }) => status === 201)).toBe(true);
      const tagged = await scene.world.send("GET", scene.fill("/v2/{r}/manifests/latest"));
      const digest = tagged.headers.get("docker-content-digest");
      expect(manifests.map((manifest) => manifest.digest)).toContain(digest ?? "");
      for (const manifest of manifests) {
        const got = await scene.world.send(
          "GET",
          scene.fill(`/v2/{r}/manifests/${manifest.digest}`),
        );
        expect(Buffer.from(got.body).equals(Buffer.from(manifest.bytes))).toBe(true);
      }
    },
  },
  {
    rule: "Of many that create a tag with If-None-Match one wins",
    source: "RFC 9110 §13.1.2",
    covers: [
      ["manifest.put", 201],
      ["manifest.put", "PRECONDITION_FAILED"],
    ],
    async run(scene) {
      await scene.give({ blob: config });
      await scene.give({ blob: layer });
      const put = (n: number): Promise<Exchange> => {
        const { bytes, mediaType } = image({ annotations: { n: `${n}` } });
        const headers = { "content-type": mediaType, "if-none-match": "*" };
        return scene.world.send("PUT", scene.fill("/v2/{r}/manifests/new"), {
          body: bytes,
          headers,
        });
      };
      const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => put(n)));
      const ends = Map.groupBy(answers, ({ status }) => status);
      expect([ends.get(201)?.length, ends.get(412)?.length]).toEqual([1, 9]);
    },
  },
];

function brokenChunk(blob: Content): Story {
  return {
    rule: `A client goes away in a chunk of ${blob.bytes.length} bytes: the upload stands where it stood`,
    source: "[end-5], design, invariant 5",
    covers: [["upload.append", "SIZE_INVALID"]],
    async run(scene) {
      const at = await open(scene);
      const first = blob.bytes.subarray(0, 1000);
      expect((await scene.world.send("PATCH", at, { body: first })).status).toBe(202);
      const headers = { "content-range": `1000-${blob.bytes.length - 1}` };
      const rest = withLength(blob.bytes.subarray(1000));
      await breakOff(scene, "PATCH", at, { body: rest, headers, afterBytes: 60_000 });
      await scene.step(holds(1000));
      expect((await scene.world.send("PATCH", at, { body: rest, headers })).status).toBe(202);
      await scene.step(finish(blob));
      await scene.step(readable(blob));
    },
  };
}

const broken: readonly Story[] = [
  ...([true, false] as const).map((known): Story => ({
    rule: `A client goes away in a stream ${known ? "with" : "without"} a length, and goes on from where the upload stands`,
    source: "[end-5], [end-13]",
    covers: [
      ["upload.append", 202],
      ["upload.status", 204],
    ],
    async run(scene) {
      const at = await open(scene);
      const body = known ? withLength(big.bytes) : chunkedBody(big.bytes, 50_000);
      await breakOff(scene, "PATCH", at, { body, afterBytes: 1_234_567 });
      const size = (await held(scene, at)) ?? 0;
      expect(size).toBeGreaterThan(0);
      expect(size).toBeLessThanOrEqual(1_234_567);
      const rest = big.bytes.subarray(size);
      const headers = { "content-range": `${size}-${big.bytes.length - 1}` };
      expect((await scene.world.send("PATCH", at, { body: rest, headers })).status).toBe(202);
      await scene.step(finish(big));
      await scene.step(readable(big));
    },
  })),
  brokenChunk(big),
  brokenChunk(pattern(150_000)),
  {
    rule: "A client goes away in the last request: the upload stands where it stood",
    source: "[end-6]",
    covers: [["upload.finish", "SIZE_INVALID"]],
    async run(scene) {
      const at = await open(scene);
      const first = big.bytes.subarray(0, 500_000);
      expect((await scene.world.send("PATCH", at, { body: first })).status).toBe(202);
      const target = `${at}?digest=${big.digest}`;
      const rest = withLength(big.bytes.subarray(500_000));
      await breakOff(scene, "PUT", target, { body: rest, afterBytes: 700_000 });
      await scene.step(holds(500_000));
      await scene.step(absent(big));
      expect((await scene.world.send("PUT", target, { body: rest })).status).toBe(201);
      await scene.step(readable(big));
    },
  },
  ...[big, pattern(150_000)].map((blob): Story => ({
    rule: `A client goes away in a single request of ${blob.bytes.length} bytes: nothing is left`,
    source: "[end-4b]",
    covers: [["blob.post", "SIZE_INVALID"]],
    async run(scene) {
      const before = filesOf(scene.world.rootDirectory);
      const target = scene.fill(`/v2/{r}/blobs/uploads/?digest=${blob.digest}`);
      await breakOff(scene, "POST", target, { body: withLength(blob.bytes), afterBytes: 100_000 });
      expect(addedFiles(before, filesOf(scene.world.rootDirectory))).toEqual([]);
    },
  })),
  {
    rule: "A client goes away in a manifest: nothing is left",
    source: "[end-7a]",
    covers: [["manifest.put", "SIZE_INVALID"]],
    async run(scene) {
      await scene.give({ blob: config });
      await scene.give({ blob: layer });
      const { bytes, mediaType } = image({ annotations: { pad: "x".repeat(200_000) } });
      const before = filesOf(scene.world.rootDirectory);
      for (const body of [withLength(bytes), chunkedBody(bytes, 50_000)]) {
        await breakOff(scene, "PUT", scene.fill("/v2/{r}/manifests/latest"), {
          body,
          headers: { "content-type": mediaType },
          afterBytes: 120_000,
        });
      }
      expect(addedFiles(before, filesOf(scene.world.rootDirectory))).toEqual([]);
      const tags = await scene.world.send("GET", scene.fill("/v2/{r}/tags/list"));
      expect(JSON.parse(Buffer.from(tags.body).toString())).toEqual({
        name: scene.fill("{r}"),
        tags: [],
      });
    },
  },
];

const lasting: readonly Story[] = [
  {
    rule: "An upload goes on after the server was started again",
    source: "[end-5], design, decision 3",
    covers: [["upload.finish", 201]],
    async run(scene) {
      const at = await open(scene);
      const half = big.bytes.subarray(0, 1_500_000);
      expect((await scene.world.send("PATCH", at, { body: half })).status).toBe(202);
      await scene.world.restart();
      await scene.step(holds(1_500_000));
      const rest = big.bytes.subarray(1_500_000);
      expect((await scene.world.send("PATCH", at, { body: rest })).status).toBe(202);
      await scene.world.restart();
      await scene.step(finish(big));
      await scene.step(readable(big));
    },
  },
];

export const liveUploadStories: readonly Story[] = [...overlapping, ...broken, ...lasting];
