// zot's own test of its scrub extension (test/blackbox/scrub.bats), played through: a layout is copied into the root, a
// server starts, and what it logs is looked for as that test does, by `message`. Then the rest of what a user would do.

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mediaTypes } from "../src/oci/media_types.ts";
import { eventually, startZot, tempDirectory, testedProgram, type Zot } from "./harness.ts";
import { config, descriptor, image, pattern, type Content } from "./http/content.ts";

const layers = [pattern(50_000), pattern(400_000)];
const golang = image({ layers: layers.map((each) => descriptor(each, mediaTypes.ociLayer)) });

/** What `skopeo copy … oci:golang:1.17` leaves. */
async function addTestFiles(root: string): Promise<void> {
  const blobs = join(root, "golang/blobs/sha256");
  await mkdir(blobs, { recursive: true });
  for (const { bytes, digest } of [config, ...layers, golang]) {
    await writeFile(join(blobs, hexOf(digest)), bytes);
  }
  const annotations = { "org.opencontainers.image.ref.name": "1.17" };
  const manifests = [{ ...descriptor(golang, golang.mediaType), annotations }];
  await writeFile(join(root, "golang/index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(root, "golang/oci-layout"), '{"imageLayoutVersion": "1.0.0"}');
}

const hexOf = (digest: string): string => digest.slice("sha256:".length);

interface Played {
  readonly root: string;
  readonly log: string;
  readonly config: object;
}

/** As its setup writes the configuration: the log lies in the root. */
function played(directory: string): Played {
  const root = join(directory, "zot");
  const log = join(root, "zot-log.json");
  const extensions = { scrub: { enable: true, interval: "2h" } };
  return {
    root,
    log,
    config: {
      storage: { rootDirectory: root },
      log: { level: "debug", output: log },
      extensions,
    },
  };
}

async function started({ root, log, config: given }: Played): Promise<Zot> {
  // Its own log file is no output that the harness could wait for.
  const { log: _log, ...rest } = given as { log: object };
  await writeFile(log, "");
  return startZot({ rootDirectory: root, config: rest });
}

const messages = (zot: Zot): string[] =>
  zot.logs().flatMap(({ message }) => (typeof message === "string" ? [message] : []));
const isTold = (zot: Zot, text: string): Promise<unknown> =>
  eventually(`the log says ${text}`, () => messages(zot).some((message) => message.includes(text)));

test("blobs/manifest integrity not affected", async () => {
  await using directory = await tempDirectory("zot-bats");
  const at = played(directory.path);
  await addTestFiles(at.root);
  await using zot = await started(at);
  await isTold(zot, "blobs/manifest ok");
  expect(messages(zot)).not.toContain("blobs/manifest affected");
  expect(await zot.stop()).toBe(0);
});

test("blobs/manifest integrity affected: whichever layer is missing, before the first start or after it", async () => {
  for (const missing of layers) {
    await using directory = await tempDirectory("zot-bats");
    const at = played(directory.path);
    await addTestFiles(at.root);
    const file = join(at.root, "golang/blobs/sha256", hexOf(missing.digest));
    await rm(file);
    {
      await using zot = await started(at);
      await isTold(zot, "blobs/manifest affected");
      const line = zot.logs().find((each) => each["message"] === "blobs/manifest affected");
      expect(line).toMatchObject({
        level: "warn",
        image: "golang",
        tag: "1.17",
        status: "affected",
        "affected blob": hexOf(missing.digest),
        error: "blob not found",
      });
      // It is listed all the same.
      const tags = await fetch(`${zot.url}/v2/golang/tags/list`);
      expect(await tags.json()).toEqual({ name: "golang", tags: ["1.17"] });
      expect(await pushBlob(zot, missing)).toBe(201);
      expect(await zot.stop()).toBe(0);
    }
    {
      await using zot = await started(at);
      await isTold(zot, "blobs/manifest ok");
      expect(messages(zot)).not.toContain("blobs/manifest affected");
      expect(await zot.stop()).toBe(0);
    }
    await rm(file);
    await using zot = await started(at);
    await isTold(zot, "blobs/manifest affected");
    const path = `${zot.url}/v2/golang/blobs/${missing.digest}`;
    expect((await fetch(path)).status).toBe(500);
    expect((await fetch(path, { method: "HEAD" })).status).toBe(404);
    expect(await pushBlob(zot, missing)).toBe(201);
    const answer = await fetch(path);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from(missing.bytes));
    expect(await zot.stop()).toBe(0);
  }
});

async function pushBlob(zot: Zot, { bytes, digest }: Content): Promise<number> {
  const target = `${zot.url}/v2/golang/blobs/uploads/?digest=${digest}`;
  return (await fetch(target, { method: "POST", body: Buffer.from(bytes) })).status;
}

test("a manifest that is gone leaves its layout alone, and takes nothing along", async () => {
  await using directory = await tempDirectory("zot-bats");
  const at = played(directory.path);
  await addTestFiles(at.root);
  await rm(join(at.root, "golang/blobs/sha256", hexOf(golang.digest)));
  await using zot = await started(at);
  await eventually("a round has ended", () => messages(zot).length > 0 && rounds(zot) > 0);
  const left = await readdir(join(at.root, "golang/blobs/sha256"));
  expect(left).toHaveLength(3);
  expect(await zot.stop()).toBe(0);
  expect(existsSync(join(at.root, "golang/index.json"))).toBe(true);
});

const rounds = (zot: Zot): number =>
  zot.logs().filter((line) => line["msg"] === "a round of checks has ended").length;

test("checks are turned on and off while the server runs; workers forget what is damaged", async () => {
  const http = { workers: 2 };
  await using zot = await startZot({ config: { http, extensions: { scrub: { enable: false } } } });
  const [blob] = layers;
  const path = `${zot.url}/v2/golang/blobs/${blob!.digest}`;
  /** Of some requests at once, which the workers share. */
  const statuses = async (): Promise<number[]> => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const answer = await fetch(path, { headers: { connection: "close" } });
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
    return [...new Set(answers)];
  };
  expect(await pushBlob(zot, blob!)).toBe(201);
  // Right bytes are in memory from now on.
  expect(await statuses()).toEqual([200]);
  const file = join(zot.rootDirectory, "golang/blobs/sha256", hexOf(blob!.digest));
  await writeFile(file, new Uint8Array(blob!.bytes.length));
  const state = async (): Promise<string> => {
    const answer = await fetch(`${zot.url}/v2/_zot/scrub`);
    return ((await answer.json()) as { state: string }).state;
  };
  expect(await state()).toBe("off");
  await zot.configure({ http, extensions: { scrub: { enable: true } } });
  process.kill(zot.pid, "SIGHUP");
  await eventually("a round has ended", () => rounds(zot) > 0);
  await eventually("the next one is waited for", async () => (await state()) === "waiting");
  expect(await statuses()).toEqual([500]);
  expect(await pushBlob(zot, blob!)).toBe(201);
  expect(await statuses()).toEqual([200]);
  await zot.configure({ http, extensions: { scrub: { enable: false } } });
  process.kill(zot.pid, "SIGHUP");
  await eventually("checks are off", async () => (await state()) === "off");
  expect(await zot.stop()).toBe(0);
});

test("a log file has the lines, too, each with its message", async () => {
  await using directory = await tempDirectory("zot-bats");
  const { root, log, config: given } = played(directory.path);
  await addTestFiles(root);
  const file = join(directory.path, "zot_config.json");
  const http = { address: "127.0.0.1", port: "0" };
  await writeFile(file, JSON.stringify({ ...given, http }));
  const child = Bun.spawn([await testedProgram(), "serve", file], {
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    const said = async (): Promise<string> => readFile(log, "utf8").catch(() => "");
    await eventually("the file says so", async () =>
      (await said()).includes('"message":"blobs/manifest ok"'),
    );
  } finally {
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  }
});
