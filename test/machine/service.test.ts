// examples/systemd under a real systemd: the service starts as it stands, reads keys that are root's, writes its audit
// log, reloads once, and takes a port below 1024.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually, packageDirectory } from "../harness.ts";
import { builtExecutable } from "../packages/built.ts";
import { unchangedText } from "../reloading.ts";
import { canStartMachine, startMachine, type Machine, rootHome } from "./machine.ts";

const testMs = 300_000;
const unit = "/etc/systemd/system/zot.service";

describe.skipIf(!canStartMachine())("the service", () => {
  let machine: Machine;
  beforeAll(async () => {
    const executable = await builtExecutable();
    machine = await startMachine();
    await machine.copy(executable, `${rootHome}/dist/zot`);
    await machine.copy(join(packageDirectory, "examples"), `${rootHome}/examples`);
  }, testMs);
  afterAll(() => machine[Symbol.asyncDispose]());

  /** The first lines of the unit say how to install it. */
  const commandsOf = (text: string): string =>
    [...text.matchAll(/^# {3}(\w.*)$/gm)].map(([, command]) => command).join("\n");
  const journal = async (): Promise<string> =>
    (await machine.shellOk("journalctl --unit zot --output cat")).stdout;
  const edit = (file: string, from: string, to: string): Promise<unknown> =>
    machine.shellOk(`grep -q -- '${from}' ${file} && sed -i 's|${from}|${to}|' ${file}`);
  /** The body goes to the shell: between two tries curl empties a file that it writes, which /dev/null is not. */
  const status = async (url: string): Promise<string> => {
    const { code, stdout, stderr } = await machine.shell(
      `curl -ksS -w '\\n%{http_code}' --retry 50 --retry-connrefused --retry-delay 1 ${url}`,
    );
    return code === 0 ? (stdout.split("\n").at(-1) ?? "") : `${code} ${stdout} ${stderr}`;
  };

  test(
    "starts by the commands that it names, as its own user, and keeps who changed what",
    async () => {
      const commands = commandsOf(
        await Bun.file(join(packageDirectory, "examples/systemd/zot.service")).text(),
      );
      expect(commands.split("\n")).toHaveLength(4);
      await machine.shellOk(commands);
      expect(await status("http://127.0.0.1:8080/readyz")).toBe("200");
      await machine.shellOk(
        `curl -fsS -X POST --data-binary hello "http://127.0.0.1:8080/v2/app/blobs/uploads/?digest=sha256:$(printf hello | sha256sum | cut -d' ' -f1)"`,
      );
      const pid = (await machine.shellOk("systemctl show -P MainPID zot")).stdout.trim();
      const uid = (await machine.shellOk(`stat -c %u /proc/${pid}`)).stdout.trim();
      expect(Number(uid)).toBeGreaterThan(0);
      expect((await machine.shellOk("stat -L -c '%u %a' /var/lib/zot")).stdout).toBe(
        `${uid} 700\n`,
      );
      expect((await machine.shellOk("tail -n 1 /var/log/zot/audit.log")).stdout).toContain(
        '"POST"',
      );
    },
    testMs,
  );

  test(
    "is reloaded by one signal, and not by an unsound file",
    async () => {
      await machine.shellOk("systemctl reload zot");
      await eventually("it was read again", async () => (await journal()).includes(unchangedText));
      await edit("/etc/zot/config.yaml", "port:", "prot:");
      expect((await machine.shell("systemctl reload zot")).code).not.toBe(0);
      await edit("/etc/zot/config.yaml", "prot:", "port:");
      expect(await status("http://127.0.0.1:8080/readyz")).toBe("200");
    },
    testMs,
  );

  test(
    "reads a key that only root may read, and takes port 443 with the marks off two lines",
    async () => {
      await machine.shellOk(
        `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -keyout /etc/zot/keys/server.key -out /etc/zot/server.crt 2>&1
        chmod 600 /etc/zot/keys/server.key
        printf '  tls:\\n    cert: /etc/zot/server.crt\\n    key: /run/credentials/zot.service/keys_server.key\\n' >tls
        sed -i '/^  port:/r tls' /etc/zot/config.yaml`,
      );
      await edit("/etc/zot/config.yaml", '"8080"', '"443"');
      for (const key of ["CapabilityBoundingSet", "AmbientCapabilities"]) {
        await edit(unit, `^#${key}=`, `${key}=`);
      }
      await machine.shellOk("systemctl daemon-reload && systemctl restart zot");
      expect(await status("https://127.0.0.1/readyz")).toBe("200");
    },
    testMs,
  );

  test(
    "stops cleanly",
    async () => {
      await machine.shellOk("systemctl stop zot");
      expect((await machine.shellOk("systemctl show -P Result zot")).stdout).toBe("success\n");
      const lines = await journal();
      expect(lines).toContain('"msg":"stopped"');
      expect(lines.split(unchangedText)).toHaveLength(2);
    },
    testMs,
  );
});
