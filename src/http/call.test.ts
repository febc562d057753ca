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

describe("large bodies on their way", () => {
  const large = 10 * 1024 * 1024;

  /** A body that is held until it is ended. */
  function held(headers: Record<string, string>) {
    let end = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(20_000));
        end = () => controller.close();
      },
    });
    const call = callOf({ method: "PUT", headers, body });
    return { read: call.readBody(large, tooLarge).catch(String), end };
  }

  test.each([
    ["of a length", { "content-length": String(large) }],
    ["in chunks", { "transfer-encoding": "chunked" }],
  ])("%s have room for some, and again when those have ended", async (_, headers) => {
    const first = Array.from({ length: 6 }, () => held(headers));
    await Bun.sleep(0);
    expect(await held(headers).read).toContain("Registry cannot answer at present");
    const small = callOf({ method: "PUT", headers: { "content-length": "2" }, body: "{}" });
    expect(await small.readBody(large, tooLarge)).toHaveLength(2);
    for (const { end } of first) end();
    for (const { read } of first) expect(await read).toHaveLength(20_000);
    const next = held(headers);
    next.end();
    expect(await next.read).toHaveLength(20_000);
  });
});
