// A server that is killed in the middle of rounds of checks, again and again: what is damaged is served by none of them,
// and is kept; what is right stays; and pushes heal all of it in the end.

import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { eventually, startZot, tempDirectory, type Zot } from "../harness.ts";
import { content, pattern, type Content } from "../http/content.ts";

const repositories = ["a", "b/c"];
/** Too large for memory. */
const blobs: readonly Content[] = Array.from({ length: 24 }, (_, seed) => {
  const { bytes } = pattern(100_000);
  return content(new Uint8Array([seed, ...bytes]));
});
const damaged = blobs.filter((_, place) => place % 2 === 0);
const hexOf = ({ digest }: Content): string => digest.slice("sha256:".length);

async function push(zot: Zot, at: string, { bytes, digest }: Content): Promise<number> {
  const target = `${zot.url}/v2/${at}/blobs/uploads/?digest=${digest}`;
  return (await fetch(target, { method: "POST", body: Buffer.from(bytes) })).status;
}

/** "right", "wrong", or the status of an answer that is no success. */
async function pull(zot: Zot, at: string, { digest }: Content): Promise<string | number> {
  const answer = await fetch(`${zot.url}/v2/${at}/blobs/${digest}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.status !== 200) return answer.status;
  const found = createHash("sha256").update(bytes).digest("hex");
  return `sha256:${found}` === digest ? "right" : "wrong";
}

const marks = async (zot: Zot): Promise<number> => {
  const answer = await fetch(`${zot.url}/v2/_zot/scrub`);
  return ((await answer.json()) as { damaged: { copies: number } }).damaged.copies;
};

test("what is damaged is served by none of them, and is kept; pushes heal all of it", async () => {
  await using directory = await tempDirectory("zot-killed");
  const rootDirectory = join(directory.path, "root");
  const storage = { rootDirectory };
  {
    await using zot = await startZot({ config: { http: { workers: 1 }, storage } });
    for (const at of repositories) {
      for (const blob of blobs) expect(await push(zot, at, blob)).toBe(201);
    }
    expect(await zot.stop()).toBe(0);
  }
  for (const blob of damaged) {
    const file = await open(join(rootDirectory, "a/blobs/sha256", hexOf(blob)), "r+");
    await file.write(new Uint8Array([255]), 0, 1, 50_000);
    await file.close();
  }
  const config = { http: { workers: 1 }, storage, extensions: { scrub: { enable: true } } };
  const all = damaged.length * repositories.length;
  for (const seen of [1, 8, 16]) {
    await using zot = await startZot({ config });
    await eventually("some of it is found", async () => (await marks(zot)) >= seen);
    await zot.kill();
  }
  await using zot = await startZot({ config });
  await eventually("all of it is found", async () => (await marks(zot)) === all);
  await eventually("the round ends", () =>
    zot.logs().some((line) => line["msg"] === "a round of checks has ended"),
  );
  for (const at of repositories) {
    for (const blob of blobs) {
      const expected = damaged.includes(blob) ? 500 : "right";
      expect([at, blob.digest, await pull(zot, at, blob)]).toEqual([at, blob.digest, expected]);
    }
  }
  // Each file once, with the bytes that the disk had, and nothing on its way.
  const kept = readdirSync(join(rootDirectory, "_zot/damaged"));
  expect(kept.map((name) => name.split(".")[0]!).toSorted()).toEqual(
    damaged.map(({ digest }) => digest).toSorted(),
  );
  for (const name of kept) {
    const bytes = await readFile(join(rootDirectory, "_zot/damaged", name));
    expect([bytes.length, bytes[50_000]]).toEqual([100_001, 255]);
  }
  for (const blob of damaged) {
    for (const at of repositories) {
      expect(existsSync(join(rootDirectory, at, "blobs/sha256", hexOf(blob)))).toBe(false);
    }
    expect(await push(zot, "b/c", blob)).toBe(201);
  }
  expect(await marks(zot)).toBe(0);
  for (const at of repositories) {
    for (const blob of blobs) expect(await pull(zot, at, blob)).toBe("right");
  }
  expect(await zot.stop()).toBe(0);
});
