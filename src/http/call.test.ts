// One request as a handler sees it: lengths, parameters, and bodies within a limit.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../lib/clock.ts";
import { BodyMemory } from "./body_memory.ts";
import { Call, type Connection } from "./call.ts";

const MiB = 1024 * 1024;
/** For hangs only. */
const idleMs = 60_000;

interface CallOptions extends RequestInit {
  readonly query?: string;
  readonly bodies?: BodyMemory;
  readonly address?: string;
  readonly onCut?: () => void;
}

function callOf({ query, bodies, address, onCut, ...init }: CallOptions = {}): Call {
  const connection = { address: address ?? "192.0.2.1", holdOpen: () => {}, cut: () => onCut?.() };
  return new Call({
    id: "1",
    method: init.method ?? "GET",
    path: "/x",
    queryText: query ?? "",
    params: { repository: "team/app" },
    request: new Request("http://h/x", init),
    connection: connection as unknown as Connection,
    bodies: bodies ?? new BodyMemory(manualClock(0)),
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
    expect((await known.readBody({ bytesMax: 10, idleMs, tooLarge })).length).toBe(10);
    const unknown = put("x".repeat(10), { "transfer-encoding": "chunked" });
    expect((await unknown.readBody({ bytesMax: 10, idleMs, tooLarge })).length).toBe(10);
  });

  test("beyond the limit is refused by its length, before anything is taken", async () => {
    const { body, taken } = endless();
    const call = put(body, { "content-length": "11" });
    expect(await call.readBody({ bytesMax: 10, idleMs, tooLarge }).catch(String)).toBe(
      "Error: too large",
    );
    expect(taken()).toBeLessThanOrEqual(10); // What the stream itself holds ready.
  });

  test("beyond the limit is refused as soon as it is there", async () => {
    const { body, taken } = endless();
    const call = put(body, { "transfer-encoding": "chunked" });
    expect(await call.readBody({ bytesMax: 25, idleMs, tooLarge }).catch(String)).toBe(
      "Error: too large",
    );
    expect(taken()).toBeLessThanOrEqual(40);
  });
});

describe("large bodies on their way", () => {
  /** A body that has brought some bytes, and is held until it is ended. */
  function held(
    bytes: number,
    options: Pick<CallOptions, "bodies" | "address" | "onCut"> = {},
    headers: Record<string, string> = { "content-length": String(bytes + 1) },
  ) {
    let end = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(bytes));
        end = () => {
          controller.enqueue(new Uint8Array(1));
          controller.close();
        };
      },
    });
    const call = callOf({ method: "PUT", headers, body, ...options });
    const limits = { bytesMax: 100 * MiB, idleMs, tooLarge };
    return { call, read: call.readBody(limits).catch((error: Error) => error.message), end };
  }

  /** Callers of different addresses, so that each has a share. */
  const addressOf = (index: number): string => `192.0.2.${index}`;
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Bun.sleep(0);
  };
  const untilHeld = async (bodies: BodyMemory, bytes: number): Promise<void> => {
    while (bodies.bytes < bytes) await Bun.sleep(0);
  };

  test("what is announced and does not come takes no room", async () => {
    const bodies = new BodyMemory(manualClock(0));
    const announced = { "content-length": String(64 * MiB) };
    const many = Array.from({ length: 2_000 }, () => held(5, { bodies }, announced));
    await turns();
    expect(bodies.bytes).toBe(0);
    const other = held(4 * MiB, { bodies });
    other.end();
    expect(await other.read).toHaveLength(4 * MiB + 1);
    for (const { end } of many) end();
    await Promise.all(many.map(({ read }) => read));
  });

  test.each([
    ["of a length", { "content-length": String(4 * MiB) }],
    ["in chunks", { "transfer-encoding": "chunked" }],
  ])("one caller has a share, %s, and others have theirs", async (_, headers) => {
    const bodies = new BodyMemory(manualClock(0));
    const first = Array.from({ length: 4 }, () => held(4 * MiB - 1, { bodies }, headers));
    await untilHeld(bodies, 4 * (4 * MiB - 1));
    expect(await held(4 * MiB - 1, { bodies }, headers).read).toContain("hold up to 16 MiB");
    const other = held(4 * MiB - 1, { bodies, address: addressOf(2) }, headers);
    other.end();
    expect(await other.read).toHaveLength(4 * MiB);
    for (const { end } of first) end();
    for (const { read } of first) expect(await read).toHaveLength(4 * MiB);
    // Held until they are answered.
    expect(await held(4 * MiB - 1, { bodies }, headers).read).toContain("hold up to 16 MiB");
    for (const { call } of first) call.end();
    const next = held(4 * MiB - 1, { bodies }, headers);
    next.end();
    expect(await next.read).toHaveLength(4 * MiB);
  });

  test("where there is no room the slowest ends, if any is slow", async () => {
    const clock = manualClock(0);
    const bodies = new BodyMemory(clock);
    const of = (index: number) => held(4 * MiB, { bodies, address: addressOf(index) });
    const slow = held(20_000, { bodies, address: addressOf(99) });
    const first = Array.from({ length: 15 }, (_unused, index) => of(index));
    await untilHeld(bodies, 15 * 4 * MiB + 20_000);
    // All of them have just begun.
    expect(await of(20).read).toContain("cannot answer at present");
    await clock.advance(10_000);
    const next = held(4 * MiB - 1, { bodies, address: addressOf(21) });
    next.end();
    expect(await slow.read).toContain("came in too slowly");
    expect(await next.read).toHaveLength(4 * MiB);
    next.call.end();
    for (const { end } of first) end();
    for (const { read } of first) expect(await read).toHaveLength(4 * MiB + 1);
  });

  test("a body that brings nothing is cut", async () => {
    let cut = false;
    const clock = manualClock(0);
    const bodies = new BodyMemory(clock);
    const { read } = held(20_000, { bodies, onCut: () => (cut = true) });
    await untilHeld(bodies, 20_000);
    await clock.advance(idleMs - 1);
    expect(cut).toBe(false);
    await clock.advance(idleMs);
    expect(await read).toBe("The body ended early");
    expect([cut, bodies.bytes]).toEqual([true, 0]);
  });
});
