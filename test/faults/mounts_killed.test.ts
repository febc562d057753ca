// A server that is killed while it copies content from one store into another: what was acknowledged is there byte for
// byte, what was not is wholly there or not at all, and what a copy had begun goes as any idle upload.

import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { sample } from "../contracts/store_samples.ts";
import { eventually, startZot, tempDirectory, testedProgram, run } from "../harness.ts";
import { content, type Content } from "../http/content.ts";

const rounds = 6;
/** As large that a copy takes some time, and each of other bytes. */
const large = Array.from({ length: rounds }, (_, at) => content(sample(40_000_000, at + 1)));

async function pushAll(url: string, pushed: Content): Promise<void> {
  const path = `${url}/v2/base/app/blobs/uploads/?digest=${pushed.digest}`;
  const answer = await fetch(path, { method: "POST", body: Buffer.from(pushed.bytes) });
  expect(answer.status).toBe(201);
}

/** The bytes that are served; null for 404. */
async function served(url: string, at: string, { digest }: Content): Promise<Uint8Array | null> {
  const answer = await fetch(`${url}/v2/${at}/blobs/${digest}`);
  const bytes = await answer.bytes();
  if (answer.status === 404) return null;
  expect(answer.status).toBe(200);
  return bytes;
}

test("a mount between two stores survives kills, whole or not at all", async () => {
  await using directory = await tempDirectory("zot-mounts");
  const [root, team] = ["main", "team"].map((name) => join(directory.path, name)) as [
    string,
    string,
  ];
  const storage = {
    rootDirectory: root,
    gc: false,
    uploadIdle: "1s",
    subPaths: { "/team": { rootDirectory: team } },
  };
  const command = await testedProgram();
  const acknowledged = new Set<string>();
  let seen = 0;
  for (const [at, blob] of large.entries()) {
    {
      await using zot = await startZot({ config: { storage } });
      await pushAll(zot.url, blob);
      const path = `${zot.url}/v2/team/app/blobs/uploads/?mount=${blob.digest}&from=base/app`;
      const mounted = fetch(path, { method: "POST" }).then(
        ({ status }) => status,
        () => null,
      );
      // From at once to when it is done: whichever moment it is, the outcome is one of two.
      await Promise.race([mounted, pause(at * 25)]);
      await zot.kill();
      const status = await mounted;
      if (status === 201) acknowledged.add(blob.digest);
      else expect(status).toBeNull();
    }
    await using zot = await startZot({ config: { storage } });
    const found = await served(zot.url, "team/app", blob);
    if (found !== null) {
      expect(Buffer.compare(found, Buffer.from(blob.bytes))).toBe(0);
      seen += 1;
    } else expect(acknowledged.has(blob.digest)).toBe(false);
    const source = await served(zot.url, "base/app", blob);
    expect(source === null ? null : Buffer.compare(source, Buffer.from(blob.bytes))).toBe(0);
    expect(await zot.stop()).toBe(0);
  }
  expect(seen).toBeGreaterThanOrEqual(acknowledged.size);
  await using zot = await startZot({ config: { storage } });
  const isGone = async () => (await readdir(join(team, "_zot/uploads"))).length === 0;
  await eventually("what copies had begun is gone", isGone);
  expect(await zot.stop()).toBe(0);
  const scrubbed = await run(command, ["scrub", "-r", root]);
  expect(scrubbed.code).toBe(0);
}, 300_000);
