// TABLE of the configurations in examples/ that mirror other registries. No test asks a public registry: what a server
// does with those is shown by what it refuses, and by an upstream of the test in place of upstream.example.com.

import { expect } from "bun:test";
import { eventually } from "../harness.ts";
import type { Check } from "./place.ts";

/** The login that the upstream of the test wants. */
export const upstreamLogin = { user: "workload", password: "of the upstream" };

/** A registry of its own beside the mirrors. */
const servesItsOwn: Check = async ({ as }) => {
  expect(await as().push("own/app", "1")).toBe(201);
  expect(await as().get("/v2/own/app/manifests/1")).toBe(200);
};

export const mirrorRows: Readonly<Record<string, Check>> = {
  "config-mirror.yaml": async (served) => {
    await servesItsOwn(served);
    const pushed = await served.as().pushed("docker.io/library/app", "1");
    expect([pushed.status, pushed.text]).toEqual([403, expect.stringContaining("docker.io")]);
  },
  "config-mirror-private.yaml": async (served) => {
    const { as } = served;
    await servesItsOwn(served);
    expect(await as().get("/v2/private/app/manifests/1")).toBe(200);
    expect(await as().get("/v2/private/none/manifests/1")).toBe(404);
    expect(await as().push("private/app", "2")).toBe(403);
  },
  "config-mirror-cloud.yaml": async (served) => {
    await servesItsOwn(served);
    expect(await served.as().get("/v2/team/app/manifests/1")).toBe(200);
  },
  "config-sync.json": async ({ as }) => {
    await eventually("the first round has copied the image", async () => {
      return (await as().get("/v2/team/app/manifests/1")) === 200;
    });
  },
  "config-popular-registries.json": servesItsOwn,
};
