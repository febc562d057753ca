// Reads of the past over HTTP, by the table in `rows/past.ts`; and that nobody writes there.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testRows } from "./row.ts";
import { pastRows, pastWrites } from "./rows/past.ts";
import { startWorld, type World } from "./world.ts";

testRows("the past", pastRows);

describe("nobody writes to the past", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(pastWrites)("%s", async (send) => {
    const [method = "", path = ""] = send.replaceAll("{r}", "team/app").split(" ");
    const byName = await world.send(method, `/v2/${path}`);
    const present = path.replace(/^at\.[^/]+\//, "");
    const byHeader = await world.send(method, `/v2/${present}`, { headers: { "zot-at": "7d" } });
    for (const answer of [byName, byHeader]) {
      expect(answer.status).toBe(405);
      expect(Buffer.from(answer.body).toString()).toContain("The past can be read, not written");
      expect(answer.headers.get("allow")).toContain("OPTIONS");
    }
  });
});
