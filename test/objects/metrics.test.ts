// What waits to be removed from a store of objects shows on the metrics page, and nothing of it where content lies in
// files.

import { expect, test } from "bun:test";
import { startZot } from "../harness.ts";
import { FakeS3 } from "./fake_s3.ts";
import { driverOf, sha256 } from "./object_registry.ts";

const metrics = { extensions: { metrics: { enable: true } } };
const document = (n: number): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
      // Smaller ones would lie in the metadata.
      annotations: { n: String(n), long: "x".repeat(300_000) },
    }),
  );

test("zot_objects counts what nothing names", async () => {
  await using store = await FakeS3.start();
  const config = { storage: { storageDriver: driverOf(store) }, ...metrics };
  await using zot = await startZot({ config });
  const bytes = document(1);
  for (let count = 0; count < 3; count += 1) {
    const answer = await fetch(`${zot.url}/v2/team/app/manifests/${sha256(bytes)}`, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
    });
    expect(answer.status).toBe(201);
  }
  const page = await (await fetch(`${zot.url}/metrics`)).text();
  expect(page).toContain(`zot_objects{state="writing"} 0\n`);
  expect(page).toContain(`zot_objects{state="garbage"} 2\n`);
  expect(page).toContain(`zot_objects_bytes{state="garbage"} ${2 * bytes.length}\n`);
  expect(await zot.stop()).toBe(0);
});

test("a registry on files has no such lines", async () => {
  await using zot = await startZot({ config: metrics });
  expect(await (await fetch(`${zot.url}/metrics`)).text()).not.toContain("zot_objects");
});
