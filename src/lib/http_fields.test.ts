// Header fields: nothing that is emitted can break out, nothing that is read can throw.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  essenceOf,
  isMediaType,
  matchesEntityTag,
  nextLink,
  parseMediaType,
} from "./http_fields.ts";

describe("nextLink", () => {
  test("is a relative target with an encoded query", () => {
    expect(
      nextLink("/v2/a/b/tags/list", [
        ["n", "10"],
        ["last", "v1.0"],
      ]),
    ).toBe('</v2/a/b/tags/list?n=10&last=v1.0>; rel="next"');
    expect(nextLink("/v2/a/referrers/x", [["artifactType", "application/a+b"]])).toBe(
      '</v2/a/referrers/x?artifactType=application%2Fa%2Bb>; rel="next"',
    );
  });

  test("no value breaks out of the field, and every value reads back", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1 }), (query) => {
        const link = nextLink("/v2/_catalog", query);
        const match = /^<\/v2\/_catalog\?([^<>\s"]*)>; rel="next"$/.exec(link);
        expect(match).not.toBeNull();
        expect(link).toMatch(/^[\x20-\x7e]*$/);
        const sound = query.map((pair) => pair.map((part) => part.toWellFormed()));
        expect([...new URLSearchParams(match![1])]).toEqual(sound.map(([a, b]) => [a!, b!]));
      }),
    );
  });

  test("half of a surrogate pair is replaced", () => {
    expect(nextLink("/", [["last", "\uD800"]])).toBe('</?last=%EF%BF%BD>; rel="next"');
  });
});

describe("parseMediaType", () => {
  test.each([
    ["application/json", "application/json"],
    ["application/json; charset=utf-8", "application/json"],
    ["application/json;charset=utf-8", "application/json"],
    ["  Application/JSON ; a=b; c=d", "Application/JSON"],
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json"],
    ["text/x_a-b!#$&^.+", "text/x_a-b!#$&^.+"],
    ["a/b;", "a/b"],
    [`${"a".repeat(127)}/${"b".repeat(127)}`, `${"a".repeat(127)}/${"b".repeat(127)}`],
  ])("%p is %p", (header, mediaType) => {
    expect(parseMediaType(header)).toBe(mediaType);
  });

  test.each([
    null,
    "",
    ";",
    "application",
    "application/",
    "/json",
    "a/b/c",
    "a b/c",
    "*/*",
    "a/*",
    "a/b, c/d",
    "a/b,a/b",
    "+a/b",
    "a/.b",
    "a/b c",
    "a/b\r\nX: y",
    "a/ü",
    `${"a".repeat(128)}/b`,
    `a/${"b".repeat(128)}`,
    "a/b\0",
  ])("%p is none", (header) => {
    expect(parseMediaType(header)).toBeNull();
  });
});

describe("isMediaType", () => {
  test.each([
    "a/b",
    "text/html;charset=utf-8",
    "text/html; charset=UTF-8",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "a/b;c=d;e=f",
    "a/b \t; c=d\t;\te=f",
    'a/b;c="d e; f"',
    'a/b;c="\\"\\\\"',
    'a/b;c=""',
    "a/b;",
    "a/b;;c=d",
    "a/b;c=%20'*|`~",
    `a/b;c=${"x".repeat(1024 - 6)}`,
  ])("%p is one", (text) => {
    expect(isMediaType(text)).toBe(true);
  });

  test.each([
    " a/b",
    "a/b ",
    "a/b\n",
    "a/b;c",
    "a/b;c=",
    "a/b;=d",
    "a/b;c =d",
    "a/b;c= d",
    "a/b;c=d e",
    "a/b;c=d,e",
    "a/b;c=ü",
    'a/b;c="',
    'a/b;c="\\"',
    'a/b;c="d"e',
    'a/b;c="\r\nX: y"',
    "a/b;c=d\r\nX: y",
    "a/b;c=d\n",
    "a/b; ",
    "*/*;q=1",
    `a/b;c=${"x".repeat(1024 - 5)}`,
  ])("%p is none", (text) => {
    expect(isMediaType(text)).toBe(false);
  });

  test("whatever is made by the grammar is one, and its essence is its beginning", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}$/);
    const blank = fc.stringMatching(/^[ \t]{0,3}$/);
    const quoted = fc
      .stringMatching(/^[\t -~]{0,8}$/)
      .map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`);
    const parameter = fc.tuple(blank, blank, word, fc.oneof(word, quoted));
    fc.assert(
      fc.property(fc.array(parameter, { maxLength: 5 }), (parameters) => {
        const text = parameters.map(([a, b, name, value]) => `${a};${b}${name}=${value}`).join("");
        expect(isMediaType(`Text/x+y${text}`)).toBe(true);
        expect(essenceOf(`Text/x+y${text}`)).toBe("text/x+y");
        expect(parseMediaType(`Text/x+y${text}`)).toBe("Text/x+y");
      }),
    );
  });

  test("hostile texts cost no more than linear time", () => {
    for (const piece of [" ", "\t;", "; ", ";a=b ", ' ;a="b"', "\\", 'a="', "; \t a"]) {
      for (const start of ["a/b", "a/b;", 'a/b;c="']) {
        expect(isMediaType(`${start}${piece.repeat(1000)}\n`.slice(0, 1023) + "\n")).toBe(false);
      }
    }
  });
});

describe("matchesEntityTag", () => {
  const tag = `sha256:${"ab".repeat(32)}`;

  test.each([
    `"${tag}"`,
    tag,
    `W/"${tag}"`,
    `"x", "${tag}"`,
    `"x","y" ,\tW/"${tag}" , "z"`,
    `x, ${tag}`,
    `, ,"${tag}"`,
    ` "${tag}" `,
    `"a,b", "${tag}"`,
    "*",
    " * ",
  ])("%p names it", (header) => {
    expect(matchesEntityTag(header, tag)).toBe(true);
  });

  test.each([
    "",
    " ",
    ",",
    `"x"`,
    `"${tag}x"`,
    `"${tag.slice(1)}"`,
    `"${tag.toUpperCase()}"`,
    `"x,${tag},y"`,
    `"x, ${tag}`,
    `w/"${tag}x"`,
    `"*"`,
    `${tag.slice(0, 20)} ${tag.slice(20)}`,
  ])("%p does not", (header) => {
    expect(matchesEntityTag(header, tag)).toBe(false);
  });

  test("hostile lists cost no more than linear time", () => {
    for (const piece of [" ", "\t", ",", '"', "W/", 'W/"', '"" ', "a "]) {
      expect(matchesEntityTag(piece.repeat(100_000) + '"', tag)).toBe(false);
    }
  });

  test("finds the tag wherever it stands in a list of others", () => {
    const other = fc.stringMatching(/^(W\/)?"[a-z0-9:,]{0,10}"$/);
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        expect(matchesEntityTag([...before, `"${tag}"`, ...after].join(", "), tag)).toBe(true);
        expect(matchesEntityTag([...before, ...after].join(", "), tag)).toBe(false);
      }),
    );
  });
});
