// Request rates where callers log in: a user has a rate of his own, whoever else comes from the same address.

import { expect, test } from "bun:test";
import { basic, startAuthWorld, type User } from "./world.ts";

const asks = 30;

test("users behind one address do not use up each other's rate, nor do those who fail to log in", async () => {
  await using world = await startAuthWorld({ http: { ratelimit: { perCaller: 6 } } });
  const get = "/v2/pub/app/tags/list";
  const statuses = async (times: number, authorization: string | null): Promise<Set<number>> => {
    const headers = authorization === null ? {} : { authorization };
    const answers = Array.from({ length: times }, () => world.send("GET", get, { headers }));
    return new Set((await Promise.all(answers)).map(({ status }) => status));
  };
  const as = (user: User, times: number): Promise<Set<number>> => statuses(times, basic(user));

  // Not known before: these count for the address.
  expect(await as("readerA", 1)).toEqual(new Set([404]));
  expect(await as("readerB", 1)).toEqual(new Set([404]));
  expect(await as("readerA", asks)).toContain(429);
  expect(await as("readerB", 2)).toEqual(new Set([404]));
  expect(await statuses(1, null)).toEqual(new Set([404]));
  expect(await statuses(asks, null)).toContain(429);
  expect(await statuses(asks, basic("readerA", "wrong"))).toContain(429);
  expect(await as("readerB", 2)).toEqual(new Set([404]));
});
