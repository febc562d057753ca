// Who serves a root: one server or several that share, told by the kernel's locks and by nothing that lasts.

import { describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireRoot, requireTool, run } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import { claimLease, claimFile, claimRoot } from "./root_lock.ts";

const script = join(import.meta.dir, "../../test/contracts/claim_process.ts");

/** Another process that claims the root and keeps it until it is told to end. */
async function claimElsewhere(root: string, mode: string) {
  const child = Bun.spawn([process.execPath, script, root, mode], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const said = new TextDecoder().decode(value).trim();
  return {
    pid: child.pid,
    said,
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

describe("a root", () => {
  test("is served by one server alone; a second is told who has it and what to do", async () => {
    await using directory = await tempDirectory();
    const claim = claimRoot(directory.path, "alone");
    for (const mode of ["alone", "shared"] as const) {
      expect(() => claimRoot(directory.path, mode)).toThrow(
        `storage.rootDirectory: expected ${directory.path} to be free, ` +
          `found it served by another zot (process ${process.pid}); ` +
          "stop that server, give this one another directory, or set storage.shared: true in both",
      );
    }
    claim.release();
    claimRoot(directory.path, "alone").release();
  });

  test("is served by several servers that all say so, and by none that does not", async () => {
    await using directory = await tempDirectory();
    const claims = [claimRoot(directory.path, "shared"), claimRoot(directory.path, "shared")];
    expect(() => claimRoot(directory.path, "alone")).toThrow("to be free");
    claims[0]!.release();
    expect(() => claimRoot(directory.path, "alone")).toThrow("to be free");
    claims[1]!.release();
    claimRoot(directory.path, "alone").release();
  });

  test.skipIf(!requireTool("strace"))(
    "whose file system has no locks is not taken for one that somebody serves",
    async () => {
      await using directory = await tempDirectory();
      const inject = ["-f", "-qq", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
      const command = [process.execPath, script, directory.path, "alone"];
      const { stdout, stderr } = await run("strace", [...inject, "-o", "/dev/null", ...command]);
      expect(`${stdout}${stderr}`).toContain(
        `expected a file system with working file locks, and that of ${directory.path} has none ` +
          "(ENOLCK: no locks available, flock); start its lock service, as NFS needs one, or use a local file system",
      );
    },
  );

  test("is free at once when its server is killed", async () => {
    await using directory = await tempDirectory();
    const other = await claimElsewhere(directory.path, "alone");
    expect(other.said).toBe("claimed");
    expect(() => claimRoot(directory.path, "alone")).toThrow(`process ${other.pid}`);
    await other.kill();
    claimRoot(directory.path, "alone").release();
    const shared = await claimElsewhere(directory.path, "shared");
    expect(shared.said).toBe("claimed");
    claimRoot(directory.path, "shared").release();
    expect(() => claimRoot(directory.path, "alone")).toThrow("to be free");
    await shared.kill();
    claimRoot(directory.path, "alone").release();
  });

  test("whose claim was inherited by a child is free when the server itself ends", async () => {
    await using directory = await tempDirectory();
    const other = await claimElsewhere(directory.path, "with-child");
    const [, childPid = ""] = other.said.split(" ");
    expect(Number(childPid)).toBeGreaterThan(0);
    await other.kill();
    try {
      claimRoot(directory.path, "alone").release();
    } finally {
      process.kill(Number(childPid), "SIGKILL");
    }
  });

  test("is made when it is not there, for this user alone", async () => {
    await using directory = await tempDirectory();
    const root = join(directory.path, "deep/er/root");
    claimRoot(root, "alone").release();
    expect(await readdir(root)).toEqual(["_zot"]);
    expect((await readFile(join(root, "_zot/lock"), "utf8")).trim()).toBe(String(process.pid));
  });

  test("that is a file is refused in one line", async () => {
    await using directory = await tempDirectory();
    const root = join(directory.path, "file");
    await Bun.write(root, "x");
    expect(() => claimRoot(root, "alone")).toThrow(
      `storage.rootDirectory: expected a directory that this user can write, got ${root}`,
    );
  });
});

const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/** Whether another user may run what lies here; a checkout in a closed directory is nobody's mistake. */
async function nobodyMayRun(): Promise<boolean> {
  if (!requireTool("setpriv") || !requireRoot()) return false;
  const readable = await run("setpriv", [...asNobody, "head", "-c1", script, process.execPath]);
  if (readable.code !== 0) console.log("skipped: other users may not read this checkout");
  return readable.code === 0;
}
const nobody = await nobodyMayRun();

describe.skipIf(!nobody)("a user without rights", () => {
  test("is told that the directory cannot be written, in one line", async () => {
    await using directory = await tempDirectory();
    const root = join(directory.path, "root");
    const command = [...asNobody, process.execPath, script, root, "alone"];
    const { stdout } = await run("setpriv", command);
    expect(stdout).toContain("expected a directory that this user can write");
    expect(stdout.trim()).not.toContain("\n");
  });
});

describe.skipIf(!nobody)("a parent that may not be read", () => {
  test("may hold a new root all the same", async () => {
    // Not in a temporary directory, which is closed to other users as a whole.
    const parent = await mkdtemp(join(tmpdir(), "zot-parent-"));
    try {
      await chmod(parent, 0o333);
      const command = [...asNobody, process.execPath, script, `${parent}/root`, "alone"];
      const { stdout } = await run("setpriv", command, { stdin: "" });
      expect(stdout.trim()).toBe("claimed");
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});

describe("a lease", () => {
  test("is one server's at a time, and the leases do not meet", async () => {
    await using directory = await tempDirectory();
    claimRoot(directory.path, "shared");
    const jobs = claimLease(directory.path, "jobs");
    expect(jobs).not.toBeNull();
    expect(claimLease(directory.path, "jobs")).toBeNull();
    const other = claimLease(directory.path, "other");
    expect(other).not.toBeNull();
    jobs?.release();
    const again = claimLease(directory.path, "jobs");
    expect(again).not.toBeNull();
    again?.release();
    other?.release();
  });

  test("has a number above that of every holder before", async () => {
    await using directory = await tempDirectory();
    claimRoot(directory.path, "shared");
    const fences: (number | undefined)[] = [];
    for (let index = 0; index < 3; index += 1) {
      const claim = claimLease(directory.path, "jobs");
      fences.push(claim?.fence);
      claim?.release();
    }
    expect(fences).toEqual([1, 2, 3]);
  });
});

describe("a file of this server", () => {
  test("is its own while it runs, and goes with it", async () => {
    await using directory = await tempDirectory();
    claimRoot(directory.path, "shared");
    const names = async () =>
      (await readdir(join(directory.path, "_zot"))).filter((name) => name.startsWith("page."));
    const mine = claimFile(directory.path, "page");
    const theirs = claimFile(directory.path, "page");
    expect(mine.path).not.toBe(theirs.path);
    expect(await names()).toHaveLength(2);
    mine.release();
    expect(await names()).toEqual([theirs.path.split("/").at(-1) ?? ""]);
    theirs.release();
    expect(await names()).toEqual([]);
  });

  test("of a server that died goes at the next start; what is of another purpose stays", async () => {
    await using directory = await tempDirectory();
    claimRoot(directory.path, "alone");
    const left = join(directory.path, "_zot/page.0");
    const other = join(directory.path, "_zot/pages");
    await Bun.write(left, "");
    await Bun.write(other, "");
    const claim = claimFile(directory.path, "page");
    expect(await Bun.file(left).exists()).toBe(false);
    expect(await Bun.file(other).exists()).toBe(true);
    claim.release();
  });
});
