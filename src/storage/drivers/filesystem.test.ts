// The file system driver passes the contract of drivers (test/contracts/driver.ts), durable and not; and what
// only it does: modes, hard links, leftovers, full disks, and the order of the calls that durability rests on.

import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { driverContract } from "../../../test/contracts/driver.ts";
import { held, sample, staged, unlimited } from "../../../test/contracts/driver_samples.ts";
import { canMount, smallDisk } from "../../../test/faults/small_disk.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { requireTool, run, runOk } from "../../../test/processes.ts";
import { tempDirectory } from "../../../test/temp.ts";
import { manualClock, systemClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { StorageFull } from "../driver.ts";
import { FilesystemDriver } from "./filesystem.ts";
import { reasonOf } from "../../../test/reason_of.ts";

const script = join(import.meta.dir, "../../../test/contracts/filesystem_process.ts");

for (const durable of [true, false]) {
  driverContract(`FilesystemDriver, ${durable ? "durable" : "not durable"}`, async () => {
    const directory = await memoryDirectory("zot-driver");
    const rootDirectory = directory.path;
    const clock = manualClock(Date.now());
    const drivers = [new FilesystemDriver({ rootDirectory, durable, clock })];
    await drivers[0]!.prepare();
    return {
      driver: drivers[0]!,
      clock,
      another: () => {
        const driver = new FilesystemDriver({ rootDirectory, durable, clock });
        drivers.push(driver);
        return driver;
      },
      digestElsewhere: async (id, algorithm) => {
        const command = [script, rootDirectory, "digest", id, algorithm];
        return (await runOk(process.execPath, command)).stdout;
      },
      holdElsewhere: async (id) => {
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
      [Symbol.asyncDispose]: async () => {
        for (const driver of drivers) await driver.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  });
}

async function openDriver(rootDirectory: string, durable = true): Promise<FilesystemDriver> {
  const driver = new FilesystemDriver({ rootDirectory, durable, clock: systemClock });
  await driver.prepare();
  return driver;
}

describe("files", () => {
  test("belong to the server's user alone", async () => {
    await using directory = await tempDirectory();
    const driver = await openDriver(directory.path);
    await staged(driver, "one", sample(10));
    await driver.replace("team/app/index.json", sample(10));
    const stage = await held(driver, "one");
    await stage.publish("team/app/blobs/sha256/one");
    await stage.close();
    const modeOf = async (name: string) => (await stat(join(directory.path, name))).mode & 0o777;
    for (const name of ["team/app/index.json", "team/app/blobs/sha256/one", "_zot/uploads/one"]) {
      expect([name, await modeOf(name)]).toEqual([name, 0o600]);
    }
    for (const name of ["team", "team/app", "team/app/blobs/sha256", "_zot", "_zot/uploads"]) {
      expect([name, await modeOf(name)]).toEqual([name, 0o700]);
    }
    await driver.close();
  });

  test("that are linked are one inode, also where a copy stood before", async () => {
    await using directory = await tempDirectory();
    const driver = await openDriver(directory.path);
    await driver.replace("a/one", sample(10));
    await driver.replace("c/one", sample(10));
    await driver.link("a/one", "b/one");
    await driver.link("a/one", "c/one");
    const infos = await Promise.all(
      ["a", "b", "c"].map((at) => stat(join(directory.path, at, "one"))),
    );
    expect(new Set(infos.map(({ ino }) => ino)).size).toBe(1);
    expect(infos[0]!.nlink).toBe(3);
    await driver.close();
  });

  test("left in the temporary directory go when they are old, and only those", async () => {
    await using directory = await tempDirectory();
    const driver = await openDriver(directory.path);
    const temporary = join(directory.path, "_zot/temporary");
    await writeFile(join(temporary, "old"), "x");
    await writeFile(join(temporary, "young"), "x");
    const twoHoursAgo = Date.now() / 1000 - 7200;
    await utimes(join(temporary, "old"), twoHoursAgo, twoHoursAgo);
    expect(await driver.sweepTemporary(3_600_000)).toBe(1);
    expect(await driver.sweepTemporary(3_600_000)).toBe(0);
    expect(await readFile(join(temporary, "young"), "utf8")).toBe("x");
    await driver.close();
  });

  test("that vanished behind the server's back are made again where a name needs their directory", async () => {
    await using directory = await tempDirectory();
    const driver = await openDriver(directory.path);
    const key = "team/app/blobs/sha256/one";
    await staged(driver, "one", sample(10));
    const stage = await held(driver, "one");
    for (let round = 0; round < 2; round += 1) {
      await stage.publish(key);
      await driver.replace("team/app/index.json", sample(3));
      await driver.link(key, "team/other/blobs/sha256/one");
      expect(await driver.read(key, 10)).toEqual(sample(10));
      expect(await driver.read("team/other/blobs/sha256/one", 10)).toEqual(sample(10));
      await runOk("rm", ["-r", join(directory.path, "team")]);
    }
    await stage.close();
    await driver.close();
  });

  test("trouble that is not absence is told, never taken for absence", async () => {
    await using directory = await tempDirectory();
    const driver = await openDriver(directory.path);
    // A file where a directory belongs: ENOTDIR, which is no answer to "is it there?".
    await driver.replace("team", sample(1));
    const key = "team/app";
    expect(String(await reasonOf(driver.stat(key)))).toContain("ENOTDIR");
    expect(String(await reasonOf(driver.read(key, 10)))).toContain("ENOTDIR");
    expect(String(await reasonOf(driver.list(key)))).toContain("ENOTDIR");
    expect(String(await reasonOf(driver.remove(key)))).toContain("ENOTDIR");
    expect(() => driver.readNow(key)).toThrow("ENOTDIR");
    expect(() => driver.sizeNow(key)).toThrow("ENOTDIR");
    expect(() => driver.removeNow(key)).toThrow("ENOTDIR");
    await driver.close();
  });
});

describe.skipIf(!(await canMount()))("a full disk", () => {
  const mebibyte = 1024 * 1024;

  test("refuses content and leaves what stood there, with nothing half-way", async () => {
    await using disk = await smallDisk(4 * mebibyte);
    const driver = await openDriver(disk.path);
    await driver.replace("team/app", sample(1000, 1));
    await driver.replace("team/linked", sample(1000, 1));
    disk.fill();
    const key = "team/app";
    for (const at of [key, "a/new/place"]) {
      const refused = driver.replace(at, sample(100_000, 2));
      expect(await reasonOf(refused)).toBeInstanceOf(StorageFull);
    }
    expect(await driver.read(key, 1000)).toEqual(sample(1000, 1));
    expect(await driver.sweepTemporary(Number.NEGATIVE_INFINITY)).toBe(0);
    disk.free();
    await driver.replace(key, sample(100_000, 2));
    expect(await driver.read(key, 100_000)).toEqual(sample(100_000, 2));
    await driver.close();
  });

  for (const kind of ["bytes", "a request", "a request without a length"]) {
    for (const before of [0, 5000]) {
      test(`takes nothing of ${kind} that does not fit after ${before} bytes, and all of it later`, async () => {
        await using disk = await smallDisk(4 * mebibyte);
        const driver = await openDriver(disk.path);
        await staged(driver, "one", sample(before));
        disk.fill(mebibyte);
        const bytes = sample(2 * mebibyte, 3);
        const source = () => ({
          body: kind === "bytes" ? bytes : new Request("http://x/", { method: "PUT", body: bytes }),
          lengthBytes: kind.endsWith("length") ? null : bytes.length,
        });
        const stage = await held(driver, "one");
        expect(await reasonOf(stage.append(source(), unlimited))).toBeInstanceOf(StorageFull);
        expect(stage.sizeBytes).toBe(before);
        expect((await driver.statStage("one"))?.sizeBytes).toBe(before);
        expect(await stage.digest("sha256")).toBe(digestOf("sha256", sample(before)));
        disk.free();
        await stage.append(source(), unlimited);
        const all = Buffer.concat([sample(before), bytes]);
        expect(await stage.digest("sha256")).toBe(digestOf("sha256", all));
        await stage.publish("team/app");
        expect(await driver.read("team/app", all.length)).toEqual(new Uint8Array(all));
        await stage.close();
        await driver.close();
      });
    }
  }
});

describe.skipIf(!requireTool("strace"))("the order of system calls", () => {
  test("a name is given to flushed bytes only, and is flushed before the work is done", async () => {
    const calls = await tracedWork();
    const flushOf = (path: string) => calls.findIndex((call) => call === `fsync ${path}`);
    for (const [name, from] of [
      ["team/published", /_zot\/uploads\/one$/],
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
      expect(calls.indexOf("fsync team", named)).toBeGreaterThan(named);
    }
    const linked = calls.indexOf("link team/published other/linked");
    expect(calls.indexOf("fsync other", linked)).toBeGreaterThan(linked);
  });

  test("what is linked is flushed before, whoever wrote it", async () => {
    const calls = await tracedWork();
    const linked = calls.indexOf("link team/published other/linked");
    expect(calls.slice(0, linked)).toContain("fsync team/published");
  });

  for (const code of ["EPERM", "EACCES", "EXDEV", "EMLINK", "EOPNOTSUPP", "ENOSYS"]) {
    test(`a hard link that is refused with ${code} is a copy, flushed before it has its name`, async () => {
      await using directory = await tempDirectory();
      const root = join(directory.path, "root");
      const calls = await traced(directory.path, [], [`inject=link,linkat:error=${code}`]);
      for (const [key, bytes] of Object.entries({ "team/published": 1000, "other/linked": 1000 })) {
        const path = join(root, key);
        expect(new Uint8Array(await readFile(path))).toEqual(sample(bytes));
        expect(await stat(path)).toMatchObject({ nlink: 1, size: bytes });
        const named = calls.findIndex((call) => call.startsWith("rename") && call.endsWith(key));
        const [, temporary = ""] = calls[named]?.split(" ") ?? [];
        expect(temporary).toMatch(/^_zot\/temporary\//);
        expect(calls.slice(0, named)).toContain(`fsync ${temporary}`);
        expect(calls.slice(named)).toContain(`fsync ${key.split("/")[0]}`);
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
    const named = calls.findIndex((call) => call.endsWith(" team/published"));
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
