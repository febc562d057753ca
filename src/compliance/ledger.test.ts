// The ledger notes what was made from the answers, and removes it in an order that strict registries accept.
import { afterEach, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { Exchange } from "../client/exchange.ts";
import { type HeaderLine, HeaderLines } from "../client/http_message.ts";
import { RegistryClient } from "../client/registry_client.ts";
import { Ledger } from "./ledger.ts";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
let server: Server | null = null;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function answered(target: string, status: number, headers: HeaderLine[] = []): Exchange {
  return {
    method: "PUT",
    address: { origin: { tls: false, host: "h", port: 1 }, target },
    status,
    reason: "",
    headers: new HeaderLines(headers),
    body: new Uint8Array(0),
    bodyBytes: 0,
    redirects: 0,
    firstByteMs: 0,
    durationMs: 0,
  };
}

function note(
  ledger: Ledger,
  method: string,
  target: string,
  status: number,
  headers: HeaderLine[] = [],
): void {
  ledger.note(method, target, answered(target, status, headers));
}

/** A server that answers every DELETE with a status, and keeps what was asked. */
async function deletingServer(
  status: (path: string) => number,
): Promise<{ client: RegistryClient; asked: string[] }> {
  const asked: string[] = [];
  const listening = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    response.writeHead(status(request.url ?? ""), { "Content-Length": "0" }).end();
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return { client: new RegistryClient({ url: `127.0.0.1:${port}` }), asked };
}

test("manifests go from the last to the first, then tags, blobs and sessions", async () => {
  const { client, asked } = await deletingServer(() => 202);
  const ledger = new Ledger();
  note(ledger, "PUT", "/v2/a/blobs/uploads/1?digest=x", 201, [
    ["Docker-Content-Digest", digest("b")],
  ]);
  note(ledger, "POST", `/v2/a/c/blobs/uploads/?mount=${digest("d")}&from=x`, 201);
  note(ledger, "PUT", `/v2/a/manifests/${digest("1")}`, 201);
  note(ledger, "PUT", "/v2/a/manifests/tag", 201, [["Docker-Content-Digest", digest("2")]]);
  note(ledger, "POST", "/v2/a/blobs/uploads/", 202, [
    ["Location", "http://h:1/v2/a/blobs/uploads/open"],
  ]);
  note(ledger, "GET", "/v2/a/manifests/other", 200);
  note(ledger, "PUT", "/v2/a/manifests/refused", 400);
  // The session's own address names another host; it is resolved there, so leave it out of the walk.
  note(ledger, "DELETE", "/v2/a/blobs/uploads/open", 204);
  const left = await ledger.clear(client);
  client.close();
  expect(asked).toEqual([
    `DELETE /v2/a/manifests/${digest("2")}`,
    `DELETE /v2/a/manifests/${digest("1")}`,
    "DELETE /v2/a/manifests/tag",
    `DELETE /v2/a/c/blobs/${digest("d")}`,
    `DELETE /v2/a/blobs/${digest("b")}`,
  ]);
  expect(left).toEqual({ manifests: 0, tags: 0, blobs: 0, uploads: 0 });
});

test("what was deleted in the run is not deleted again, and clearing twice asks once", async () => {
  const { client, asked } = await deletingServer(() => 202);
  const ledger = new Ledger();
  note(ledger, "PUT", `/v2/a/manifests/${digest("1")}`, 201);
  note(ledger, "DELETE", `/v2/a/manifests/${digest("1")}`, 202);
  note(ledger, "PUT", "/v2/a/blobs/uploads/1", 201, [["Docker-Content-Digest", digest("b")]]);
  await ledger.clear(client);
  await ledger.clear(client);
  client.close();
  expect(asked).toEqual([`DELETE /v2/a/blobs/${digest("b")}`]);
});

test("what the registry refuses is counted, and it is asked once per kind", async () => {
  const { client, asked } = await deletingServer((path) => (path.includes("/blobs/") ? 405 : 202));
  const ledger = new Ledger();
  for (const letter of ["a", "b", "c"]) {
    note(ledger, "PUT", "/v2/a/blobs/uploads/1", 201, [["Docker-Content-Digest", digest(letter)]]);
  }
  const left = await ledger.clear(client);
  client.close();
  expect(left.blobs).toBe(3);
  expect(asked).toHaveLength(1);
});

test("a registry that is gone leaves everything, and nothing is thrown", async () => {
  const { client } = await deletingServer(() => 202);
  server?.closeAllConnections();
  await new Promise<void>((resolve) => server?.close(() => resolve()));
  const ledger = new Ledger();
  note(ledger, "PUT", "/v2/a/manifests/tag", 201);
  expect((await ledger.clear(client)).tags).toBe(1);
  client.close();
});
