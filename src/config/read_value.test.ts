// Values that hold more than one text: objects, maps and lists, as options to come will have.

import { describe, expect, test } from "bun:test";
import * as z from "zod";
import { keysWithin, readValue, type PathPart } from "./read_value.ts";

const policies = z
  .record(
    z.string(),
    z.object({ userNames: z.array(z.string()), isOn: z.boolean().prefault(true) }),
  )
  .prefault({});

function read(value: unknown, schema: z.ZodType, env: Record<string, string> = {}) {
  const problems: [readonly PathPart[], string][] = [];
  const variables: [readonly PathPart[], readonly string[]][] = [];
  const read = readValue(value, schema, ["at"], {
    env,
    problem: (path, says) => problems.push([path, says]),
    variables: (path, names) => variables.push([path, names]),
  });
  return { read, problems, variables };
}

describe("readValue", () => {
  test("keys of objects get their spelling, keys of maps keep theirs", () => {
    const value = { "Team/**": { USERNAMES: ["Alice"], ison: false }, "b.c": { usernames: [] } };
    expect(read(value, policies)).toEqual({
      read: { "Team/**": { userNames: ["Alice"], isOn: false }, "b.c": { userNames: [] } },
      problems: [],
      variables: [],
    });
  });

  test("variables are filled in at any depth, and remembered by their path", () => {
    const value = { x: { userNames: ["${A}", "b"], isOn: "${ON}" } };
    expect(read(value, policies, { A: "alice", ON: "false" })).toEqual({
      read: { x: { userNames: ["alice", "b"], isOn: false } },
      problems: [],
      variables: [
        [["at", "x", "userNames", 0], ["A"]],
        [["at", "x", "isOn"], ["ON"]],
      ],
    });
  });

  test("one key in two spellings is told", () => {
    const value = { x: { isOn: true, ISON: false } };
    expect(read(value, policies).problems).toEqual([
      [["at", "x", "ISON"], "expected isOn once, got it again"],
    ]);
  });

  test("of sections that a key tells apart, the one that it names says how keys are spelled", () => {
    const one = z.strictObject({ name: z.literal("one"), isOn: z.boolean() });
    const two = z.strictObject({ name: z.literal(["two", "2"]), keyFile: z.string() });
    const either = z.discriminatedUnion("name", [one, two.transform((value) => value)]).nullable();
    expect(read({ NAME: "2", keyfile: "${F}" }, either, { F: "true" }).read).toEqual({
      name: "2",
      keyFile: "true",
    });
    expect(read({ name: "one", ison: "${F}" }, either, { F: "true" }).read).toEqual({
      name: "one",
      isOn: true,
    });
    expect(read({ name: "three", KEYFILE: "a" }, either).read).toEqual({
      name: "three",
      KEYFILE: "a",
    });
    expect(read(null, either).read).toBeNull();
    expect(keysWithin(either, [], { name: "two" })).toEqual(["name", "keyFile"]);
    expect(keysWithin(either, [], { name: "one" })).toEqual(["name", "isOn"]);
  });

  test("a map's key may be any name", () => {
    const value = JSON.parse('{"__proto__": {"isOn": false}}');
    expect(JSON.stringify(read(value, policies).read)).toBe('{"__proto__":{"isOn":false}}');
  });

  test.each([
    ["number", z.number(), "${V}", "1.5", 1.5],
    ["number below a default", z.int().min(1).prefault(3), "${V}", "12", 12],
    ["number below a transform", z.number().transform(String), "${V}", "-3", -3],
    ["boolean", z.boolean().optional(), "${V}", "true", true],
    ["no number", z.number(), "${V}", "0x10", "0x10"],
    ["no boolean", z.boolean(), "${V}", "yes", "yes"],
    ["text", z.string(), "${V}", "5", "5"],
    ["not from a variable", z.number(), "5", "", "5"],
  ])("%s", (_name, schema, value, held, expected) => {
    expect(read(value, schema, { V: held }).read).toBe(expected);
  });
});
