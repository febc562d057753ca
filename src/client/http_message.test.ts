// Tables for the HTTP/1.1 grammar, and a property: chunk framing loses nothing.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type BodyFraming,
  findHeadEnd,
  formatChunk,
  formatRequestHead,
  framingOf,
  HeaderLines,
  MessageError,
  parseChunkSize,
  parseResponseHead,
  quote,
} from "./http_message.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("parseResponseHead", () => {
  test("keeps order, case and repetition of header lines", () => {
    const head = parseResponseHead(
      bytes("HTTP/1.1 200 OK\r\nLocation: /a\r\nlocation:  /b \r\nX-Empty:\r\n\r\n"),
    );
    expect(head.status).toBe(200);
    expect(head.headers.lines).toEqual([
      ["Location", "/a"],
      ["location", "/b"],
      ["X-Empty", ""],
    ]);
    expect(head.headers.all("LOCATION")).toEqual(["/a", "/b"]);
    expect(head.headers.get("location")).toBe("/a, /b");
    expect(head.headers.get("absent")).toBeNull();
  });

  const accepted: [string, number, string][] = [
    ["HTTP/1.1 204 No Content\r\n\r\n", 204, "No Content"],
    ["HTTP/1.0 404\r\n\r\n", 404, ""],
    ["HTTP/1.1 200 \n\n", 200, ""],
  ];
  test.each(accepted)("accepts %j", (text, status, reason) => {
    expect(parseResponseHead(bytes(text))).toMatchObject({ status, reason });
  });

  const refused = [
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
  ];
  test.each(refused)("refuses %j", (text) => {
    expect(() => parseResponseHead(bytes(text))).toThrow(MessageError);
  });
});

test("findHeadEnd finds the empty line with either line end, or says it is not there", () => {
  expect(findHeadEnd(bytes("a\r\n\r\nbody"))).toBe(5);
  expect(findHeadEnd(bytes("a\n\nbody"))).toBe(3);
  expect(findHeadEnd(bytes("a\r\nb\r\n"))).toBe(-1);
});

describe("framingOf", () => {
  const rows: [string, string, string, BodyFraming][] = [
    ["HEAD has no body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5", { kind: "none" }],
    ["204 has no body", "GET", "HTTP/1.1 204 No Content", { kind: "none" }],
    ["304 has no body", "GET", "HTTP/1.1 304 x\r\nContent-Length: 5", { kind: "none" }],
    ["length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5", { kind: "length", bytes: 5 }],
    [
      "equal lengths twice",
      "GET",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
      { kind: "length", bytes: 5 },
    ],
    [
      "chunked wins",
      "GET",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
      { kind: "chunked" },
    ],
    ["neither", "GET", "HTTP/1.0 200 OK", { kind: "close" }],
  ];
  test.each(rows)("%s", (_, method, head, framing) => {
    expect(framingOf(method, parseResponseHead(bytes(`${head}\r\n\r\n`)))).toEqual(framing);
  });

  test.each(["-1", "5, 6", "0x5", ""])("refuses Content-Length %j", (length) => {
    const head = parseResponseHead(bytes(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`));
    expect(() => framingOf("GET", head)).toThrow(MessageError);
  });

  test("refuses two different lengths", () => {
    const head = parseResponseHead(
      bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    );
    expect(() => framingOf("GET", head)).toThrow(MessageError);
  });
});

describe("chunks", () => {
  test("a formatted chunk starts with its own size and holds the data", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), (data) => {
        const chunk = formatChunk(data);
        const end = chunk.indexOf(13);
        expect(parseChunkSize(chunk.subarray(0, end))).toBe(data.length);
        expect(Buffer.compare(chunk.subarray(end + 2, -2), data)).toBe(0);
      }),
    );
  });

  test("sizes are hexadecimal, extensions are ignored, anything else is refused", () => {
    expect(parseChunkSize(bytes("fF;name=value"))).toBe(255);
    for (const bad of ["", "-1", "0x10", "g", "11111111111111"]) {
      expect(() => parseChunkSize(bytes(bad))).toThrow(MessageError);
    }
  });
});

test("formatRequestHead writes path and header lines as they are", () => {
  const head = formatRequestHead("GET", "/v2/../a//%2e", [
    ["Host", "h"],
    ["Accept", "a"],
    ["Accept", "b"],
  ]);
  expect(new TextDecoder().decode(head)).toBe(
    "GET /v2/../a//%2e HTTP/1.1\r\nHost: h\r\nAccept: a\r\nAccept: b\r\n\r\n",
  );
});

test("HeaderLines.has and quote", () => {
  expect(new HeaderLines([["A", ""]]).has("a")).toBe(true);
  expect(quote("\u0007x".repeat(40))).toHaveLength(65);
});
