// A document in pieces gives the same elements and the same rest as one that is parsed whole.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { JsonElements } from "./json_elements.ts";

function read(bytes: Uint8Array, pieceBytes: number, bytesMax = 1 << 20) {
  const reader = new JsonElements({ member: "list", bytesMax });
  const elements: string[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    elements.push(...reader.push(bytes.subarray(at, at + pieceBytes)));
  }
  return { elements, rest: reader.end() };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

test("elements and rest are those of the whole document, wherever it is cut", () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const members = fc
    .dictionary(fc.string(), value)
    .filter((given) => !Object.hasOwn(given, "list"));
  fc.assert(
    fc.property(
      fc.array(value),
      members,
      members,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 2),
      (list, before, after, pieceBytes, indent) => {
        const text = JSON.stringify({ ...before, list, ...after }, null, indent);
        const { elements, rest } = read(bytesOf(text), pieceBytes);
        const whole = JSON.parse(text) as { list: unknown[] };
        expect(elements.map((element) => JSON.parse(element) as unknown)).toEqual(whole.list);
        expect(JSON.parse(rest) as unknown).toEqual({ ...whole, list: list.map(() => 0) });
      },
    ),
  );
});

const rows: { says: string; text: string; elements: string[]; rest: string }[] = [
  { says: "no such member", text: '{"other":[1]}', elements: [], rest: '{"other":[1]}' },
  { says: "a member that is no array", text: '{"list":null}', elements: [], rest: '{"list":null}' },
  {
    says: "an array of that name further in",
    text: '{"a":{"list":[1]},"b":"list"}',
    elements: [],
    rest: '{"a":{"list":[1]},"b":"list"}',
  },
  {
    says: "an array of that name as a value",
    text: '{"b":"list","c":[1]}',
    elements: [],
    rest: '{"b":"list","c":[1]}',
  },
  { says: "an empty array", text: '{"list":[ ]}', elements: [], rest: '{"list":[]}' },
  {
    says: "brackets and quotes in strings",
    text: '{"list":["]\\"",{"a":"},["}],"x":"[\\\\"}',
    elements: ['"]\\""', '{"a":"},["}'],
    rest: '{"list":[0,0],"x":"[\\\\"}',
  },
];
for (const { says, text, elements, rest } of rows) {
  test(says, () => {
    expect(read(bytesOf(text), 3)).toEqual({ elements, rest });
  });
}

test("what is no JSON is not made into some", () => {
  for (const text of [
    '{"list":[1,,2]}',
    '{"list":[1 2]}',
    '{"list":[1,]}',
    '{"list":[1}',
    '{"list":[{]}',
  ]) {
    const parses = () => {
      const { elements, rest } = read(bytesOf(text), 2);
      for (const part of [...elements, rest]) JSON.parse(part);
    };
    expect(parses).toThrow(SyntaxError);
  }
  expect(() => read(bytesOf('{"list":[1,2'), 5)).toThrow("it ends in the middle");
});

test("an element and the rest are bounded, not their number", () => {
  const many = JSON.stringify({ list: Array.from({ length: 1000 }, () => "x".repeat(50)) });
  expect(read(bytesOf(many), 100, 100).elements).toHaveLength(1000);
  expect(() => read(bytesOf(JSON.stringify({ list: ["x".repeat(101)] })), 10, 100)).toThrow(
    "100 bytes",
  );
  expect(() => read(bytesOf(JSON.stringify({ a: "x".repeat(101) })), 10, 100)).toThrow("100 bytes");
});
