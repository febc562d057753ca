// Requests that cost much, beside callers who ask for little: real processes with one worker, so that everybody has to
// wait for the same one. What is measured is whether others are served while it goes on, never how fast.
//
// Callers are told apart by their address of loopback. The bounds themselves stand in the tests of their files
// (`request_budget`, `caller`, `body_memory` in `call`, `batcher`, `push_manifest`, `uploads`).

import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { eventually, startZot, tempDirectory, type Zot } from "../harness.ts";
import { request } from "./raw_socket.ts";

const host = "Host: registry.example";
const MiB = 1024 * 1024;
const stranger = "127.0.0.2";
const repository = "a";

/** A connection from an address of its own, which sends this and takes what comes. */
async function sendFrom(address: string, port: number, ...parts: readonly (string | Uint8Array)[]) {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host: "127.0.0.1", port, localAddress: address }, () => resolve(socket));
  let received = "";
  let closed = false;
  socket.on("error", reject);
  socket.on("error", () => (closed = true));
  socket.on("close", () => (closed = true));
  socket.on("data", (piece) => (received += piece.toString("latin1")));
  await promise;
  for (const part of parts) socket.write(part);
  return {
    status: () => Number(/^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? 0),
    received: () => received,
    isClosed: () => closed,
    socket,
  };
}

const password = "x";

/** An htpasswd file with the one user alice. */
async function usersFile(directory: string): Promise<string> {
  const path = join(directory, "users");
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  await writeFile(path, `alice:${hash}\n`);
  return path;
}

function blobDescriptor(bytes: Uint8Array) {
  return { mediaType: mediaTypes.ociLayer, digest: digestOf("sha256", bytes), size: bytes.length };
}

const content = new TextEncoder().encode("{}");
const config = { ...blobDescriptor(content), mediaType: mediaTypes.ociConfig };

async function pushContent({ url }: Zot): Promise<void> {
  const to = `${url}/v2/${repository}/blobs/uploads/?digest=${config.digest}`;
  expect((await fetch(to, { method: "POST", body: content })).status).toBe(201);
}

function manifestOf(layers: readonly object[], members: object = {}): string {
  const { ociImage: mediaType } = mediaTypes;
  return JSON.stringify({ schemaVersion: 2, mediaType, config, layers, ...members });
}

async function putManifest({ url }: Zot, tag: string, body: string): Promise<number> {
  const to = `${url}/v2/${repository}/manifests/${tag}`;
  const headers = { "content-type": mediaTypes.ociImage };
  const answer = await fetch(to, { method: "PUT", body, headers });
  await answer.arrayBuffer();
  return answer.status;
}

/** So many requests, from two clients that go on as soon as they are answered; others ask one by one meanwhile. */
async function beside(
  count: number,
  attack: (index: number) => Promise<number>,
  other: () => Promise<number>,
) {
  const statuses: number[] = [];
  const overtaken: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) statuses.push(await attack(next++));
  };
  const attacks = Promise.all([client(), client()]);
  const others = new Set<number>();
  while (statuses.length < count) {
    const before = statuses.length;
    others.add(await other());
    overtaken.push(statuses.length - before);
  }
  await attacks;
  /** How many answers of the attack one of the others waited for, at most. */
  return { statuses: new Set(statuses), others, waitedFor: Math.max(...overtaken) };
}

const rounds = 20;

describe("others are served while two clients push", () => {
  const absent = (count: number): object[] =>
    Array.from({ length: count }, (_, index) => ({
      mediaType: mediaTypes.ociLayer,
      digest: digestOf("sha256", new TextEncoder().encode(`absent ${index}`)),
      size: 10,
    }));
  const equal = (size: number): object[] =>
    Array.from({ length: 10_000 }, () => ({ ...blobDescriptor(content), size }));

  test.each([
    ["manifests of 10,000 absent layers", absent(10_000), 400],
    ["manifests of 20,000 layers", absent(20_000), 400],
    ["manifests of 10,000 equal layers of a wrong size", equal(3), 400],
    ["manifests of 10,000 equal layers", equal(content.length), 201],
  ])("%s", async (_, layers, status) => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    await pushContent(zot);
    // Each is another manifest, so that none is there already.
    const bodies = Array.from({ length: rounds }, (_unused, index) =>
      manifestOf(layers, { annotations: { index: `${index}` } }),
    );
    const found = await beside(
      rounds,
      (index) => putManifest(zot, `large${index}`, bodies[index] ?? ""),
      async () => (await fetch(`${zot.url}/v2/`)).status,
    );
    expect(found.statuses).toEqual(new Set([status]));
    expect(found.others).toEqual(new Set([200]));
    // Two clients have two requests each around the moments of asking and answering.
    expect(found.waitedFor).toBeLessThanOrEqual(4);
  });
});

