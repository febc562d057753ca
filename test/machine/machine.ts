// A machine of the test's own: the files of this one under an overlay, systemd as its first process, one address on a
// network of its own, users with empty homes. Whatever is done in it stays in memory and is gone at the end.
//
// It is made of namespaces, so it needs root and no other tool than unshare, nsenter, ip and systemd.

import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeControlGroups } from "../clients/containers.ts";
import {
  descendants,
  eventually,
  type Output,
  requireRoot,
  requireTool,
  run,
  runOk,
  startService,
  tempDirectory,
} from "../harness.ts";

/** The machine's address: of the range for documentation, and only in its own network. */
export const machineAddress = "192.0.2.10";
/** What a new account has. */
const barePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const systemd = "/usr/lib/systemd/systemd";
const shellMs = 120_000;

export interface ShellOptions {
  /** Account to run as; `root` when left out. */
  readonly user?: string;
  readonly stdin?: string;
  readonly cwd?: string;
}

export interface Machine extends AsyncDisposable {
  /** Runs commands as a shell does that stops at the first failure, with an empty environment. */
  shell(text: string, options?: ShellOptions): Promise<Output>;
  /** As `shell`; an exit code other than 0 is an error. */
  shellOk(text: string, options?: ShellOptions): Promise<Output>;
  /** Copies a file or a directory of this machine to a path of that one. */
  copy(from: string, to: string): Promise<void>;
}

/** Whether this machine can start one; says why not. */
export function canStartMachine(): boolean {
  if (!requireTool("unshare", "nsenter", "ip", "systemctl", "useradd") || !requireRoot())
    return false;
  if (unifiedHierarchy() !== null) return true;
  // Some containers have none, in CI as well; nothing can be installed that would help.
  console.log("skipped: no control groups of version 2 that can be written");
  return false;
}

/** Home of the machine's root: empty, and in memory as everything there. */
export const rootHome = "/root";

/** `users` are made with a home each that holds nothing. */
export async function startMachine(users: readonly string[] = []): Promise<Machine> {
  await using stack = new AsyncDisposableStack();
  const temp = stack.use(await tempDirectory("zot-machine"));
  const name = `zot-test-machine-${crypto.randomUUID().slice(0, 8)}`;
  stack.defer(() => removeControlGroups(name));
  const group = join(unifiedHierarchy() ?? "", name);
  await mkdir(group);
  const script = join(temp.path, "boot");
  await writeFile(script, bootScript, { mode: 0o755 });
  const place = join(temp.path, "machine");
  await mkdir(place);
  const enter = `echo $$ >"$1/cgroup.procs"; shift; exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup "$@"`;
  const outer = startService(["sh", "-c", enter, "sh", group, "sh", script, place]);
  // systemd takes no SIGTERM for an end; its processes end with it.
  stack.defer(async () => {
    for (const pid of descendants(outer.pid).slice(0, 1)) process.kill(pid, "SIGKILL");
    await outer.exited;
  });
  const first = await eventually("systemd is the first process", () => {
    if (!outer.running()) throw new Error(`no machine: ${outer.stderr().join("\n")}`);
    return descendants(outer.pid).find((pid) => existsSync(inside(pid, "run/systemd/private")));
  });
  const shell = (text: string, options: ShellOptions = {}): Promise<Output> =>
    run("nsenter", enterArgs(first, text, options), {
      timeoutMs: shellMs,
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    });
  const shellOk = async (text: string, options: ShellOptions = {}): Promise<Output> => {
    const output = await shell(text, options);
    if (output.code === 0) return output;
    throw new Error(`exit code ${output.code}\n${text}\n${output.stdout}\n${output.stderr}`);
  };
  await eventually("the machine has started", async () => {
    return (await shell("systemctl is-active --quiet basic.target")).code === 0;
  });
  for (const user of users) {
    await shellOk(`useradd --create-home --skel /nothing ${user}
      install -d -m 700 -o ${user} -g ${user} ${runtimeDirectory(user)}`);
  }
  const owned = stack.move();
  return {
    shell,
    shellOk,
    copy: async (from, to) => {
      const place = inside(first, to);
      await mkdir(join(place, ".."), { recursive: true });
      await runOk("cp", ["-rL", "--", from, place]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A file of the machine as this process sees it, through the kernel's view of one of its processes. */
function inside(pid: number, path: string): string {
  return join("/proc", String(pid), "root", path);
}

/** What a login makes for an account. */
function runtimeDirectory(user: string): string {
  return user === "root" ? "/run" : `/run/user/${user}`;
}

function enterArgs(first: number, text: string, { user = "root", cwd }: ShellOptions): string[] {
  const home = user === "root" ? rootHome : `/home/${user}`;
  const account =
    user === "root"
      ? []
      : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs"];
  const session = [`HOME=${home}`, `USER=${user}`, `XDG_RUNTIME_DIR=${runtimeDirectory(user)}`];
  const env = ["env", "-i", ...session, `PATH=${barePath}`];
  const commands = `cd ${cwd ?? home}\n${text}`;
  return [`--target=${first}`, "--all", "--", ...env, ...account, "sh", "-euc", commands];
}

/** Where version 2 of control groups is mounted to be written, beside version 1 or alone; null for nowhere. */
function unifiedHierarchy(): string | null {
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  const found = mounts
    .map((line) => line.split(" "))
    .find(([, , type, options = ""]) => type === "cgroup2" && options.split(",").includes("rw"));
  return found?.[1] ?? null;
}

/** Runs in the new namespaces, with the directory for the machine's files. */
const bootScript = `#!/bin/sh
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for path in run tmp dev root home usr/local; do mount -t tmpfs -o mode=755 tmpfs $path; done
chmod 1777 tmp
mkdir -p dev/pts dev/shm usr/local/bin nothing old
for name in null zero full random urandom tty; do
  touch dev/$name
  mount --bind /dev/$name dev/$name
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
rm -rf etc/systemd/system/* etc/zot var/lib/zot var/log/zot var/lib/private/zot var/log/private/zot
ip link set lo up
ip address add ${machineAddress}/32 dev lo
pivot_root . old
umount -l /old
# What systemd mounts for a service, such as its credentials, is seen in the namespace of that service.
mount --make-rshared /
exec env -i container=zot-test PATH=${barePath} ${systemd} --system --unit=basic.target
`;
