// The server is killed at every step of a push into a store of objects: what was acknowledged is there, every object has
// a row, and the client goes on after the next start. A load of clients is killed under way again and again as well.

import { expect, test } from "bun:test";
import { sample } from "../contracts/store_samples.ts";
import { Journal } from "../faults/journal.ts";
import { randomOf, startLoad } from "../faults/load.ts";
import { startZot, tempDirectory, type Zot } from "../harness.ts";
import { checkObjects } from "./check_objects.ts";
import { FakeS3, type Asked, type FakeOperation } from "./fake_s3.ts";
import { driverOf, manifestHeaders, manifestOf, sha256 } from "./object_registry.ts";

const config = new TextEncoder().encode(`{"os":"linux"}`);
const small = sample(300_000);
/** Three parts. */
const large = sample(33 * 1024 * 1024);
const manifest = manifestOf(config, [small, large]);
const testMs = 240_000;

function serve(rootDirectory: string, store: FakeS3): Promise<Zot> {
  const storage = { storageDriver: driverOf(store) };
  return startZot({ rootDirectory, config: { storage, http: { workers: 1 } } });
}

/** Pushes an image; gives what was acknowledged, until something fails. */
async function push(url: string): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    for (const bytes of [config, small, large]) {
      const opened = await fetch(`${url}/v2/team/app/blobs/uploads/`, { method: "POST" });
      const location = new URL(opened.headers.get("location") ?? "", url);
      location.searchParams.set("digest", sha256(bytes));
      const answer = await fetch(location, { method: "PUT", body: bytes });
      if (answer.status !== 201) return acknowledged;
      acknowledged.push(`/v2/team/app/blobs/${sha256(bytes)}`);
    }
    const target = "/v2/team/app/manifests/1";
    const answer = await fetch(`${url}${target}`, {
      method: "PUT",
      body: manifest,
      headers: manifestHeaders,
    });
    if (answer.status === 201) acknowledged.push(target);
  } catch {
    // The server is gone.
  }
  return acknowledged;
}

/** Requests at which it is killed: before the store has it, or after, without the answer. */
const steps: readonly (readonly [FakeOperation, number])[] = [
  ["put", 1],
  ["put", 2],
  ["create", 1],
  ["part", 1],
  ["part", 3],
  ["complete", 1],
];

for (const [operation, number] of steps) {
  for (const when of ["before", "after"] as const) {
    test(
      `killed ${when} the ${number}. ${operation} is done`,
      async () => {
        await using store = await FakeS3.start();
        await using directory = await tempDirectory("zot-objects-kill");
        const root = `${directory.path}/root`;
        let acknowledged: string[] = [];
        {
          await using zot = await serve(root, store);
          let begun = 0;
          const killing: Promise<void>[] = [];
          store.fault = ({ operation: asked }: Asked) => {
            if (asked !== operation) return null;
            begun += 1;
            if (begun < number) return null;
            if (killing.length === 0) killing.push(zot.kill());
            return when === "before" ? { silent: true } : { done: true, status: 500, code: "Gone" };
          };
          acknowledged = await push(zot.url);
          expect(killing).toHaveLength(1);
          await Promise.all(killing);
        }
        store.fault = () => null;
        // The parts of a crash between their beginning and its row are the store's to end.
        const loose = operation === "create" && when === "after" ? 1 : 0;
        expect(checkObjects(root, store, loose)).toEqual([]);
        await using zot = await serve(root, store);
        for (const path of acknowledged) {
          expect({ path, status: (await fetch(`${zot.url}${path}`)).status }).toEqual({
            path,
            status: 200,
          });
        }
        expect(await push(zot.url)).toHaveLength(4);
        const pulled = await fetch(`${zot.url}/v2/team/app/blobs/${sha256(large)}`);
        expect(sha256(new Uint8Array(await pulled.arrayBuffer()))).toBe(sha256(large));
        expect(await zot.stop()).toBe(0);
        expect(checkObjects(root, store, loose)).toEqual([]);
      },
      testMs,
    );
  }
}

test(
  "killed again and again under a load of pushes, tag moves and deletes",
  async () => {
    await using store = await FakeS3.start();
    await using directory = await tempDirectory("zot-objects-kill");
    const root = `${directory.path}/root`;
    const journal = new Journal();
    const random = randomOf(7);
    const problems: string[] = [];
    for (let cycle = 0; cycle < 4; cycle += 1) {
      await using zot = await serve(root, store);
      problems.push(...(await journal.check(zot.url)));
      const load = startLoad({ url: zot.url, journal, clients: 6, seed: 7 + cycle });
      await load.acknowledged(40 + random(60));
      await zot.kill();
      await load.stop();
      problems.push(...checkObjects(root, store));
    }
    await using zot = await serve(root, store);
    problems.push(...(await journal.check(zot.url)));
    expect(await zot.stop()).toBe(0);
    problems.push(...checkObjects(root, store));
    expect(problems).toEqual([]);
    expect(journal.acknowledged).toBeGreaterThan(100);
  },
  testMs,
);
