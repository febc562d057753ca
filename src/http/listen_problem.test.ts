// Host names to listen on. No name server is asked here: `test/listen_problem.test.ts` has what a machine tells.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { requireTool, runOk } from "../../test/harness.ts";
import { reasonOf } from "../../test/reason_of.ts";
import { requireAddress } from "./listen_problem.ts";

const unknown = (): Promise<never> => Promise.reject(new Error("getaddrinfo ENOTFOUND"));

describe("requireAddress()", () => {
  test("says that a name does not resolve", async () => {
    expect(String(await reasonOf(requireAddress("registry.example", unknown)))).toBe(
      "Error: http.address: expected an address of this machine or a name that stands for one, " +
        'got "registry.example", which does not resolve',
    );
  });

  test.each(["127.0.0.1", "0.0.0.0", "::", "::1"])("looks nothing up for %s", async (address) => {
    expect(await reasonOf(requireAddress(address, unknown))).toEqual({ value: undefined });
  });

  test("is content with a name of this machine", async () => {
    expect(await reasonOf(requireAddress("localhost"))).toEqual({ value: undefined });
  });
});

// A socket that listens beside those of a server gets a part of its clients, and resets them when it goes.
test.skipIf(!requireTool("strace"))(
  "whether a port can be shared is found out without listening",
  async () => {
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      reusePort: true,
      fetch: () => new Response(),
    });
    const place = JSON.stringify({ address: "127.0.0.1", port: server.port });
    const script = `
      const { requireListen } = await import(${JSON.stringify(join(import.meta.dir, "listen_problem.ts"))});
      await requireListen(${place}, true);`;
    const traced = ["-f", "-e", "trace=bind,listen", process.execPath, "-e", script];
    const { stderr } = await runOk("strace", traced);
    expect(stderr).toMatch(new RegExp(`bind\\(.*${server.port}.* = 0\n`));
    expect(stderr).not.toContain("listen(");
  },
);
