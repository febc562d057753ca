// The feed of a server of several worker processes, one of which is killed in the middle: what was acknowledged is in it
// once, in the order of the commits, and nothing that was not pushed.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../src/lib/clock.ts";
import { SqliteMetadata } from "../src/metadata/sqlite/sqlite_metadata.ts";
import { SqliteWriter } from "../src/metadata/sqlite/sqlite_writer.ts";
import { metadataFile } from "../src/storage/layout.ts";
import { signalTo, startZot } from "./harness.ts";
import { noBytes } from "./contracts/no_bytes.ts";

const mediaType = "application/vnd.oci.image.index.v1+json";
const workers = 3;
const pushers = 6;
const rounds = 40;

test("every push that was acknowledged is in the feed once and in order, also when a worker is killed", async () => {
  await using zot = await startZot({ config: { http: { workers }, storage: { commit: false } } });
  const sent = new Set<string>();
  const acknowledged: string[][] = [];
  const push = async (tag: string): Promise<boolean> => {
    sent.add(tag);
    const answer = await fetch(`${zot.url}/v2/team/app/manifests/${tag}`, {
      method: "PUT",
      headers: { "content-type": mediaType, connection: "close" },
      body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [], annotations: { tag } }),
    }).catch(() => null);
    return answer?.status === 201;
  };
  const [victim] = zot.workerPids();
  const pusher = async (name: number): Promise<void> => {
    const own: string[] = [];
    acknowledged.push(own);
    for (let round = 0; round < rounds; round += 1) {
      if (name === 0 && round === rounds / 2) signalTo(victim!, "SIGKILL");
      const tag = `v${name}-${round}`;
      if (await push(tag)) own.push(tag);
    }
  };
  await Promise.all(Array.from({ length: pushers }, (_, name) => pusher(name)));
  expect(await zot.stop()).toBe(0);
  const answering = zot.logs().filter(({ what }) => what === "manifest.put");
  expect(new Set(answering.map(({ worker }) => worker)).size).toBeGreaterThan(1);

  const path = join(zot.rootDirectory, metadataFile);
  const bytes = noBytes;
  const writer = new SqliteWriter({ path, durable: false, clock: systemClock, bytes });
  const metadata = new SqliteMetadata(path, writer);
  const feed = await metadata.feed(0, 9999);
  const tags = feed.map(({ tag }) => tag ?? "");
  expect(new Set(tags).size).toBe(tags.length);
  expect(tags.filter((tag) => !sent.has(tag))).toEqual([]);
  // What one client pushed after the answer to the push before stands behind it.
  for (const own of acknowledged) {
    expect(own.length).toBeGreaterThan(rounds / 2);
    expect(tags.filter((tag) => own.includes(tag))).toEqual(own);
  }
  const generations = feed.map(({ generation }) => generation);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  await metadata.close();
  await writer.close();
});
