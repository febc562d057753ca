// Networks: what reads as one, and which addresses are in it.

import { expect, test } from "bun:test";
import { NetworkSet, parseNetwork } from "./networks.ts";

test.each([
  ["10.0.0.0/8", true],
  ["10.0.0.1", true],
  ["0.0.0.0/0", true],
  ["fd00::/8", true],
  ["::1", true],
  ["::/0", true],
  ["10.0.0.0/33", false],
  ["::1/129", false],
  ["10.0.0.0/", false],
  ["10.0.0.0/8/8", false],
  ["10.0.0.0/-1", false],
  ["10.0.0.0/0x8", false],
  ["10.0.0", false],
  ["010.0.0.1", false],
  ["fe80::1%eth0", false],
  ["proxy.example.com", false],
  ["", false],
  ["*", false],
])("%p reads: %p", (text, reads) => {
  expect(parseNetwork(text) !== null).toBe(reads);
});

test.each([
  ["10.1.2.3", true],
  ["::ffff:10.1.2.3", true],
  ["11.1.2.3", false],
  ["192.0.2.7", true],
  ["192.0.2.8", false],
  ["fd00::5", true],
  ["FD12:0:0::5", true],
  ["2001:db8::1", false],
  ["", false],
  ["10.1.2.3:80", false],
  ["unknown", false],
])("%p is in the set: %p", (address, isIn) => {
  expect(new NetworkSet(["10.0.0.0/8", "192.0.2.7", "fd00::/8"]).has(address)).toBe(isIn);
  expect(new NetworkSet([]).has(address)).toBe(false);
});
