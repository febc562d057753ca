// Docker on a machine of the test's own: its daemon, and its command on the PATH.

import { eventually } from "../harness.ts";
import { rootHome, type Machine } from "./machine.ts";

/** Starts the daemon with no images. The machine has no bridge and no rules for packets. */
export async function startDocker(machine: Machine): Promise<void> {
  await machine.copy(Bun.which("docker") ?? "docker", "/usr/local/bin/docker");
  await machine.shellOk(`rm -rf /etc/docker
    systemd-run --unit=dockerd dockerd --data-root=${rootHome}/docker --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs`);
  await eventually("Docker's daemon answers", async () => {
    if ((await machine.shell("systemctl is-failed --quiet dockerd")).code === 0)
      throw new Error((await machine.shell("journalctl --unit dockerd")).stdout);
    return (await machine.shell("docker info")).code === 0;
  });
}
