// What the journal of the fault tests holds a server to, and what it leaves open.

import { expect, test } from "bun:test";
import { Journal, sha256 } from "./journal.ts";

const repository = "load/r0";
const bytes = new TextEncoder().encode("{}");
const other = new TextEncoder().encode("[]");

/** A server that answers what `contents` has, and 404 otherwise. */
function serverOf(contents: Readonly<Record<string, Uint8Array<ArrayBuffer>>>) {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const found = contents[new URL(request.url).pathname.replace(`/v2/${repository}/`, "")];
      if (found === undefined) return new Response(null, { status: 404 });
      return new Response(found, { headers: { "docker-content-digest": sha256(found) } });
    },
  });
  return { url: server.url.origin, [Symbol.dispose]: () => void server.stop(true) };
}

test("what was acknowledged before a power cut must be there, what came after it may be", async () => {
  const journal = new Journal();
  journal.stored(repository, "blobs", sha256(bytes), bytes);
  journal.moving(repository, "v1", sha256(bytes));
  journal.moved(repository, "v1");
  journal.moving(repository, "v1", sha256(other));
  journal.moving(repository, "v2", sha256(other));
  journal.powerIsCut();
  journal.stored(repository, "blobs", sha256(other), other);
  journal.moved(repository, "v1");
  journal.moved(repository, "v2");
  expect([journal.acknowledged, journal.unknown]).toEqual([2, 3]);

  using before = serverOf({ [`blobs/${sha256(bytes)}`]: bytes, "manifests/v1": bytes });
  expect(await journal.check(before.url)).toEqual([]);
  using after = serverOf({
    [`blobs/${sha256(bytes)}`]: bytes,
    [`blobs/${sha256(other)}`]: other,
    "manifests/v1": other,
    "manifests/v2": other,
  });
  expect(await journal.check(after.url)).toEqual([]);
  using lost = serverOf({});
  expect(await journal.check(lost.url)).toHaveLength(2);
  using wrong = serverOf({
    [`blobs/${sha256(bytes)}`]: bytes,
    [`blobs/${sha256(other)}`]: bytes,
    "manifests/v1": bytes,
  });
  expect(await journal.check(wrong.url)).toHaveLength(1);
});

test("after the next start acknowledgements count again, and one from before the cut still does", async () => {
  const journal = new Journal();
  journal.stored(repository, "blobs", sha256(bytes), bytes);
  journal.powerIsCut();
  journal.stored(repository, "blobs", sha256(bytes), bytes);
  journal.resume();
  journal.stored(repository, "blobs", sha256(other), other);
  using lost = serverOf({});
  expect(await journal.check(lost.url)).toHaveLength(2);
});
