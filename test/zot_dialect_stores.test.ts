// Files in zot's dialect whose content lies in stores of objects, of every kind that it publishes an example of: each starts
// as it is, with servers that speak as those stores do, and serves. What has no effect here is told in a line each.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkConfig } from "../src/config/load.ts";
import { objectKinds, type ObjectKind, type ObjectPlace } from "./dialect/object_kinds.ts";
import { hasStore, startPlaces } from "./dialect/object_places.ts";
import { DialectWorld, nobody, verbs, type Verb } from "./dialect/world.ts";
import { requireTool } from "./harness.ts";

const testMs = 120_000;

function fileOf(kind: ObjectKind, place: ObjectPlace, root: string): object {
  return {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: `${root}/registry`, ...kind.storage(place) },
    http: { address: "127.0.0.1", port: "0", ...kind.http },
    log: { level: "debug" },
    ...(kind.extensions === undefined ? {} : { extensions: kind.extensions }),
    ...(kind.cluster === undefined ? {} : { cluster: kind.cluster }),
  };
}

const gets: Partial<Record<Verb, number>> = { ping: 200, push: 201, pull: 200, remove: 202 };

describe.skipIf(!requireTool("openssl"))("a file starts and serves, for", () => {
  let world: DialectWorld;
  let places: Awaited<ReturnType<typeof startPlaces>>;
  beforeAll(async () => {
    world = await DialectWorld.make();
    places = await startPlaces();
  }, testMs);
  afterAll(async () => {
    await places?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  for (const kind of objectKinds) {
    test.skipIf(!hasStore[kind.needs])(
      kind.kind,
      async () => {
        await using server = await world.serve("config.json", (root) =>
          JSON.stringify(fileOf(kind, places.place, root)),
        );
        const got: Partial<Record<Verb, number>> = {};
        for (const verb of verbs.filter((each) => each in gets)) {
          got[verb] = await server.ask(nobody, verb, "a/app");
        }
        expect(got).toEqual(gets);
        expect(await server.warnings()).toEqual([...kind.warnings]);
        expect(await server.stop()).toBe(0);
      },
      testMs,
    );
  }
});

describe("a cluster whose servers have their content on disks of their own", () => {
  const storage = { rootDirectory: "/srv/zot" };
  const members = ["10.0.0.1:5000", "10.0.0.2:5000"];

  test.each([
    ["as zot writes it", { hashKey: "sixteen-letters!", members }],
    ["in lower case", { hashkey: "sixteen-letters!", members }],
  ])("is refused, %s", (_says, cluster) => {
    expect(checkConfig({ storage, cluster }, {})).toEqual({
      problems: [
        "cluster.members: expected one server where content lies in a rootDirectory, got 2, which would each " +
          "serve what was pushed to it; keep the content in a store of objects (storage.storageDriver) and the " +
          "metadata in a database (storage.metadata.url), or remove cluster",
      ],
    });
  });

  test("is none with one member", () => {
    const cluster = { members: members.slice(0, 1) };
    expect(checkConfig({ storage, cluster }, {})).toHaveProperty("config");
  });
});
