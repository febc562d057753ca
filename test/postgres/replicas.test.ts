// Two servers behind a balancer that knows nothing: requests of one push at both of them, our compliance test through the
// balancer, and a server that is stopped or killed with an upload in its hands.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { sample } from "../contracts/store_samples.ts";
import { eventually, run, testedProgram } from "../harness.ts";
import { manifestHeaders, manifestOf, sha256 } from "../objects/object_registry.ts";
import { requirePostgres, startPostgres, type Postgres } from "../postgres.ts";
import { startReplicas, type Replicas } from "../replicas.ts";

const MiB = 1024 * 1024;

/** Sends a request to a replica, or to the next one. */
async function send(
  { zots, balancer }: Replicas,
  at: number | "next",
  [method, path, body = null]: readonly [method: string, path: string, body?: Uint8Array | null],
) {
  const { url } = at === "next" ? balancer : zots[at]!;
  const answer = await fetch(`${url}${path}`, {
    method,
    body,
    headers: body === null ? {} : { "content-type": "application/octet-stream" },
  });
  const location = answer.headers.get("location");
  return {
    status: answer.status,
    range: answer.headers.get("range"),
    path: location === null ? "" : location.replace(/^https?:\/\/[^/]+/, ""),
    chunkBytesMin: answer.headers.get("oci-chunk-min-length"),
    bytes: await answer.bytes(),
  };
}

