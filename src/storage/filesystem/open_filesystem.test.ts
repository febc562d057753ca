// The file system stores pass the contracts of stores (test/contracts/stores.ts), durable and not; and what only they
// do: modes, hard links, leftovers, full disks, and the order of the calls that durability rests on.

import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { storesContract } from "../../../test/contracts/stores.ts";
import { held, sample, unlimited, uploaded } from "../../../test/contracts/store_samples.ts";
import { canMount, smallDisk } from "../../../test/faults/small_disk.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { requireTool, run, runOk } from "../../../test/processes.ts";
import { tempDirectory } from "../../../test/temp.ts";
import { manualClock, systemClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";
import { blobKey } from "../layout.ts";
import { openFilesystem, type FilesystemStores } from "./open_filesystem.ts";
import { reasonOf } from "../../../test/reason_of.ts";

const ten = sample(10);
const digest = digestOf("sha256", ten);
/** What the process of `filesystem_process.ts` finishes, and shares. */
const published = blobKey("team", digestOf("sha256", sample(1000)));
const shared = blobKey("other", digestOf("sha256", sample(1000)));

const script = join(import.meta.dir, "../../../test/contracts/filesystem_process.ts");

for (const durable of [true, false]) {
  storesContract(`file system, ${durable ? "durable" : "not durable"}`, async () => {
    const directory = await memoryDirectory("zot-files");
    const rootDirectory = directory.path;
    const clock = manualClock(Date.now());
    const openings = [openFilesystem({ rootDirectory, durable, clock })];
    await openings[0]!.prepare();
    return {
      stores: openings[0]!,
      comparesBytes: true,
      clock,
      another: () => {
        const opening = openFilesystem({ rootDirectory, durable, clock });
        openings.push(opening);
        return opening;
      },
      elsewhere: {
        digest: async (id, algorithm) => {
          const command = [script, rootDirectory, "digest", id, algorithm];
          return (await runOk(process.execPath, command)).stdout;
        },
        hold: async (id) => {
          const child = Bun.spawn([process.execPath, script, rootDirectory, "hold", id], {
            stdin: "pipe",
            stdout: "pipe",
          });
          for await (const line of child.stdout) {
            if (new TextDecoder().decode(line).includes("held")) break;
          }
          return {
            kill: async () => {
              child.kill("SIGKILL");
              await child.exited;
            },
            release: async () => {
              await child.stdin.end();
              await child.exited;
            },
          };
        },
      },
      [Symbol.asyncDispose]: async () => {
        for (const opening of openings) await opening.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  });
}

async function openStores(rootDirectory: string, durable = true): Promise<FilesystemStores> {
  const stores = openFilesystem({ rootDirectory, durable, clock: systemClock });
  await stores.prepare();
  return stores;
}

describe("files", () => {
  test("belong to the server's user alone", async () => {
    await using directory = await tempDirectory();
    const stores = await openStores(directory.path);
    await uploaded(stores.uploads, "one", sample(10));
    await stores.files.replace("team/app/index.json", sample(10));
    const upload = await held(stores.uploads, "one");
    await upload.finish("team/app", digest);
    await upload.close();
    const modeOf = async (name: string) => (await stat(join(directory.path, name))).mode & 0o777;
    for (const name of ["team/app/index.json", blobKey("team/app", digest), "_zot/uploads/one"]) {
      expect([name, await modeOf(name)]).toEqual([name, 0o600]);
    }
    for (const name of ["team", "team/app", "team/app/blobs/sha256", "_zot", "_zot/uploads"]) {
      expect([name, await modeOf(name)]).toEqual([name, 0o700]);
    }
    await stores.close();
  });

  test("that are linked are one inode, also where a copy stood before", async () => {
    await using directory = await tempDirectory();
    const stores = await openStores(directory.path);
    await stores.files.replace("a/one", sample(10));
    await stores.files.replace("c/one", sample(10));
    await stores.files.link("a/one", "b/one");
    await stores.files.link("a/one", "c/one");
    const infos = await Promise.all(
      ["a", "b", "c"].map((at) => stat(join(directory.path, at, "one"))),
    );
    expect(new Set(infos.map(({ ino }) => ino)).size).toBe(1);
    expect(infos[0]!.nlink).toBe(3);
    await stores.close();
  });

  test("left in the temporary directory go when they are old, and only those", async () => {
    await using directory = await tempDirectory();
    const stores = await openStores(directory.path);
    const temporary = join(directory.path, "_zot/temporary");
    await writeFile(join(temporary, "old"), "x");
    await writeFile(join(temporary, "young"), "x");
    const twoHoursAgo = Date.now() / 1000 - 7200;
    await utimes(join(temporary, "old"), twoHoursAgo, twoHoursAgo);
    expect(await stores.files.sweepTemporary(3_600_000)).toBe(1);
    expect(await stores.files.sweepTemporary(3_600_000)).toBe(0);
    expect(await readFile(join(temporary, "young"), "utf8")).toBe("x");
    await stores.close();
  });

  test("that vanished behind the server's back are made again where a name needs their directory", async () => {
    await using directory = await tempDirectory();
    const stores = await openStores(directory.path);
    const key = blobKey("team/app", digest);
    await uploaded(stores.uploads, "one", sample(10));
    const upload = await held(stores.uploads, "one");
    for (let round = 0; round < 2; round += 1) {
      await upload.finish("team/app", digest);
      await stores.files.replace("team/app/index.json", sample(3));
      await stores.files.link(key, "team/other/blobs/sha256/one");
      expect(await stores.files.read(key, 10)).toEqual(sample(10));
      expect(await stores.files.read("team/other/blobs/sha256/one", 10)).toEqual(sample(10));
      await runOk("rm", ["-r", join(directory.path, "team")]);
    }
    await upload.close();
    await stores.close();
  });

  test("trouble that is not absence is told, never taken for absence", async () => {
    await using directory = await tempDirectory();
    const stores = await openStores(directory.path);
    // A file where a directory belongs: ENOTDIR, which is no answer to "is it there?".
    await stores.files.replace("team", sample(1));
    const key = "team/app";
    expect(String(await reasonOf(stores.files.stat(key)))).toContain("ENOTDIR");
    expect(String(await reasonOf(stores.files.read(key, 10)))).toContain("ENOTDIR");
    expect(String(await reasonOf(stores.files.list(key)))).toContain("ENOTDIR");
    expect(String(await reasonOf(stores.files.remove(key)))).toContain("ENOTDIR");
    expect(() => stores.files.readNow(key)).toThrow("ENOTDIR");
    expect(() => stores.files.sizeNow(key)).toThrow("ENOTDIR");
    expect(() => stores.files.removeNow(key)).toThrow("ENOTDIR");
    await stores.close();
  });
});

describe.skipIf(!(await canMount()))("a full disk", () => {
  const mebibyte = 1024 * 1024;

  test("refuses content and leaves what stood there, with nothing half-way", async () => {
    await using disk = await smallDisk(4 * mebibyte);
    const stores = await openStores(disk.path);
    await stores.files.replace("team/app", sample(1000, 1));
    await stores.files.replace("team/linked", sample(1000, 1));
    disk.fill();
    const key = "team/app";
    for (const at of [key, "a/new/place"]) {
      const refused = stores.files.replace(at, sample(100_000, 2));
      expect(await reasonOf(refused)).toBeInstanceOf(StorageFull);
    }
    expect(await stores.files.read(key, 1000)).toEqual(sample(1000, 1));
    expect(await stores.files.sweepTemporary(Number.NEGATIVE_INFINITY)).toBe(0);
    disk.free();
    await stores.files.replace(key, sample(100_000, 2));
    expect(await stores.files.read(key, 100_000)).toEqual(sample(100_000, 2));
    await stores.close();
  });

  for (const kind of ["bytes", "a request", "a request without a length"]) {
    for (const before of [0, 5000]) {
      test(`takes nothing of ${kind} that does not fit after ${before} bytes, and all of it later`, async () => {
        await using disk = await smallDisk(4 * mebibyte);
        const stores = await openStores(disk.path);
        await uploaded(stores.uploads, "one", sample(before));
        disk.fill(mebibyte);
        const bytes = sample(2 * mebibyte, 3);
        const source = () => ({
          body: kind === "bytes" ? bytes : new Request("http://x/", { method: "PUT", body: bytes }),
          lengthBytes: kind.endsWith("length") ? null : bytes.length,
        });
        const upload = await held(stores.uploads, "one");
        expect(await reasonOf(upload.append(source(), unlimited))).toBeInstanceOf(StorageFull);
        expect(upload.sizeBytes).toBe(before);
        expect((await stores.uploads.stat("one"))?.sizeBytes).toBe(before);
        expect(await upload.digest("sha256")).toBe(digestOf("sha256", sample(before)));
        disk.free();
        await upload.append(source(), unlimited);
        const all = Buffer.concat([sample(before), bytes]);
        expect(await upload.digest("sha256")).toBe(digestOf("sha256", all));
        const allDigest = digestOf("sha256", all);
        await upload.finish("team/app", allDigest);
        const content = await stores.blobs.read("team/app", allDigest, all.length);
        expect(content).toEqual(new Uint8Array(all));
        await upload.close();
        await stores.close();
      });
    }
  }
});

describe.skipIf(!requireTool("strace"))("the order of system calls", () => {
  test("a name is given to flushed bytes only, and is flushed before the work is done", async () => {
    const calls = await tracedWork();
    const flushOf = (path: string) => calls.findIndex((call) => call === `fsync ${path}`);
    for (const [name, from] of [
      [published, /_zot\/uploads\/one$/],
      ["team/replaced", /_zot\/temporary\/[^/]+$/],
    ] as const) {
      const named = calls.findIndex(
        (call) => /^(link|rename) /.test(call) && call.endsWith(` ${name}`),
      );
      expect([name, named]).not.toEqual([name, -1]);
      const [, source = ""] = calls[named]!.split(" ");
      expect(source).toMatch(from);
      expect(flushOf(source)).toBeGreaterThanOrEqual(0);
      expect(flushOf(source)).toBeLessThan(named);
      expect(calls.indexOf(`fsync ${dirname(name)}`, named)).toBeGreaterThan(named);
    }
    const linked = calls.indexOf(`link ${published} ${shared}`);
    expect(calls.indexOf(`fsync ${dirname(shared)}`, linked)).toBeGreaterThan(linked);
  });

  test("what is linked is flushed before, whoever wrote it", async () => {
    const calls = await tracedWork();
    const linked = calls.indexOf(`link ${published} ${shared}`);
    expect(calls.slice(0, linked)).toContain(`fsync ${published}`);
  });

  for (const code of ["EPERM", "EACCES", "EXDEV", "EMLINK", "EOPNOTSUPP", "ENOSYS"]) {
    test(`a hard link that is refused with ${code} is a copy, flushed before it has its name`, async () => {
      await using directory = await tempDirectory();
      const root = join(directory.path, "root");
      const calls = await traced(directory.path, [], [`inject=link,linkat:error=${code}`]);
      for (const [key, bytes] of Object.entries({ [published]: 1000, [shared]: 1000 })) {
        const path = join(root, key);
        expect(new Uint8Array(await readFile(path))).toEqual(sample(bytes));
        expect(await stat(path)).toMatchObject({ nlink: 1, size: bytes });
        const named = calls.findIndex((call) => call.startsWith("rename") && call.endsWith(key));
        const [, temporary = ""] = calls[named]?.split(" ") ?? [];
        expect(temporary).toMatch(/^_zot\/temporary\//);
        expect(calls.slice(0, named)).toContain(`fsync ${temporary}`);
        expect(calls.slice(named)).toContain(`fsync ${dirname(key)}`);
      }
      const left = await readdir(join(root, "_zot/temporary"));
      expect(left).toEqual([]);
    });
  }

  test("a new directory's own name is flushed, up to the root and the root's", async () => {
    const calls = await tracedWork();
    for (const [made, parent] of [
      ["mkdir _zot/uploads", "fsync _zot"],
      ["mkdir team", "fsync ."],
      ["mkdir other", "fsync ."],
      ["mkdir _zot", "fsync ."],
      ["mkdir .", "fsync .."],
    ] as const) {
      const at = calls.indexOf(made);
      expect([made, at]).not.toEqual([made, -1]);
      expect([parent, calls.indexOf(parent, at)]).not.toEqual([parent, -1]);
    }
  });

  test("a directory that somebody else just made is flushed as well: they may not have come to it", async () => {
    const calls = await tracedWork(["team", "_zot/uploads", "_zot/temporary", "_zot/quarantine"]);
    expect(calls).not.toContain("mkdir team");
    const named = calls.findIndex((call) => call.endsWith(` ${published}`));
    const flushed = calls.indexOf("fsync .");
    expect(flushed).toBeGreaterThanOrEqual(0);
    expect(flushed).toBeLessThan(named);
  });
});

/** The successful calls of the work of `filesystem_process.ts`, with paths relative to its root. */
async function tracedWork(directories: readonly string[] = []): Promise<string[]> {
  await using directory = await tempDirectory();
  return await traced(directory.path, directories, []);
}

async function traced(
  place: string,
  directories: readonly string[],
  expressions: readonly string[],
): Promise<string[]> {
  const root = join(place, "root");
  for (const name of directories) await mkdir(join(root, name), { recursive: true });
  const log = join(place, "trace");
  const options = ["-f", "-y", "-qq", "-o", log, "-e", "signal=none"];
  const calls = ["-e", "trace=fsync,link,linkat,rename,renameat,renameat2,mkdir,mkdirat"];
  const injected = expressions.flatMap((expression) => ["-e", expression]);
  const command = [process.execPath, script, root, "work"];
  const { stderr } = await run("strace", [...options, ...calls, ...injected, ...command]);
  expect(stderr).toBe("");
  return wholeLines(await readFile(log, "utf8")).flatMap((line) => relativeCall(line, root) ?? []);
}

/** Joins calls that another thread's call interrupted in the trace. */
function wholeLines(trace: string): string[] {
  const begun = new Map<string, string>();
  const lines: string[] = [];
  for (const line of trace.split("\n")) {
    const [thread = ""] = line.split(" ");
    const resumed = /<\.\.\. \w+ resumed>(.*)$/.exec(line);
    if (line.endsWith("<unfinished ...>")) {
      begun.set(thread, line.slice(0, -"<unfinished ...>".length));
    } else if (resumed !== null) lines.push(`${begun.get(thread)}${resumed[1]}`);
    else lines.push(line);
  }
  return lines;
}

/** Such as `link _zot/uploads/one team/published`; null for a call that failed or lies elsewhere. */
function relativeCall(line: string, root: string): string | null {
  const match = /^\d+ +(\w+)\((.*)\) += 0$/.exec(line);
  if (match === null) return null;
  const [, call = "", args = ""] = match;
  const paths = [...args.matchAll(/"([^"]*)"|<([^<>]*)>/g)]
    .map(([, quoted, opened]) => quoted ?? opened ?? "")
    .filter((path) => path.startsWith(join(root, "..")))
    .map((path) =>
      path === join(root, "..") ? ".." : path.replace(root, ".").replace(/^\.\//, ""),
    );
  const name = call.replace(/at2?$/, "");
  return paths.length === 0 ? null : [name, ...paths].join(" ");
}
