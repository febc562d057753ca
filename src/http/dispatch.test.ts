// The pipeline of a request, with rows and failures made for the purpose. Real endpoints: `test/http`.

import { describe, expect, test } from "bun:test";
import { manualClock } from "../lib/clock.ts";
import { apiErrors, apiError } from "../oci/errors.ts";
import type { Call, Connection } from "./call.ts";
import { Cors } from "./cors.ts";
import { Dispatcher, type AccessRecord } from "./dispatch.ts";
import { gatheredBytesMax } from "./gather_body.ts";
import { slowBodyBytesMin, type BodyEnd, type Endpoint, type Reply } from "./endpoint.ts";
import { jsonReply } from "./reply.ts";
import { Router } from "./router.ts";

type Run = (call: Call) => Promise<Reply>;

function row(path: string, run: Run, more: Partial<Endpoint<null>> = {}): Endpoint<null> {
  return {
    name: "test.row",
    spec: null,
    methods: ["GET", "HEAD", "PUT"],
    path,
    needs: "pull",
    body: "none",
    answers: [],
    errors: [],
    says: "",
    run,
    ...more,
  };
}

const connection = {
  address: "192.0.2.7",
  holdOpen: () => {},
  cut: () => {},
} as unknown as Connection;

interface Asked {
  readonly reply: Reply;
  readonly record: AccessRecord;
  readonly failure: unknown;
}

const clock = manualClock(0);

async function ask(
  rows: readonly Endpoint<null>[],
  url: string,
  init: RequestInit & { readonly stopping?: boolean; readonly end?: BodyEnd } = {},
): Promise<Asked> {
  const seen: { record: AccessRecord; failure: unknown }[] = [];
  const dispatcher = new Dispatcher<null>({
    app: null,
    router: new Router(rows),
    cors: new Cors({ allowOrigin: [] }),
    clock,
    idPrefix: "p-",
    explain: (error) => (String(error).includes("disk") ? { reason: "STORAGE_FULL" } : null),
    onAnswer: (record, failure) => seen.push({ record, failure }),
    isStopping: () => init.stopping ?? false,
  });
  const request = new Request("http://h/", init);
  // The runtime's URL may be anything; only Request's own constructor insists on a good one.
  Object.defineProperty(request, "url", { value: url });
  const reply = await dispatcher.dispatch(request, connection);
  if (init.end !== undefined) reply.onEnd?.(init.end);
  const [first, ...more] = seen;
  if (first === undefined || more.length > 0) throw new Error(`${seen.length} log lines`);
  return { reply, ...first };
}

const hello = row("/x", () => Promise.resolve(jsonReply(200, { hello: 1 })));
const failing = (error: unknown): Endpoint<null> =>
  row("/x", async () => {
    throw error;
  });
const text = ({ body }: Reply): string => Buffer.from(body as Uint8Array).toString();

describe("answers", () => {
  test("carry what every answer carries", async () => {
    const { reply } = await ask([hello], "http://h/x");
    expect(reply).toEqual({
      status: 200,
      headers: {
        "content-type": "application/json",
        "content-length": "11",
        "docker-distribution-api-version": "registry/2.0",
        "x-content-type-options": "nosniff",
      },
      body: Buffer.from('{"hello":1}'),
    });
  });

  test("to HEAD have the headers and no body", async () => {
    const { reply } = await ask([hello], "http://h/x", { method: "HEAD" });
    expect(reply.body).toBeNull();
    expect(reply.headers["content-length"]).toBe("11");
  });

  test("ask for the connection's end while the server stops", async () => {
    expect((await ask([hello], "http://h/x")).reply.headers["connection"]).toBeUndefined();
    const stopping = await ask([hello], "http://h/x", { stopping: true });
    expect(stopping.reply.headers["connection"]).toBe("close");
  });
});

describe.each([1, slowBodyBytesMin])("a file of %i bytes that was answered", (sizeBytes) => {
  const file = new Blob([new Uint8Array(sizeBytes)]);
  const large = row("/x", () => Promise.resolve({ status: 200, headers: {}, body: file }));
  const error = new Error("the disk has no room for a file");
  const ends: readonly (readonly [BodyEnd, Partial<AccessRecord>, failure: unknown])[] = [
    [{ kind: "whole", sentBytes: 9 }, { status: 200, bytes: 9 }, null],
    [{ kind: "aborted", sentBytes: 5 }, { status: 200, bytes: 5, aborted: true }, null],
    [
      { kind: "cut", sentBytes: 5, problem: "EIO" },
      { status: 200, bytes: 5, error: `the answer was cut after 5 of ${file.size} bytes: EIO` },
      new Error(`the answer was cut after 5 of ${file.size} bytes: EIO`),
    ],
    [
      { kind: "replaced", sentBytes: 7, error },
      { status: 507, bytes: 7, reason: "STORAGE_FULL", error: error.message },
      error,
    ],
  ];
  test.each([...ends])("is logged as what became of it (%#)", async (end, logged, thrown) => {
    const { record, failure } = await ask([large], "http://h/x", { end });
    expect(record).toMatchObject(logged);
    expect(failure).toEqual(thrown);
  });
});