describe("a policy over text of the caller", () => {
  const costly = "!req.userAgent.matches('(.*,)*x$')";

  test("costs a push with 46 tags one look at the text, and others are served meanwhile", async () => {
    await using directory = await tempDirectory();
    const users = await usersFile(directory.path);
    const grant = { users: ["alice"], actions: ["read", "create", "update"] };
    const policies = [{ ...grant, conditions: [{ expression: costly }] }];
    const accessControl = { repositories: { "**": { policies } } };
    await using zot = await startZot({
      config: { http: { workers: 1, auth: { htpasswd: { path: users } }, accessControl } },
    });
    const authorization = `Basic ${btoa(`alice:${password}`)}`;
    const tags = Array.from({ length: 46 }, (_, index) => `tag=v${index}`).join("&");
    const url = `${zot.url}/v2/a/manifests/${config.digest}?${tags}`;
    const headers = { authorization, "user-agent": "a,".repeat(6_000) };
    const found = await beside(
      rounds,
      // Read, and found to name no media type.
      async () => (await fetch(url, { method: "PUT", headers, body: "{}" })).status,
      async () => (await fetch(`${zot.url}/v2/`, { headers: { authorization } })).status,
    );
    expect(found.statuses).toEqual(new Set([415]));
    expect(found.others).toEqual(new Set([200]));
    expect(found.waitedFor).toBeLessThanOrEqual(4);
  });

  test("that costs too much ends the request, and says so", async () => {
    await using directory = await tempDirectory();
    const users = await usersFile(directory.path);
    const grant = { users: ["alice"], actions: ["read", "create", "update"] };
    const expression = "!(req.userAgent + req.tag).matches('(.*,)*x$')";
    const policies = [{ ...grant, conditions: [{ expression }] }];
    const accessControl = { repositories: { "**": { policies } } };
    await using zot = await startZot({
      config: { http: { workers: 1, auth: { htpasswd: { path: users } }, accessControl } },
    });
    const tags = Array.from({ length: 46 }, (_, index) => `tag=v${index}`).join("&");
    const answer = await fetch(`${zot.url}/v2/a/manifests/${config.digest}?${tags}`, {
      method: "PUT",
      headers: {
        authorization: `Basic ${btoa(`alice:${password}`)}`,
        "user-agent": "a,".repeat(6_000),
      },
      body: "{}",
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("Request costs more than one may");
  });
});

test("a manifest of the largest size is paid for beside the policies, and fits alone", async () => {
  await using directory = await tempDirectory();
  const users = await usersFile(directory.path);
  const grant = { users: ["alice"], actions: ["read", "create", "update"] };
  const expression = "!(req.userAgent + req.tag).matches('(.*,)*x$')";
  const policies = [{ ...grant, conditions: [{ expression }] }];
  const accessControl = { repositories: { "**": { policies } } };
  await using zot = await startZot({
    config: { http: { workers: 1, auth: { htpasswd: { path: users } }, accessControl } },
  });
  const push = async (count: number, body: string): Promise<string> => {
    const tags = Array.from({ length: count }, (_, index) => `tag=v${index}`).join("&");
    const url = `${zot.url}/v2/a/manifests/${digestOf("sha256", new TextEncoder().encode(body))}?${tags}`;
    const headers = {
      authorization: `Basic ${btoa(`alice:${password}`)}`,
      "user-agent": "a,".repeat(3_000),
    };
    return (await fetch(url, { method: "PUT", headers, body })).text();
  };
  const costs = "Request costs more than one may";
  const large = " ".repeat(4 * MiB);
  let most = 1;
  while (!(await push(most + 1, "{}")).includes(costs)) most += 1;
  expect(await push(most, "{}")).not.toContain(costs);
  expect(await push(most, large)).toContain(costs);
  expect(await push(1, large)).not.toContain(costs);
});

describe("memory for bodies", () => {
  const large = 4 * MiB;

  test("strangers who announce much and send little keep nobody from pushing", async () => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    const announced = `Content-Length: ${large}`;
    const strangers = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        sendFrom(
          stranger,
          zot.port,
          request(`PUT /v2/a/manifests/${index} HTTP/1.1`, host, announced),
          "{}   ",
        ),
      ),
    );
    // Read, and found to be no manifest.
    expect(await putManifest(zot, "other", " ".repeat(MiB))).toBe(400);
    expect(strangers.filter(({ isClosed, status }) => isClosed() || status() > 0)).toEqual([]);
    for (const { socket } of strangers) socket.destroy();
  });

  test("a stranger who holds all that he may keeps nobody from pushing", async () => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    const announced = `Content-Length: ${large}`;
    const part = new Uint8Array(large - 1);
    const strangers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        sendFrom(
          stranger,
          zot.port,
          request(`PUT /v2/a/manifests/${index} HTTP/1.1`, host, announced),
          part,
        ),
      ),
    );
    await eventually("he is told so", () => strangers.some(({ status }) => status() === 429));
    expect(await putManifest(zot, "other", " ".repeat(MiB))).toBe(400);
    for (const { socket } of strangers) socket.destroy();
  });
});

