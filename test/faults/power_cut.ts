// Power cuts on a file system of one's own: an ext4 image is mounted, cut off from its "disk" in the middle of work,
// and mounted again. What was not flushed by then is lost, as when the machine's power goes.
//
// The cut is the FS_IOC_SHUTDOWN ioctl without flushing the journal. Every cycle cuts either right after an
// acknowledgement, when nothing later can have flushed it by accident, or in the middle of many clients' work.
// Then the disk is checked without a server, and a new one must serve all that was ever acknowledged before a cut.
// Image and mount are gone at the end of the scope.

import { dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run, runOk } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { Journal } from "./journal.ts";
import { randomOf, startLoad } from "./load.ts";
import { type PlantedBug, type ServerProcess, startFaultServer } from "./server_process.ts";

export interface PowerCutOptions {
  readonly cycles: number;
  readonly seed: number;
  readonly planted?: PlantedBug;
}

export interface PowerCutResult {
  readonly problems: readonly string[];
  readonly acknowledged: number;
}

const imageBytes = 256 * 1024 * 1024;
/** `_IOR('X', 125, u32)`: shuts a file system down. */
const shutdownRequest = (2 << 30) | (4 << 16) | ("X".charCodeAt(0) << 8) | 125;
/** Without flushing its journal. */
const noLogFlush = 2;

export async function cutPower({
  cycles,
  seed,
  planted,
}: PowerCutOptions): Promise<PowerCutResult> {
  await using disk = await ext4Disk();
  const root = join(disk.path, "root");
  const journal = new Journal();
  const problems: string[] = [];
  const random = randomOf(seed);
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const server = await startFaultServer(root, planted ?? null);
    problems.push(...named(`start ${cycle}`, await journal.check(server.url)));
    await workUntilCut(server, disk, { journal, seed: seed * 1000 + cycle, random });
    await server.kill();
    await disk.remount();
    problems.push(...named(`after cut ${cycle}`, checkRoot(root).violations));
  }
  await using server = await startFaultServer(root);
  problems.push(...named("the last start", await journal.check(server.url)));
  await server.kill();
  return { problems, acknowledged: journal.acknowledged };
}

const named = (what: string, problems: readonly string[]): string[] =>
  problems.map((problem) => `${what}: ${problem}`);

interface Work {
  readonly journal: Journal;
  readonly seed: number;
  readonly random: (below: number) => number;
}

/** Pushes and cuts: one client up to an acknowledgement, or eight clients somewhere in their midst. */
async function workUntilCut(
  server: ServerProcess,
  disk: Ext4Disk,
  { journal, seed, random }: Work,
): Promise<void> {
  const alone = random(3) > 0;
  const load = startLoad({ url: server.url, journal, clients: alone ? 1 : 8, seed });
  await load.acknowledged(1 + random(alone ? 12 : 120));
  journal.powerIsCut();
  disk.cut();
  const stopped = load.stop();
  await server.kill();
  await stopped;
  journal.resume();
}

export interface Ext4Disk extends AsyncDisposable {
  readonly path: string;
  /** From now on nothing reaches the disk, and what had not reached it is lost. */
  readonly cut: () => void;
  readonly remount: () => Promise<void>;
}

export async function ext4Disk(): Promise<Ext4Disk> {
  const directory = await tempDirectory("zot-power");
  const image = join(directory.path, "image");
  const path = join(directory.path, "disk");
  await mkdir(path);
  await runOk("truncate", ["-s", String(imageBytes), image]);
  await runOk("mkfs.ext4", ["-q", "-F", image]);
  const mount = () => runOk("mount", ["-o", "loop", image, path]);
  await mount();
  return {
    path,
    cut: () => shutDown(path),
    remount: async () => {
      await runOk("umount", [path]);
      await mount();
    },
    [Symbol.asyncDispose]: async () => {
      await runOk("umount", ["-l", path]);
      await directory[Symbol.asyncDispose]();
    },
  };
}

function shutDown(path: string): void {
  const { symbols } = dlopen("libc.so.6", {
    ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  });
  const flags = new Uint32Array([noLogFlush]);
  const descriptor = openSync(path, "r");
  try {
    const code = symbols.ioctl(descriptor, BigInt(shutdownRequest >>> 0), ptr(flags));
    if (code !== 0) throw new Error(`the file system at ${path} could not be shut down`);
  } finally {
    closeSync(descriptor);
  }
}

let permitted: boolean | null = null;

/** Whether an image can be mounted and shut down here; says why not, and throws in CI. */
export async function canCutPower(): Promise<boolean> {
  permitted ??= await tryCut();
  if (permitted) return true;
  const reason = "mounting an ext4 image is not permitted here (it needs root and loop devices)";
  if (process.env["CI"] === "true") throw new Error(`in CI this is an error: ${reason}`);
  console.log(`skipped: ${reason}`);
  return false;
}

async function tryCut(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  if (Bun.which("mkfs.ext4") === null || Bun.which("losetup") === null) return false;
  if ((await run("losetup", ["-f"])).code !== 0) return false;
  try {
    await using disk = await ext4Disk();
    disk.cut();
    return true;
  } catch {
    return false;
  }
}
