// What a start with a store of objects refuses, in one line each, without secrets: a bucket that is not there, keys that
// are refused, the bucket of another registry, metadata without their bucket, and content that lies elsewhere.

import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import pino from "pino";
import { checkConfig } from "../../src/config/load.ts";
import type { Log } from "../../src/lib/log.ts";
import { collectOffline, startServer } from "../../src/server.ts";
import { sample } from "../contracts/store_samples.ts";
import { run } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { testedProgram } from "../tested_program.ts";
import { FakeS3 } from "./fake_s3.ts";
import { driverOf, sha256 } from "./object_registry.ts";

function configOf(rootDirectory: string, storageDriver: object | null) {
  const storage = { rootDirectory, ...(storageDriver === null ? {} : { storageDriver }) };
  const loaded = checkConfig({ storage, http: { address: "127.0.0.1", port: "0", workers: 1 } });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  return loaded.config;
}

function quiet(): Log {
  const log = pino({ level: "silent" });
  return Object.assign(log, { access: log });
}

/** Starts, runs something, and stops. */
async function served(
  rootDirectory: string,
  driver: object | null,
  work: (url: string) => Promise<void> = async () => {},
): Promise<string> {
  try {
    const server = await startServer(configOf(rootDirectory, driver), quiet());
    try {
      await work(server.url);
    } finally {
      await server.stop();
    }
    return "served";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const bytes = sample(100_000);

async function push(url: string): Promise<void> {
  const target = `${url}/v2/team/app/blobs/uploads/?digest=${sha256(bytes)}`;
  expect((await fetch(target, { method: "POST", body: bytes })).status).toBe(201);
}

async function opened() {
  const fake = await FakeS3.start();
  const directory = await tempDirectory("zot-start");
  const root = async (name: string): Promise<string> => {
    const path = join(directory.path, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  return {
    fake,
    root,
    [Symbol.asyncDispose]: async () => {
      await fake[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

test("a store that cannot be used stops the start in one line, without secrets", async () => {
  await using place = await opened();
  const root = await place.root("one");
  const secret = { secretkey: "tops3cret" };
  for (const wrong of [{ bucket: "another" }, { accesskey: "nobody" }]) {
    const line = await served(root, driverOf(place.fake, { ...wrong, ...secret }));
    expect(line).toStartWith("storage.storageDriver: s3 bucket ");
    expect(line).not.toContain("\n");
    expect(line).not.toContain("tops3cret");
  }
});

test("a bucket and its metadata find each other again; any other pair is refused", async () => {
  await using place = await opened();
  const [own, other, files] = [
    await place.root("own"),
    await place.root("other"),
    await place.root("files"),
  ];
  const driver = driverOf(place.fake);
  expect(await served(own, driver, push)).toBe("served");
  expect(await served(own, driver)).toBe("served");
  // Metadata of another bucket, or none, over this one.
  expect(await served(other, driver)).toContain("found none in");
  // This registry's metadata over another place.
  const elsewhere = driverOf(place.fake, { rootdirectory: "elsewhere" });
  expect(await served(own, elsewhere)).toContain("expected registry.json in the bucket");
  expect(await served(other, elsewhere, push)).toBe("served");
  expect(await served(own, elsewhere)).toContain("found that of another one");
  expect(await served(own, null)).toContain("expected the store that holds the content");
  expect(await served(files, null, push)).toBe("served");
  const third = driverOf(place.fake, { rootdirectory: "third" });
  expect(await served(files, third)).toContain("found some whose content lies elsewhere");
  expect(await served(own, driver)).toBe("served");
});

test("a start that was cut off before the bucket had its id goes on", async () => {
  await using place = await opened();
  const root = await place.root("one");
  const driver = driverOf(place.fake);
  let isCut = true;
  place.fake.fault = ({ operation, key }) =>
    isCut && operation === "put" && key === "registry.json"
      ? { status: 403, code: "AccessDenied" }
      : null;
  expect(await served(root, driver)).toStartWith("storage.storageDriver: s3 bucket ");
  isCut = false;
  expect(await served(root, driver, push)).toBe("served");
  expect(await served(root, driver)).toBe("served");
});

test("collection without a server takes names away, and a dry run nothing", async () => {
  await using place = await opened();
  const root = await place.root("one");
  const driver = driverOf(place.fake);
  expect(await served(root, driver, push)).toBe("served");
  const objects = place.fake.objects.size;
  const lines: string[] = [];
  const options = {
    deleteUntagged: false,
    olderThanMs: 0,
    line: ({ what, reference }: { what: string; reference: string }) =>
      lines.push(`${what} ${reference}`),
    problem: (text: string) => lines.push(text),
  };
  for (const dryRun of [true, false, false]) {
    lines.length = 0;
    const { blobs } = await collectOffline(configOf(root, driver), { ...options, dryRun });
    const gone = dryRun || lines.length > 0;
    expect({ blobs, lines }).toEqual(
      gone ? { blobs: 1, lines: [`delete ${sha256(bytes)}`, "delete "] } : { blobs: 0, lines: [] },
    );
  }
  // A job of the server removes the object, later.
  expect(place.fake.objects.size).toBe(objects);
  const pull = async (url: string): Promise<void> => {
    expect((await fetch(`${url}/v2/team/app/blobs/${sha256(bytes)}`)).status).toBe(404);
  };
  expect(await served(root, driver, pull)).toBe("served");
});

test("zot scrub of the directory says that the content lies elsewhere, and does not say that it is fine", async () => {
  await using place = await opened();
  const root = await place.root("one");
  expect(await served(root, driverOf(place.fake), push)).toBe("served");
  const scrubbed = await run(await testedProgram(), ["scrub", "-r", root]);
  expect(scrubbed.code).toBe(1);
  expect(scrubbed.stderr).toContain("its content lies in a store of objects");
});
