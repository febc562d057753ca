// What the load generator does with an answer that is not the one it needs: it stops and shows it.
//
// A benchmark of API errors measures nothing, so an error ends the run instead of being counted.

import { headerOf, type Reply } from "./reply_reader.ts";

/** Throws with what was sent and what came unless the status is `status`. */
export function expectStatus(reply: Reply, status: number, what: string): Reply {
  if (reply.status === status) return reply;
  const firstLine = reply.head.split("\r\n")[0];
  throw new Error(`${what}: expected status ${status}, got "${firstLine}" ${reply.text}`);
}

/** The path and query of a Location header, absolute or relative. */
export function locationOf(reply: Reply, what: string): string {
  const location = headerOf(reply.head, "location");
  if (location === null) throw new Error(`${what}: the answer has no Location`);
  const url = new URL(location, "http://127.0.0.1");
  return url.pathname + url.search;
}

/** A request's head as bytes. Header lines are given as "Name: value". */
export function requestHead(method: string, path: string, ...headers: readonly string[]): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1", ...headers];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}
