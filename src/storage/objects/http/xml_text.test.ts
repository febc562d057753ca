// What is read out of the XML of stores, and that odd XML ends.

import { expect, test } from "bun:test";
import { elements, elementText, escapeXml, unescapeXml } from "./xml_text.ts";

test("elements by their names, with attributes, empty, and beside longer names", () => {
  const xml = `<?xml version="1.0"?><List xmlns="x"><Keys>no</Keys><Key a="b">one</Key><Key/><Key>t&amp;wo</Key></List>`;
  expect(elements(xml, "Key")).toEqual(["one", "", "t&amp;wo"]);
  expect(elementText(xml, "Key")).toBe("one");
  expect(elementText(xml, "None")).toBeNull();
});

test("what does not end is nothing", () => {
  for (const xml of ["<Key>one", "<Key", "<Key a=", "<Key><Key>".repeat(10_000)]) {
    expect(elements(xml, "Key")).toEqual([]);
  }
});

test("entities there and back", () => {
  const text = `a<b>&"'é😀`;
  expect(unescapeXml(escapeXml(text))).toBe(text);
  expect(unescapeXml("&#x1F600;&#233;&quot;&unknown;&#x110000;")).toBe(`😀é"&unknown;&#x110000;`);
});
