// One request as a handler sees it: lengths, parameters, and bodies within a limit.

import { describe, expect, test } from "bun:test";
import { Call, type Connection } from "./call.ts";

function callOf(init: RequestInit & { readonly query?: string } = {}): Call {
  return new Call({
    id: "1",
    method: init.method ?? "GET",
    path: "/x",
    queryText: init.query ?? "",
    params: { repository: "team/app" },
    request: new Request("http://h/x", init),
    connection: {} as Connection,
  });
}

const tooLarge = (): Error => new Error("too large");

/** A body of which the limit must not take more than it needs. */
function endless(): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      taken += 10;
      controller.enqueue(new Uint8Array(10));
    },
  });
  return { body, taken: () => taken };
}

describe("the announced length", () => {
  test.each([
    [{ "content-length": "5" }, 5],
    [{ "content-length": "5, 5" }, 5],
    [{ "transfer-encoding": "chunked" }, null],
    [{}, 0],
  ] as const)("of %j is %p", (headers, expected) => {
    expect(callOf({ headers: { ...headers } }).lengthBytes).toBe(expected);
  });
});

test("parameters are decoded as those of a form, the first of a name counts", () => {
  const { query } = callOf({ query: "a=%2Fx+y&a=2&b" });
  expect([query.get("a"), query.get("b"), query.get("c")]).toEqual(["/x y", "", null]);
});

describe("a body", () => {
  const put = (body: NonNullable<RequestInit["body"]>, headers: Record<string, string>): Call =>
    callOf({ method: "PUT", body, headers });

  test("of the limit is taken, with and without a length", async () => {
    const known = put("x".repeat(10), { "content-length": "10" });
    expect((await known.readBody(10, tooLarge)).length).toBe(10);
    const unknown = put("x".repeat(10), { "transfer-encoding": "chunked" });
    expect((await unknown.readBody(10, tooLarge)).length).toBe(10);
  });

  test("beyond the limit is refused by its length, before anything is taken", async () => {
    const { body, taken } = endless();
    const call = put(body, { "content-length": "11" });
    expect(await call.readBody(10, tooLarge).catch(String)).toBe("Error: too large");
    expect(taken()).toBeLessThanOrEqual(10); // What the stream itself holds ready.
  });

  test("beyond the limit is refused as soon as it is there", async () => {
    const { body, taken } = endless();
    const call = put(body, { "transfer-encoding": "chunked" });
    expect(await call.readBody(25, tooLarge).catch(String)).toBe("Error: too large");
    expect(taken()).toBeLessThanOrEqual(40);
  });
});