describe("targets", () => {
  const echo = row("/{path...}", ({ path, query, params }) =>
    Promise.resolve(jsonReply(200, { path, query: [...query], params })),
  );
  const cases: readonly (readonly [url: string, path: string, query: string[][]])[] = [
    ["http://h/a/b", "/a/b", []],
    [
      "https://h:5000/a?x=1&y=%20",
      "/a",
      [
        ["x", "1"],
        ["y", " "],
      ],
    ],
    ["http://[::1]:5/a?", "/a", []],
    ["/a?x=1", "/a", [["x", "1"]]],
    ["http://h/a#fragment?x=1", "/a", []],
    ["http://h/a?x=1#fragment", "/a", [["x", "1"]]],
    ["http://h/a?x=/b?c", "/a", [["x", "/b?c"]]],
    ["http://h//evil/a", "//evil/a", []],
  ];

  test.each([...cases])("%s", async (url, path, query) => {
    const { reply } = await ask([echo], url);
    expect(JSON.parse(text(reply))).toMatchObject({ path, query });
  });

  test.each(["example.com:443", "", "*", "http://h", "http://", "a/b"])(
    "%s is nothing that is served",
    async (url) => {
      const { reply, record } = await ask([echo], url);
      expect(reply.status).toBe(404);
      expect(record).toMatchObject({ what: "none", reason: "NOT_FOUND" });
    },
  );

  test("a path with its query is read up to 8192 bytes", async () => {
    const longest = await ask([echo], `http://h/${"x".repeat(4000)}?${"y".repeat(4190)}`);
    expect(longest.reply.status).toBe(200);
    const { reply, record } = await ask([echo], `http://h/${"x".repeat(4000)}?${"y".repeat(4191)}`);
    expect(reply.status).toBe(414);
    expect(record).toMatchObject({ what: "none", path: "", reason: "URL_TOO_LONG" });
  });
});

describe("failures", () => {
  test("that are apiErrors are answered as their row says, and not logged with a cause", async () => {
    const error = apiError("UPLOAD_RANGE", {
      headers: { range: "0-4" },
      cause: new Error("inner"),
    });
    const { reply, record, failure } = await ask([failing(error)], "http://h/x");
    expect(reply.status).toBe(416);
    expect(reply.headers).toMatchObject({ range: "0-4", "x-request-id": record.id });
    expect(text(reply)).not.toContain("inner");
    expect(record).toMatchObject({ reason: "UPLOAD_RANGE", status: 416 });
    expect(failure).toBeNull();
  });

  test("that nobody knows are a 500 which tells nothing, and are logged", async () => {
    const error = new Error("/secret/path does not exist");
    const { reply, record, failure } = await ask([failing(error)], "http://h/x");
    expect(reply.status).toBe(500);
    expect(JSON.parse(text(reply))).toEqual({
      errors: [{ code: "UNKNOWN", message: apiErrors.UNKNOWN.message }],
    });
    expect(record).toMatchObject({ reason: "UNKNOWN", error: error.message });
    expect(failure).toBe(error);
  });

  test("that are no errors at all are a 500 too", async () => {
    const { reply, failure } = await ask([failing("text")], "http://h/x");
    expect(reply.status).toBe(500);
    expect(failure).toBe("text");
  });

  test("of layers below are what `explain` makes of them", async () => {
    const error = new Error("no room on the disk");
    const { reply, record, failure } = await ask([failing(error)], "http://h/x");
    expect(reply.status).toBe(507);
    expect(text(reply)).not.toContain("no room on the disk");
    expect(record.reason).toBe("STORAGE_FULL");
    expect(failure).toBe(error);
  });

  test("a 405 of a handler says what else the path serves", async () => {
    const rows = [
      row("/x", () => Promise.reject(apiError("BLOB_REFERENCED")), { methods: ["PUT"] }),
      row("/x", (call) => hello.run(call, null), { methods: ["GET"] }),
    ];
    const { reply } = await ask(rows, "http://h/x", { method: "PUT" });
    expect(reply.headers["allow"]).toBe("GET, OPTIONS");
  });
});

describe("checks before a handler", () => {
  const never: Run = () => Promise.reject(new Error("the handler ran"));

  test.each([
    ["pull", "NAME_INVALID_READ"],
    ["push", "NAME_INVALID"],
    ["delete", "NAME_INVALID"],
  ] as const)("a bad name is refused where %s is needed", async (needs, reason) => {
    const rows = [row("/v2/{repository...}/x", never, { needs })];
    const { record } = await ask(rows, "http://h/v2/UPPER/x");
    expect(record).toMatchObject({ reason, what: "test.row", repository: null });
  });

  test("an encoded body is refused where a body is taken, and only there", async () => {
    const init = { method: "PUT", headers: { "content-encoding": "gzip" } };
    const taking = row("/x", never, { body: "bytes" });
    expect((await ask([taking], "http://h/x", init)).record.reason).toBe("CONTENT_ENCODING");
    expect((await ask([hello], "http://h/x", init)).record.status).toBe(200);
  });
});

