// A small file system in memory that a test can fill and empty (tmpfs; mounting needs root).
//
// It is unmounted and gone at the end of the scope. Where mounting is not permitted, `canMount` says so in one line and
// the caller skips; in CI that is an error.

import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, runOk } from "../processes.ts";

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Takes all space but about `leaveBytes`; what an earlier call took is given back first. */
  readonly fill: (leaveBytes?: number) => void;
  /** Gives back what `fill` took. */
  readonly free: () => void;
  readonly freeBytes: () => number;
}

const pageBytes = 4096;
let permitted: boolean | null = null;

/** Whether a file system of one's own can be mounted here; says why not, and throws in CI. */
export async function canMount(): Promise<boolean> {
  permitted ??= await tryMount();
  if (permitted) return true;
  const reason = "mounting a small tmpfs is not permitted here (it needs root)";
  if (process.env["CI"] === "true") throw new Error(`in CI this is an error: ${reason}`);
  console.log(`skipped: ${reason}`);
  return false;
}

async function tryMount(): Promise<boolean> {
  if (process.getuid?.() !== 0 || Bun.which("mount") === null) return false;
  const path = await mkdtemp(join(tmpdir(), "zot-mount-"));
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]);
  if (mounted.code === 0) await runOk("umount", [path]);
  await rmdir(path);
  return mounted.code === 0;
}

export async function smallDisk(sizeBytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), "zot-small-disk-"));
  await runOk("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=0777`, "tmpfs", path]);
  const filler = join(path, "filler");
  const free = (): void => rmSync(filler, { force: true });
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    free,
    freeBytes,
    fill: (leaveBytes = 0) => {
      free();
      const page = new Uint8Array(pageBytes);
      const descriptor = openSync(filler, "wx");
      try {
        while (freeBytes() >= leaveBytes + pageBytes) writeSync(descriptor, page);
      } finally {
        closeSync(descriptor);
      }
    },
    [Symbol.asyncDispose]: async () => {
      // Lazily: a test that failed may still have files open, and they go with the process.
      await runOk("umount", ["-l", path]);
      await rmdir(path);
    },
  };
}
