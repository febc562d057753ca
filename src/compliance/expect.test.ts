// Checks say what was expected and what came, and tell broken rules from missing features.
import { describe, expect, test } from "bun:test";
import type { Exchange } from "../client/exchange.ts";
import { type HeaderLine, HeaderLines } from "../client/http_message.ts";
import { digestOf } from "../oci/digest.ts";
import { parseMultipart } from "./cases/multipart.ts";
import {
  errorCodesOf,
  expectBody,
  expectDigest,
  expectErrorBody,
  expectHeader,
  expectLocation,
  expectPushed,
  expectStatus,
} from "./expect.ts";
import { Broken, Skipped, Unsupported, Wrong } from "./verdict.ts";

function answer(
  status: number,
  headers: HeaderLine[] = [],
  body: string | Uint8Array = "",
): Exchange {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return {
    method: "GET",
    address: { origin: { tls: false, host: "h", port: 5000 }, target: "/v2/a/blobs/x?y=1" },
    status,
    reason: "",
    headers: new HeaderLines(headers),
    body: bytes,
    bodyBytes: bytes.length,
    redirects: 0,
    firstByteMs: 0,
    durationMs: 0,
  };
}
const errors = (list: unknown): string => JSON.stringify({ errors: list });

describe("expectStatus", () => {
  test("names what was asked, what came, and the codes of the body", () => {
    const refused = answer(404, [], errors([{ code: "BLOB_UNKNOWN" }]));
    expect(() => expectStatus(refused, [200, 206])).toThrow(
      "Expected status 200 or 206, got 404 BLOB_UNKNOWN for GET /v2/a/blobs/x",
    );
    expect(() => expectStatus(refused, 404)).not.toThrow();
  });
  test("a status that means 'not offered' is unsupported", () => {
    expect(() => expectStatus(answer(405), 202, { unsupported: [405] })).toThrow(Unsupported);
    expect(() => expectStatus(answer(404), 202, { unsupported: [405] })).toThrow(Broken);
  });
});

describe("expectBody", () => {
  test("says where content differs", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(() => expectBody(answer(200, [], new Uint8Array([1, 9, 3])), bytes)).toThrow(
      "at byte 1 of 3",
    );
    expect(() => expectBody(answer(200, [], new Uint8Array([1, 2])), bytes)).toThrow(
      "Expected 3 bytes of content, got 2",
    );
    expect(() => expectBody(answer(200, [], bytes), bytes)).not.toThrow();
  });
});

describe("expectDigest", () => {
  const bytes = new TextEncoder().encode("hello");
  const content = { digest: digestOf("sha256", bytes), bytes };
  const named = (digest: string): Exchange =>
    answer(200, [["Docker-Content-Digest", digest]], bytes);
  test("accepts the digest, and none when none is required", () => {
    expect(() => expectDigest(named(content.digest), content)).not.toThrow();
    expect(() => expectDigest(answer(200), content)).not.toThrow();
    expect(() => expectDigest(answer(200), content, { required: true })).toThrow(Broken);
  });
  test("a digest of the same bytes by another algorithm is allowed unless it has to be exact", () => {
    const other = named(digestOf("sha512", bytes));
    expect(() => expectDigest(other, content)).not.toThrow();
    expect(() => expectDigest(other, content, { exact: true })).toThrow(Broken);
  });
  test("a digest of other bytes is wrong", () => {
    expect(() => expectDigest(named(digestOf("sha256", new Uint8Array(1))), content)).toThrow(
      Wrong,
    );
    expect(() => expectDigest(named("nonsense"), content)).toThrow(Wrong);
  });
});

describe("headers", () => {
  test("one line is expected, not two", () => {
    const twice = answer(201, [
      ["Location", "/a"],
      ["location", "/b"],
    ]);
    expect(() => expectHeader(twice, "Location")).toThrow("Expected one Location header, got 2");
    expect(() => expectLocation(twice)).toThrow(Broken);
    expect(() => expectHeader(answer(200), "Location")).toThrow("got none");
    expect(() => expectHeader(answer(200, [["A", "x"]]), "A", "y")).toThrow("Expected A: y, got x");
  });
  test("a Location is resolved against the request", () => {
    expect(expectLocation(answer(202, [["Location", "/u/1?s=2"]])).target).toBe("/u/1?s=2");
    expect(() => expectLocation(answer(202, [["Location", "mailto:x"]]))).toThrow("that is a URL");
  });
});

describe("expectErrorBody", () => {
  const bad: [string, unknown][] = [
    ["no list", { errors: {} }],
    ["an empty list", { errors: [] }],
    ["texts", { errors: ["NAME_UNKNOWN"] }],
    ["no code", { errors: [{ message: "x" }] }],
    ["a code that is not registered", { errors: [{ code: "NO_SUCH_CODE" }] }],
    ["a message that is no text", { errors: [{ code: "DENIED", message: 1 }] }],
    ["no object", []],
  ];
  test.each(bad)("refuses %s", (_name, value) => {
    expect(() => expectErrorBody(answer(404, [], JSON.stringify(value)))).toThrow(Broken);
  });
  test("accepts the form of the specification, and checks the code when asked", () => {
    const right = answer(404, [], errors([{ code: "NAME_UNKNOWN", message: "", detail: null }]));
    expect(() => expectErrorBody(right, ["NAME_UNKNOWN"])).not.toThrow();
    expect(() => expectErrorBody(right, ["DENIED"])).toThrow(
      "Expected error code DENIED, got NAME_UNKNOWN",
    );
  });
  test("codes of anything that is no error body are none", () => {
    for (const body of ["", "x", "[]", '{"errors":5}', '{"errors":[5,{"code":1}]}']) {
      expect(errorCodesOf(answer(400, [], body))).toEqual([]);
    }
  });
});

test("expectPushed: what the case is about is broken, not skipped", async () => {
  const refused = expectPushed(Promise.reject(new Skipped("refused")));
  expect(await refused.catch((error: unknown) => error)).toBeInstanceOf(Broken);
  expect(await expectPushed(Promise.resolve(1))).toBe(1);
});

describe("parseMultipart", () => {
  const type = "multipart/byteranges; boundary=B";
  const body = (text: string): Uint8Array =>
    new TextEncoder().encode(text.replaceAll("\n", "\r\n"));
  test("gives the parts in order, with bytes that look like boundaries", () => {
    const parts = parseMultipart(
      type,
      body(
        "--B\nContent-Range: bytes 0-1/9\n\nab\n--B\nContent-Type: x\ncontent-range: bytes 4-6/9\n\n-B-\n--B--\n",
      ),
    );
    expect(
      parts?.map(({ range, body: bytes }) => [range, new TextDecoder().decode(bytes)]),
    ).toEqual([
      ["bytes 0-1/9", "ab"],
      ["bytes 4-6/9", "-B-"],
    ]);
  });
  test.each([
    ["another type", "text/plain", "--B--"],
    ["no end", type, "--B\nContent-Range: bytes 0-1/9\n\nab\n"],
    ["no range", type, "--B\nContent-Type: x\n\nab\n--B--"],
    ["nothing", type, ""],
  ])("refuses %s", (_name, contentType, text) => {
    expect(parseMultipart(contentType, body(text))).toBeNull();
  });
});
