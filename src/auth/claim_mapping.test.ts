// Claim mappings: whom the claims of a token describe, and what describes nobody.

import { expect, test } from "bun:test";
import { checkMapping, compileMapping, mapClaims } from "./claim_mapping.ts";

const empty = { variables: [], validations: [], username: "", groups: "" };
const claims = {
  iss: "https://issuer.example.com",
  sub: "repo:org/app",
  email: "alice@example.com",
  email_verified: false,
  teams: ["a", "b", 3],
};

test.each([
  [empty, { name: "https://issuer.example.com/repo:org/app", groups: [] }],
  [
    { ...empty, username: "claims.sub" },
    { name: "repo:org/app", groups: [] },
  ],
  [
    { ...empty, username: "claims.email.split('@')[0]", groups: "claims.teams" },
    { name: "alice", groups: ["a", "b"] },
  ],
  [
    {
      variables: [
        { name: "mail", expression: "claims.email" },
        { name: "host", expression: "vars.mail.split('@')[1]" },
      ],
      validations: [{ expression: "vars.host == 'example.com'", message: "our people only" }],
      username: "vars.mail",
      groups: "vars.host",
    },
    { name: "alice@example.com", groups: ["example.com"] },
  ],
])("%j", (options, user) => {
  expect(checkMapping(options, "m")).toEqual([]);
  expect(mapClaims(compileMapping(options), claims)).toEqual({ user });
});

test.each([
  [{ ...empty, username: "claims.missing" }, "missing"],
  [{ ...empty, username: "claims.email_verified" }, "a text"],
  [{ ...empty, username: "''" }, "a text"],
  [{ ...empty, username: "'a\\nb'" }, "a text"],
  [
    { ...empty, validations: [{ expression: "claims.email_verified", message: "verify first" }] },
    "verify first",
  ],
  [{ ...empty, validations: [{ expression: "claims.x", message: "" }] }, "claims.x"],
  [{ ...empty, variables: [{ name: "v", expression: "claims.x" }] }, "variable v"],
  [{ ...empty, groups: "claims.x" }, "groups"],
])("%j describes nobody", (options, says) => {
  const mapped = mapClaims(compileMapping(options), claims);
  expect("problem" in mapped ? mapped.problem : "mapped").toContain(says);
});

test("what does not read is told with its place", () => {
  const options = {
    variables: [{ name: "v", expression: "vars.later" }],
    validations: [{ expression: "nope", message: "" }],
    username: "claims.",
    groups: "vars.v",
  };
  expect(checkMapping(options, "m")).toEqual([
    expect.stringContaining("m.variables[0].expression: expected one of the fields"),
    expect.stringContaining("m.validations[0].expression: expected one of claims, vars"),
    expect.stringContaining("m.username: expected a name"),
  ]);
});