describe("memory for answers", () => {
  test.each(["manifests", "lists"])(
    "a stranger who reads no %s holds all that he may, and keeps nobody from reading",
    async (what) => {
      await using zot = await startZot({ config: { http: { workers: 1 } } });
      await pushContent(zot);
      let path = "/v2/a/manifests/large";
      const annotations = { filler: "x".repeat(MiB - 100) };
      if (what === "manifests") {
        const filler = "x".repeat(4 * MiB - 2_000);
        expect(await putManifest(zot, "large", manifestOf([], { annotations: { filler } }))).toBe(
          201,
        );
      } else {
        path = `/v2/a/referrers/${config.digest}`;
        for (const tag of ["r1", "r2"]) {
          const subject = { ...config, mediaType: mediaTypes.ociImage };
          const body = manifestOf([], { subject, annotations: { ...annotations, tag } });
          expect(await putManifest(zot, tag, body)).toBe(201);
        }
      }
      const get = request(`GET ${path} HTTP/1.1`, host);
      const strangers = await Promise.all(
        Array.from({ length: 40 }, async () => {
          const sender = await sendFrom(stranger, zot.port);
          sender.socket.pause();
          // The runtime may go on with a socket that was paused as soon as it was there.
          sender.socket.on("data", () => sender.socket.pause());
          sender.socket.write(get);
          return sender;
        }),
      );
      const once = request(`GET ${path} HTTP/1.1`, host, "Connection: close");
      const ask = async (address: string): Promise<number> => {
        const sender = await sendFrom(address, zot.port, once);
        await eventually("it is answered", () => sender.isClosed());
        return sender.status();
      };
      await eventually("he is told so", async () => (await ask(stranger)) === 429);
      expect(await ask("127.0.0.1")).toBe(200);
      for (const { socket } of strangers) socket.destroy();
      await eventually("he has room again", async () => (await ask(stranger)) === 200);
    },
  );
});

describe("a body that nobody takes", () => {
  /** Sends as much as is taken, until all is sent or the connection ends; how much that was. */
  async function pour(
    socket: Socket,
    bytes: number,
    framed: (piece: Buffer) => Buffer,
  ): Promise<number> {
    const piece = Buffer.alloc(MiB);
    const closed = Promise.withResolvers<void>();
    socket.once("close", closed.resolve);
    let sent = 0;
    while (sent < bytes && !socket.destroyed) {
      const taken = socket.write(framed(piece));
      sent += piece.length;
      if (taken) continue;
      const drained = Promise.withResolvers<void>();
      socket.once("drain", drained.resolve);
      await Promise.race([drained.promise, closed.promise]);
    }
    return sent;
  }

  const asChunk = (piece: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]);

  test.each([
    ["of a length, after a 401", "PUT /v2/a/manifests/x", `Content-Length: ${4096 * MiB}`, 401],
    ["in chunks, after a 401", "PATCH /v2/a/blobs/uploads/x", "Transfer-Encoding: chunked", 401],
    ["in chunks, after a 404", "GET /nothing", "Transfer-Encoding: chunked", 404],
  ])("%s, is dropped for a while, then the connection ends", async (_, line, framing, status) => {
    await using directory = await tempDirectory();
    const users = await usersFile(directory.path);
    await using zot = await startZot({
      config: { http: { workers: 1, auth: { htpasswd: { path: users } } } },
    });
    const sender = await sendFrom(stranger, zot.port, request(`${line} HTTP/1.1`, host, framing));
    await eventually("the answer is there", () => sender.status() === status);
    const isChunked = framing.startsWith("Transfer");
    const sent = await pour(sender.socket, 4096 * MiB, isChunked ? asChunk : (piece) => piece);
    await eventually("the connection has ended", () => sender.isClosed());
    expect(sent).toBeGreaterThan(8 * MiB);
    expect(sent).toBeLessThan(4096 * MiB);
  });

  test("of some megabytes leaves the connection to the next request", async () => {
    await using zot = await startZot({ config: { http: { workers: 1 } } });
    const length = 12 * MiB;
    const head = request("GET /nothing HTTP/1.1", host, `Content-Length: ${length}`);
    const next = request("GET /v2/ HTTP/1.1", host, "Connection: close");
    const sender = await sendFrom(stranger, zot.port, head, new Uint8Array(length), next);
    await eventually("both are answered", () => sender.isClosed());
    expect(sender.received()).toContain(" 404 ");
    expect(sender.received()).toContain(" 200 ");
  });
});
