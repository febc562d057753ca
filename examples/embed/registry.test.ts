// A registry in memory for the tests of a program of yours that pushes or pulls: nothing to start, nothing to clean up.
//
//     bun add --dev zot-registry
//     bun test registry.test.ts

import { expect, test } from "bun:test";
import { createRegistry } from "zot-registry";

test("what is pushed can be pulled", async () => {
  await using registry = await createRegistry({ memory: true });
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request) => registry.fetch(request),
  });

  // In place of this: your program, with the address of the registry.
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update("hello").digest("hex")}`;
  const upload = new URL(`/v2/team/app/blobs/uploads/?digest=${digest}`, server.url);
  const pushed = await fetch(upload, { method: "POST", body: "hello" });
  expect(pushed.status).toBe(201);
  const pulled = await fetch(new URL(`/v2/team/app/blobs/${digest}`, server.url));
  expect(await pulled.text()).toBe("hello");
});
