// Answers read from bytes that come in any pieces.

import { describe, expect, test } from "bun:test";
import { headerOf, type Reply, ReplyReader } from "./reply_reader.ts";

const sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const chunked =
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
const refused = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone";
const empty = "HTTP/1.1 201 Created\r\nLocation: /v2/a\r\nContent-Length: 0\r\n\r\n";
const noContent = "HTTP/1.1 204 No Content\r\n\r\n";

/** Feeds a text in pieces of `size` bytes and gives the replies that came out. */
function feed(reader: ReplyReader, text: string, size: number): Reply[] {
  const bytes = Buffer.from(text);
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const reply = reader.feed(bytes.subarray(at, at + size));
    if (reply !== null) replies.push(reply);
  }
  return replies;
}

describe("ReplyReader", () => {
  const cases: [string, string, number, number][] = [
    ["a body with a length", sized, 200, 5],
    ["a chunked body", chunked, 200, 15],
    ["a refusal", refused, 404, 4],
    ["an empty body", empty, 201, 0],
    ["no content", noContent, 204, 0],
  ];
  for (const [name, text, status, dataBytes] of cases) {
    test(`reads ${name} from pieces of any size, and the next reply after it`, () => {
      for (let size = 1; size <= text.length; size++) {
        const reader = new ReplyReader();
        const replies = [...feed(reader, text, size), ...feed(reader, sized, size)];
        expect(replies.map((reply) => reply.status)).toEqual([status, 200]);
        // Of a chunked body the chunk lines count as well.
        expect(replies[0]?.bodyBytes).toBeGreaterThanOrEqual(dataBytes);
        expect(replies[1]?.bodyBytes).toBe(5);
      }
    });
  }

  test("keeps the beginning of a refusal", () => {
    expect(feed(new ReplyReader(), refused, 1000)[0]?.text).toBe("gone");
  });

  const broken: [string, string, string][] = [
    ["too many bytes", `${sized}!`, "more bytes"],
    ["bytes after the last chunk", `${chunked}!`, "after the last chunk"],
    ["a chunk size that is no number", chunked.replace("A;x=y", "zz"), "chunk size"],
    ["a body without a length", "HTTP/1.1 200 OK\r\n\r\n", "no length"],
  ];
  for (const [name, text, message] of broken) {
    test(`refuses ${name}`, () => {
      expect(() => feed(new ReplyReader(), text, text.length)).toThrow(message);
    });
  }
});

test("headerOf finds a header in any case, and gives null for one that is not there", () => {
  const head = "HTTP/1.1 200 OK\r\nX-Type: a\r\nLocation:  /v2/x?y=1 \r\nB: c";
  expect(headerOf(head, "location")).toBe("/v2/x?y=1");
  expect(headerOf(head, "b")).toBe("c");
  expect(headerOf(head, "type")).toBeNull();
});
