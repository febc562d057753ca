// How many queries a process takes at once.

import { expect, test } from "bun:test";
import { GateFull } from "../../lib/gate.ts";
import { QueryEngine } from "./execute_query.ts";
import type { Searching } from "./searching.ts";

test("so many queries run at once, so many wait, and one more is refused at once", async () => {
  const engine = new QueryEngine(() => {});
  const held = Promise.withResolvers<Searching>();
  let running = 0;
  const request = { query: "{__typename}", variables: null, operationName: null };
  const ask = () =>
    engine.run(request, () => {
      running += 1;
      return held.promise;
    });
  const taken = Array.from({ length: 8 + 256 }, ask);
  expect(ask()).rejects.toThrow(GateFull);
  held.resolve({} as Searching);
  const answers = await Promise.all(taken);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(running).toBe(8 + 256);
  expect((await ask()).status).toBe(200);
});
