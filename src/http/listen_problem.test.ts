// Host names to listen on. No name server is asked here: `test/listen_problem.test.ts` has what a machine tells.

import { describe, expect, test } from "bun:test";
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
