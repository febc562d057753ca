// Who a client is behind proxies: what trusted ones say counts, and nothing before it.

import { expect, test } from "bun:test";
import { NetworkSet } from "../lib/networks.ts";
import { clientAddress } from "./forwarded.ts";

const proxies = new NetworkSet(["10.0.0.0/8", "::1"]);

const rows: [from: string | null, header: string | null, client: string | null][] = [
  ["10.0.0.1", null, "10.0.0.1"],
  ["10.0.0.1", "", "10.0.0.1"],
  ["10.0.0.1", "192.0.2.1", "192.0.2.1"],
  // A client that is no proxy says what it likes.
  ["192.0.2.9", "10.0.0.5", "192.0.2.9"],
  [null, "192.0.2.1", null],
  // What the client itself began the list with stands before what the proxy saw.
  ["10.0.0.1", "203.0.113.5, 192.0.2.1", "192.0.2.1"],
  ["10.0.0.1", "10.0.0.7, 192.0.2.1", "192.0.2.1"],
  ["10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"],
  ["10.0.0.1", "203.0.113.5,192.0.2.1,10.0.0.3 ,  10.0.0.2", "192.0.2.1"],
  ["10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
  // What is no address ends what is believed.
  ["10.0.0.1", "unknown", "10.0.0.1"],
  ["10.0.0.1", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"],
  ["10.0.0.1", "192.0.2.1, ", "10.0.0.1"],
  ["10.0.0.1", "_hidden", "10.0.0.1"],
  ["10.0.0.1", "fe80::1%eth0", "10.0.0.1"],
  ["10.0.0.1", '"192.0.2.1"', "10.0.0.1"],
  // Ports, brackets, spellings.
  ["10.0.0.1", "192.0.2.1:4711", "192.0.2.1"],
  ["10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"],
  ["10.0.0.1", "[2001:DB8::1]", "2001:db8::1"],
  ["10.0.0.1", "2001:db8::1", "2001:db8::1"],
  ["10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"],
  ["::1", "192.0.2.1", "192.0.2.1"],
];
test.each(rows)("from %p with %j it is %p", (from, header, client) => {
  expect(clientAddress(from, header, proxies)).toBe(client);
});

test("a list of thousands is read no further than proxies can stand in a row", () => {
  const header = ["192.0.2.1", ...Array.from({ length: 2000 }, () => "10.0.0.2")].join(",");
  expect(clientAddress("10.0.0.1", header, proxies)).toBe("10.0.0.2");
});

test("without trusted proxies nothing is believed", () => {
  const nobody = new NetworkSet([]);
  expect(clientAddress("127.0.0.1", "192.0.2.1", nobody)).toBe("127.0.0.1");
});