describe.skipIf(!requirePostgres())("two servers behind a balancer", () => {
  let server: Postgres;
  let replicas: Replicas;
  beforeAll(async () => {
    server = await startPostgres();
    replicas = await startReplicas({ metadata: await server.place() });
  });
  afterAll(async () => {
    await replicas[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test("each request of a push at the other server: begun, continued, asked for, closed, cancelled", async () => {
    const chunks = [sample(300_000), sample(6 * MiB, 3), sample(17 * MiB, 5), sample(900, 7)];
    const bytes = Buffer.concat(chunks);
    let { status, path, chunkBytesMin } = await send(replicas, 0, [
      "POST",
      "/v2/team/app/blobs/uploads/",
    ]);
    expect([status, chunkBytesMin]).toEqual([202, String(5 * MiB)]);
    let sizeBytes = 0;
    for (const [index, chunk] of chunks.slice(0, 3).entries()) {
      const patched = await send(replicas, 1 - (index % 2), ["PATCH", path, chunk]);
      ({ status, path } = patched);
      sizeBytes += chunk.length;
      expect([status, patched.range]).toEqual([202, `0-${sizeBytes - 1}`]);
      for (const at of [0, 1]) {
        const asked = await send(replicas, at, ["GET", path]);
        expect([asked.status, asked.range]).toEqual([204, `0-${sizeBytes - 1}`]);
      }
    }
    const wrong = await send(replicas, 1, ["PUT", `${path}?digest=${sha256(sample(3))}`]);
    expect(wrong.status).toBe(400);
    const end = await send(replicas, 0, ["PUT", `${path}?digest=${sha256(bytes)}`, chunks[3]!]);
    expect(end.status).toBe(201);
    for (const at of [0, 1]) {
      const pulled = await send(replicas, at, ["GET", `/v2/team/app/blobs/${sha256(bytes)}`]);
      expect([pulled.status, sha256(pulled.bytes)]).toEqual([200, sha256(bytes)]);
    }
    const another = await send(replicas, 0, ["POST", "/v2/team/app/blobs/uploads/"]);
    expect((await send(replicas, 1, ["DELETE", another.path])).status).toBe(204);
    expect((await send(replicas, 0, ["GET", another.path])).status).toBe(404);
    expect((await send(replicas, 0, ["PATCH", another.path, sample(3)])).status).toBe(404);
  });

  test("one chunk sent to both at once is taken once", async () => {
    const chunk = sample(3 * MiB);
    const { path } = await send(replicas, 0, ["POST", "/v2/team/app/blobs/uploads/"]);
    const chunked = (at: number) =>
      fetch(`${replicas.zots[at]!.url}${path}`, {
        method: "PATCH",
        body: chunk,
        headers: { "content-range": `0-${chunk.length - 1}` },
      });
    const statuses = (await Promise.all([chunked(0), chunked(1)])).map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    expect([409, 416]).toContain(statuses.find((status) => status !== 202)!);
    const asked = await send(replicas, 1, ["GET", path]);
    expect(asked.range).toBe(`0-${chunk.length - 1}`);
    expect((await send(replicas, 1, ["PUT", `${path}?digest=${sha256(chunk)}`])).status).toBe(201);
  });

  test("an image that is pushed through the balancer request by request is pulled through it", async () => {
    const [config, layer] = [sample(1_000, 11), sample(2 * MiB, 13)];
    for (const bytes of [config, layer]) {
      const begun = await send(replicas, "next", ["POST", "/v2/team/image/blobs/uploads/"]);
      const patched = await send(replicas, "next", ["PATCH", begun.path, bytes]);
      const end = `${patched.path}?digest=${sha256(bytes)}`;
      expect((await send(replicas, "next", ["PUT", end])).status).toBe(201);
    }
    const manifest = manifestOf(config, [layer]);
    const url = `${replicas.balancer.url}/v2/team/image/manifests/1`;
    const put = await fetch(url, { method: "PUT", headers: manifestHeaders, body: manifest });
    expect(put.status).toBe(201);
    for (const at of [0, 1]) {
      const pulled = await send(replicas, at, ["GET", "/v2/team/image/manifests/1"]);
      expect(pulled.bytes).toEqual(new Uint8Array(manifest));
    }
  });

  test("the compliance test of uploads finds nothing of uploads through the balancer", async () => {
    const asked = ["--repository", "team/compliance", "--groups", "upload", "-V", "1.1", "--json"];
    const { url, passed } = replicas.balancer;
    const ended = await run(await testedProgram(), ["compliance", url, ...asked]);
    const { cases } = JSON.parse(ended.stdout) as {
      cases: { id: string; status: string; message: string | null }[];
    };
    // What a specification only recommends, and a busy server does not do, is unsupported.
    const failed = cases.filter(({ status }) => status === "failed" || status === "error");
    // Its blobs are as long as chunks should be, and what is streamed from a store has no length (object_storage.md).
    const streamed = "Expected a Content-Length header, got none";
    expect(failed.filter(({ message }) => message !== streamed)).toEqual([]);
    expect(cases.length).toBeGreaterThan(50);
    expect(
      [...new Set(passed.map(({ replica }) => replica))].toSorted((one, other) => one - other),
    ).toEqual([0, 1]);
  });

  test("an upload of a server that is killed goes on at the other one within the time of a hold", async () => {
    await using world = await startReplicas({
      metadata: await server.place(),
    });
    const first = sample(400_000);
    const begun = await send(world, 0, ["POST", "/v2/team/app/blobs/uploads/"]);
    const { path } = await send(world, 0, ["PATCH", begun.path, first]);
    // A body that never ends.
    const socket = connect(world.zots[0]!.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `PATCH ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(10_000)}`,
    );
    // A chunk that belongs elsewhere is refused by who holds it, and by the upload itself.
    const elsewhere = { method: "PATCH", body: sample(1), headers: { "content-range": "9-9" } };
    await eventually("it is held", async () => {
      const { status } = await fetch(`${world.zots[1]!.url}${path}`, elsewhere);
      return status === 409;
    });
    await world.zots[0]!.kill();
    socket.destroy();
    const last = sample(200_000, 3);
    await eventually(
      "it goes on",
      async () => (await send(world, 1, ["PATCH", path, last])).status === 202,
    );
    const bytes = Buffer.concat([first, last]);
    const asked = await send(world, 1, ["GET", begun.path]);
    expect(asked.range).toBe(`0-${bytes.length - 1}`);
    const end = await send(world, 1, ["PUT", `${begun.path}?digest=${sha256(bytes)}`]);
    expect(end.status).toBe(201);
  });
});
