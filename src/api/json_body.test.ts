// What reading the JSON object of a request costs the request.

import { expect, test } from "bun:test";
import type { Call } from "../http/call.ts";
import { BudgetSpent, RequestBudget } from "../lib/request_budget.ts";
import type { App } from "./app.ts";
import { readObject } from "./json_body.ts";

const shape = { members: ["steps"], bytesMax: 1_000_000 };

function read(text: string, budget: RequestBudget) {
  const bytes = new TextEncoder().encode(text);
  const call = { budget, readBody: async () => bytes } as unknown as Call;
  return readObject(call, { uploadIdleMs: 1_000 } as unknown as App, shape);
}

test("a body is parsed for steps that grow with its length, whatever is in it", async () => {
  const body = JSON.stringify({ steps: Array.from({ length: 1_000 }, () => ({})) });
  const budget = new RequestBudget();
  expect(await read(body, budget)).toEqual({ steps: Array.from({ length: 1_000 }, () => ({})) });
  expect(budget.spent).toBe(Math.ceil(body.length / 32));
  const failed = await read(body, new RequestBudget(budget.spent - 1)).catch((e: unknown) => e);
  expect(failed).toBeInstanceOf(BudgetSpent);
});
