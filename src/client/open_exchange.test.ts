// Answers whose body is read as it comes: the head is there before the body, a signal breaks off whatever is waited
// for, and what was read to its end leaves a connection that is used again.
import { afterAll, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { ClientError } from "./client_error.ts";
import { RegistryClient } from "./registry_client.ts";
import type { TranscriptEntry } from "./transcript.ts";

const servers: Server[] = [];
const clients: RegistryClient[] = [];
const sockets = new Set<Socket>();

afterAll(() => {
  for (const client of clients) client.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A server that does with each request's socket what the test says. */
async function serve(answer: (socket: Socket, request: string) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => answer(socket, data.toString("latin1")));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return `http://127.0.0.1:${address.port}`;
}

function client(url: string, onTranscript?: (entry: TranscriptEntry) => void): RegistryClient {
  const made = new RegistryClient({ url, ...(onTranscript && { onTranscript }) });
  clients.push(made);
  return made;
}

async function failure(work: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ClientError))
    throw new Error(`expected a ClientError, got ${String(error)}`);
  return error;
}

const get = { method: "GET", url: "/v2/a/blobs/x" } as const;

test("the head comes before the body, and the body as it arrives", async () => {
  const { promise: waiting, resolve: connected } = Promise.withResolvers<Socket>();
  const seen: TranscriptEntry[] = [];
  const url = await serve((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    connected(socket);
  });
  const answer = await client(url, (entry) => seen.push(entry)).open(get);
  expect(answer.status).toBe(200);
  expect(seen).toHaveLength(0);
  const socket = await waiting;
  socket.write("abc");
  const first = await answer.body.next();
  expect(Buffer.from(first.value ?? []).toString()).toBe("abc");
  socket.write("def");
  const second = await answer.body.next();
  expect(Buffer.from(second.value ?? []).toString()).toBe("def");
  expect((await answer.body.next()).done).toBe(true);
  expect(seen.map(({ status, responseBody }) => [status, responseBody])).toEqual([
    [200, "(6 bytes)"],
  ]);
});

test("a body that was read to its end leaves its connection, one that was not drops it", async () => {
  const used = new Set<Socket>();
  const url = await serve((socket) => {
    used.add(socket);
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  });
  const one = client(url);
  for (let round = 0; round < 3; round += 1) {
    const answer = await one.open(get);
    for await (const piece of answer.body) expect(piece.length).toBeGreaterThan(0);
  }
  expect(used.size).toBe(1);
  const left = await one.open(get);
  left.close();
  const [socket] = used;
  if (socket !== undefined && !socket.destroyed)
    await new Promise((done) => socket.once("close", done));
  await one.exchange(get);
  expect(used.size).toBe(2);
});

test("a signal breaks off a body, a head that does not come, and what was not begun", async () => {
  const half = await serve((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  const body = new AbortController();
  const answer = await client(half).open({ ...get, signal: body.signal });
  const pieces: string[] = [];
  const read = (async () => {
    for await (const piece of answer.body) {
      pieces.push(Buffer.from(piece).toString());
      body.abort();
    }
  })();
  expect((await failure(read)).kind).toBe("aborted");
  expect(pieces).toEqual(["abc"]);

  const head = new AbortController();
  const silent = await serve(() => head.abort());
  expect((await failure(client(silent).exchange({ ...get, signal: head.signal }))).kind).toBe(
    "aborted",
  );
  expect((await failure(client(half).open({ ...get, signal: body.signal }))).kind).toBe("aborted");
});
