// What a store of objects costs this process: `scripts/bun bench/objects.ts [--quick]`.
//
// CPU seconds per GiB that is sent in parts of 16 MiB (slices of a file, bytes at hand) and received, through the driver
// of S3 and by bare `fetch`, in turns, against a server that throws all away. The cheapest round of each counts.

import { parseArgs } from "node:util";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GiB, MiB } from "../src/lib/bytes.ts";
import { systemClock } from "../src/lib/clock.ts";
import { storageDriver } from "../src/storage/driver_options.ts";
import { openObjectStore } from "../src/storage/objects/open_object_store.ts";
import { startService } from "../test/processes.ts";
import { tempDirectory } from "../test/temp.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: { quick: { type: "boolean", default: false } },
});
const partBytes = 16 * MiB;
const parts = values.quick ? 16 : 64;
const rounds = values.quick ? 3 : 7;
const atOnce = 2;

await using directory = await tempDirectory("zot-bench-objects");
const path = join(directory.path, "file");
const bytes = crypto.getRandomValues(new Uint8Array(65_536));
const part = new Uint8Array(partBytes);
for (let at = 0; at < partBytes; at += bytes.length) part.set(bytes, at);
await writeFile(path, part);
await using server = startService([process.execPath, join(import.meta.dir, "objects_server.ts")]);
const port = await server.waitForLine("its port", (line) => /^\d+$/.test(line));
const url = `http://127.0.0.1:${port}`;
const store = openObjectStore(
  storageDriver.parse({
    name: "s3",
    bucket: "bucket",
    regionendpoint: url,
    secure: false,
    accesskey: "key",
    secretkey: "secret",
  }),
  { clock: systemClock, env: {}, report: console.error },
);
const upload = { upload: "upload" };
const key = `objects/${partBytes}`;

const ways: Readonly<
  Record<string, Readonly<Record<"driver" | "fetch", (n: number) => Promise<unknown>>>>
> = {
  "slices of a file, sent": {
    driver: (n) => store.putPart(key, upload, n, Bun.file(path).slice(0, partBytes)),
    fetch: () => sent(Bun.file(path).slice(0, partBytes)),
  },
  "bytes at hand, sent": {
    driver: (n) => store.putPart(key, upload, n, part),
    fetch: () => sent(part),
  },
  "received and dropped": {
    driver: async () => dropped(await store.get(key, null)),
    fetch: async () => dropped((await fetch(`${url}/bucket/${key}`)).body),
  },
};

async function sent(body: Blob | Uint8Array<ArrayBuffer>): Promise<void> {
  await (await fetch(`${url}/bucket/${key}`, { method: "PUT", body })).text();
}

async function dropped(stream: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = stream?.getReader();
  while ((await reader?.read())?.done === false);
}

async function cpuSecondsPerGiB(way: (n: number) => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  let next = 1;
  const line = async (): Promise<void> => {
    for (let n = next; n <= parts; n = next) {
      next += 1;
      await way(n);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, line));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / ((parts * partBytes) / GiB);
}

for (const [name, { driver, fetch: bare }] of Object.entries(ways)) {
  const figures = { driver: [] as number[], bare: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    figures.bare.push(await cpuSecondsPerGiB(bare));
    figures.driver.push(await cpuSecondsPerGiB(driver));
  }
  const [ours, floor] = [Math.min(...figures.driver), Math.min(...figures.bare)];
  console.log(
    `${name}: ${ours.toFixed(2)} CPU s per GiB, bare fetch ${floor.toFixed(2)}: ${(ours / floor).toFixed(2)} times`,
  );
}
await store.close();
