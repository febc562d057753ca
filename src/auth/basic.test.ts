// The Authorization header: every way to write it, right and wrong.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { readCredentials } from "./basic.ts";

const basic = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString("base64")}`;

test.each([
  [null, { kind: "none" }],
  ["Basic Og==", { kind: "none" }],
  ["basic Og", { kind: "none" }],
  [basic("alice:secret"), { kind: "password", name: "alice", password: "secret" }],
  ["BASIC YWxpY2U6c2VjcmV0", { kind: "password", name: "alice", password: "secret" }],
  ["Basic   YWxpY2U6c2VjcmV0", { kind: "password", name: "alice", password: "secret" }],
  [basic("alice:a:b::"), { kind: "password", name: "alice", password: "a:b::" }],
  [basic("älice:pässwörd✓"), { kind: "password", name: "älice", password: "pässwörd✓" }],
  [basic("alice:"), { kind: "password", name: "alice", password: "" }],
  [basic(":secret"), { kind: "password", name: "", password: "secret" }],
  ["Bearer a.b-c_d~e+f/g==", { kind: "bearer", token: "a.b-c_d~e+f/g==" }],
  ["bearer x", { kind: "bearer", token: "x" }],
])("%p", (header, credentials) => {
  expect(readCredentials(header)).toEqual(credentials as never);
});

test.each([
  "",
  " ",
  "Basic",
  "Basic ",
  "Bearer",
  "Bearer ",
  "Bearer a b",
  "Bearer é",
  "Basic YWxpY2U6c2VjcmV0, Basic Ym9iOnNlY3JldA==", // Two headers, as the runtime joins them.
  "Bearer x, Bearer y",
  "Basic YWxpY2U6c2VjcmV0 extra",
  "Basic YWxp!",
  "Basic YWxpY",
  "Basic Y===",
  "Basic =YWx",
  "Digest username=alice",
  "Negotiate abc",
  "Basic:YWxpY2U6c2VjcmV0",
  "\u0000",
  basic("alice"),
  basic(new Uint8Array([0xff, 0x3a, 0x61])),
  basic("alice:sec\0ret"),
  basic("al\nice:secret"),
  `Bearer ${"x".repeat(20_000)}`,
  basic(`alice:${"x".repeat(20_000)}`),
])("%j is malformed", (header) => {
  expect(readCredentials(header)).toMatchObject({ kind: "malformed" });
});

test("what a client encodes is what is read", () => {
  const printable = fc.string({ unit: "grapheme" }).filter((text) => !/[\0-\x1f\x7f]/.test(text));
  const name = printable.filter((text) => !text.includes(":") && text.isWellFormed());
  const password = printable.filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(name, password, (name, password) => {
      fc.pre(name !== "" || password !== "");
      const header = basic(`${name}:${password}`);
      expect(readCredentials(header)).toEqual({ kind: "password", name, password });
    }),
  );
});

test("reading never throws, and is quick on hostile headers", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (header) => {
      readCredentials(header);
    }),
  );
  for (const unit of [",", " ", "=", ".", "Basic ", "Basic A=, "]) {
    readCredentials(unit.repeat(Math.floor(12_000 / unit.length)));
  }
});