describe("log lines", () => {
  test("say who asked what, what came, and how long it took", async () => {
    const slow = row("/v2/{repository...}/x", async () => {
      await clock.advance(12);
      return jsonReply(200, [1, 2]);
    });
    const { record, failure } = await ask([slow], "http://h/v2/team/app/x?token=secret");
    expect(record).toEqual({
      id: "p-1",
      client: "192.0.2.7",
      who: null,
      what: "test.row",
      method: "GET",
      path: "/v2/team/app/x",
      repository: "team/app",
      status: 200,
      bytes: 5,
      durationMs: 12,
    });
    expect(failure).toBeNull();
  });

  test("count what a request brought where it brings a body", async () => {
    const taking = row("/x", () => Promise.resolve(jsonReply(201, {})), { body: "stream" });
    const headers = { "content-length": "12345" };
    const { record } = await ask([taking], "http://h/x", { method: "PUT", headers });
    expect(record.bytes).toBe(12_345);
  });

  test("of requests that reach no row name none", async () => {
    const { record } = await ask([hello], "http://h/nothing");
    expect(record).toMatchObject({ what: "none", repository: null, status: 404 });
  });
});

describe("a stream of a known length", () => {
  const streamOf = (bytes: Uint8Array, fails = false) => {
    let at = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (fails && at > 0) throw new Error("the disk of the store is gone");
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(at, at + 100_000));
        at += 100_000;
      },
    });
  };
  const bytes = crypto.getRandomValues(new Uint8Array(64_000));
  const body = Buffer.concat(Array.from({ length: 8 }, () => bytes));
  const rowOf = (stream: ReadableStream<Uint8Array>, streamBytes: number) =>
    row("/x", async () => ({ status: 200, headers: {}, body: stream, streamBytes }));

  test("is gathered, and holds memory until it is sent", async () => {
    const { reply } = await ask([rowOf(streamOf(body), body.length)], "http://h/x", {
      end: { kind: "whole", sentBytes: body.length },
    });
    expect(Buffer.compare(reply.body as Uint8Array, body)).toBe(0);
  });

  test("goes out as a stream when it is long", async () => {
    const stream = streamOf(body);
    const { reply } = await ask([rowOf(stream, gatheredBytesMax + 1)], "http://h/x");
    expect(reply.body).toBe(stream);
  });

  test.each([body.length - 1, body.length + 1])(
    "of %i bytes, but has others, is a failure",
    async (streamBytes) => {
      const asked = await ask([rowOf(streamOf(body), streamBytes)], "http://h/x");
      expect(asked.reply.status).toBe(500);
    },
  );

  test("that fails is an error, and gives its memory back", async () => {
    const dispatched = Array.from({ length: 40 }, () =>
      ask([rowOf(streamOf(body, true), body.length)], "http://h/x"),
    );
    for (const { reply } of await Promise.all(dispatched)) expect(reply.status).toBe(507);
  });

  test("whose reader goes away is ended, and the log says why", async () => {
    const leaving = new AbortController();
    let isEnded = false;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        leaving.abort();
        controller.enqueue(body.subarray(0, 100));
      },
      cancel() {
        isEnded = true;
      },
    });
    const asked = await ask([rowOf(stream, body.length)], "http://h/x", { signal: leaving.signal });
    expect(asked.reply.status).toBe(503);
    expect(String(asked.failure)).toContain("The client went away");
    expect(isEnded).toBe(true);
  });

  test("goes out as a stream where the memory is full", async () => {
    const large = new Uint8Array(gatheredBytesMax);
    const dispatcher = new Dispatcher<null>({
      app: null,
      router: new Router([
        row("/x", async () => ({
          status: 200,
          headers: {},
          body: streamOf(large),
          streamBytes: large.length,
        })),
      ]),
      cors: new Cors({ allowOrigin: [] }),
      clock,
      idPrefix: "p-",
      explain: () => null,
      onAnswer: () => {},
      isStopping: () => false,
    });
    const get = () => dispatcher.dispatch(new Request("http://h/x"), connection);
    const [one, two, three] = [await get(), await get(), await get()];
    expect([one, two].map(({ body: sent }) => sent instanceof Uint8Array)).toEqual([true, true]);
    expect(three.body).toBeInstanceOf(ReadableStream);
    one.onEnd?.({ kind: "whole", sentBytes: large.length });
    expect((await get()).body).toBeInstanceOf(Uint8Array);
  });
});
