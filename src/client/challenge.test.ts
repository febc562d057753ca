// Tables: challenges and links as registries of the field write them.
import { describe, expect, test } from "bun:test";
import { challengeScopes, parseChallenges } from "./challenge.ts";
import { nextPage, parseLinks } from "./link_header.ts";

describe("parseChallenges", () => {
  const rows: [string, string[], [string, Record<string, string>][]][] = [
    ["basic", ['Basic realm="a b"'], [["basic", { realm: "a b" }]]],
    ["no parameters", ["Negotiate"], [["negotiate", {}]]],
    [
      "bearer with a comma inside quotes",
      [
        'Bearer realm="https://auth.example.com/token",service="r",scope="repository:a/b:pull,push"',
      ],
      [
        [
          "bearer",
          {
            realm: "https://auth.example.com/token",
            service: "r",
            scope: "repository:a/b:pull,push",
          },
        ],
      ],
    ],
    [
      "two in one line",
      ['Basic realm="x", Bearer realm="y"'],
      [
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y" }],
      ],
    ],
    [
      "two lines",
      ['Basic realm="x"', "bearer realm=y"],
      [
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y" }],
      ],
    ],
    [
      "white space and escapes",
      ['Bearer  realm = "q\\"q" ,  error="invalid_token"'],
      [["bearer", { realm: 'q"q', error: "invalid_token" }]],
    ],
    ["empty", [""], []],
    ["garbage", ["=== ???"], []],
  ];
  test.each(rows)("%s", (_, lines, expected) => {
    const found = parseChallenges(lines);
    expect(found.map((one) => [one.scheme, Object.fromEntries(one.parameters)])).toEqual(expected);
  });

  test("scopes are separated by spaces", () => {
    const [challenge] = parseChallenges([
      'Bearer scope="repository:a:pull  repository:b:pull,push"',
    ]);
    expect(challengeScopes(challenge!)).toEqual(["repository:a:pull", "repository:b:pull,push"]);
  });
});

describe("links", () => {
  const rows: [string, string | null][] = [
    ['</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"],
    ["</x>; rel=next", "/x"],
    ['</p>; rel="prev", </n>; rel="next"', "/n"],
    ['</x>; title="a, b"; rel="prev next"', "/x"],
    ['</x>; rel="last"', null],
    ["", null],
  ];
  test.each(rows)("%s", (value, expected) => {
    expect(nextPage(value)).toBe(expected);
  });

  test.each(["/x; rel=next", "<", "x </y>"])("%j is no link value", (value) => {
    expect(parseLinks(value)).toBeNull();
  });
});
