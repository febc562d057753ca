// Every configuration in examples/ starts `bin/zot serve`, and the server does what the example is for.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { packageDirectory, requireTool } from "../harness.ts";
import { requirePostgres } from "../postgres.ts";
import { Caller } from "./caller.ts";
import { configRows } from "./config_rows.ts";
import { upstreamLogin } from "./mirror_rows.ts";
import { Place } from "./place.ts";

const testMs = 240_000;
const installed = requireTool("openssl");
const names = [...new Bun.Glob("config-*").scanSync(`${packageDirectory}/examples`)].sort();

test("every configuration has a row, and every row a configuration", () => {
  expect(Object.keys(configRows).sort()).toEqual(names);
});

describe.skipIf(!installed)("a server with", () => {
  let place: Place;
  beforeAll(async () => {
    place = await Place.make();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  for (const [name, check] of Object.entries(configRows)) {
    const needs = name === "config-ldap.yaml" ? ["ldapmodify"] : [];
    const hasDatabase = name !== "config-postgres.yaml" || requirePostgres();
    test.skipIf(!hasDatabase || !requireTool(...needs))(
      name,
      async () => {
        if (name === "config-ldap.yaml") await place.startDirectory();
        if (/^config-(mirror-|sync)/.test(name)) await place.startUpstream(upstreamLogin);
        if (/^config-(postgres|s3)/.test(name)) await place.startStore();
        if (name === "config-postgres.yaml") await place.startDatabase();
        await place.empty();
        const keys = { AWS_ACCESS_KEY_ID: "fake", AWS_SECRET_ACCESS_KEY: "secret" };
        await using zot = await place.start(`examples/${name}`, keys);
        await check({ zot, place, as: (options) => new Caller(zot.url, options) });
        expect(zot.stderr()).toEqual([]);
        expect(await zot.stop()).toBe(0);
      },
      testMs,
    );
  }
});
