// The endpoint table against the specification, and against the tables of `test/http` that try it.
//
// A step of those tables names the row that must answer and the answer that it must give, and fails when another
// did; so what the steps name is what was seen, and can be compared with the table without running anything.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { endpoints } from "../src/api/endpoints.ts";
import { apiErrors } from "../src/oci/errors.ts";
import type { Answer } from "./http/row.ts";
import { allRows, allStories } from "./http/rows/all.ts";

/** The table of endpoints of the distribution specification at its HEAD. */
const specified = [
  "end-1",
  "end-2",
  "end-3",
  "end-4a",
  "end-4b",
  "end-4c",
  "end-5",
  "end-6",
  "end-7a",
  "end-7b",
  "end-8a",
  "end-8b",
  "end-9",
  "end-10",
  "end-11",
  "end-12a",
  "end-12b",
  "end-13",
  "end-14",
];

/** Rows that are tried by other files, by the beginning of their names. */
const elsewhere: readonly (readonly [prefix: string, file: string])[] = [
  ["swagger.", "test/openapi.test.ts"],
  ["home.", "test/http/home.test.ts"],
  ["retention.", "test/http/retention.test.ts"],
  ["auth.", "test/auth/tokens.test.ts"],
  ["undo.", "test/http/undo.test.ts"],
  ["audit.run", "test/objects/audit.test.ts"],
  ["tag.set", "test/http/set_tags.test.ts"],
];
const fileOf = (name: string): string | null =>
  elsewhere.find(([prefix]) => name.startsWith(prefix))?.[1] ?? null;

/** Answers that the tables cannot provoke, with where they are tried. */
const triedElsewhere: Readonly<Record<string, string>> = {
  // A full disk takes a disk of its own; what is answered is tried in `src/http/dispatch.test.ts`.
  STORAGE_FULL: "test/faults",
  // It takes a caller with a policy of its own.
  MANIFEST_COLLISION: "test/auth/isolation.test.ts",
  CONTENT_DAMAGED: "test/http/damaged.test.ts",
  STILL_DAMAGED: "test/http/scrub.test.ts",
  // It takes many comparisons at once.
  TOO_MANY_REQUESTS: "test/http/diff.test.ts",
  // They take a configuration of their own.
  QUOTA_EXCEEDED: "test/http/quotas.test.ts",
  QUOTA_REPOSITORIES: "test/quota_reload.test.ts",
};

interface Seen {
  readonly endpoint: string;
  readonly answer: Answer;
  readonly rule: string;
}

const seen: readonly Seen[] = [
  ...allRows.flatMap(({ rule, steps }) => steps.map((step) => ({ ...step, rule }))),
  ...allStories.flatMap(({ rule, covers }) =>
    covers.map(([endpoint, answer]) => ({ endpoint, answer, rule })),
  ),
];

describe("the table of endpoints", () => {
  test("serves every endpoint of the specification", () => {
    const served = endpoints.flatMap(({ spec }) => spec?.split(", ") ?? []);
    expect([...new Set(served)].sort()).toEqual(specified.toSorted());
  });

  test("has one name for one operation", () => {
    const operations = Map.groupBy(endpoints, ({ name }) => name);
    for (const [name, rows] of operations) {
      expect(new Set(rows.map(({ run }) => run)).size, `${name} runs different handlers`).toBe(1);
    }
  });

  test("puts the row that asks for more of the query first", () => {
    for (const [at, row] of endpoints.entries()) {
      const later = endpoints
        .slice(at + 1)
        .filter(
          ({ path, methods }) => path === row.path && methods.some((m) => row.methods.includes(m)),
        );
      for (const other of later) {
        const reachable = (row.when ?? []).some((name) => !(other.when ?? []).includes(name));
        expect(reachable, `${other.name} is hidden by ${row.name}`).toBe(true);
      }
    }
  });

  test("offers HEAD wherever it offers GET", () => {
    for (const { name, methods } of endpoints) {
      expect(methods.includes("HEAD"), name).toBe(methods.includes("GET"));
    }
  });

  test("names an API error and an answer once in a row", () => {
    for (const row of endpoints) {
      const statuses = row.answers.map(({ status }) => status);
      expect(new Set(statuses).size, row.name).toBe(statuses.length);
      expect(new Set(row.errors).size, row.name).toBe(row.errors.length);
    }
  });
});

/** What stands in the description of every row that needs a permission: no handler is asked. */
const isRefusedBefore = ({ needs }: (typeof endpoints)[number], reason: string): boolean =>
  needs !== "none" && ["UNAUTHORIZED", "DENIED"].includes(reason);

describe("what the tables of test/http see", () => {
  const names = new Set(endpoints.map(({ name }) => name));

  test("comes from rows of the table", () => {
    const unknown = seen.filter(({ endpoint }) => endpoint !== "none" && !names.has(endpoint));
    expect(unknown.map(({ endpoint, rule }) => `${endpoint}: ${rule}`)).toEqual([]);
  });

  test("is what the row that answers says of its answers and apiErrors", () => {
    const undeclared = seen.filter(({ endpoint, answer }) => {
      const rows = endpoints.filter(({ name }) => name === endpoint);
      if (rows.length === 0) return false;
      return typeof answer === "number"
        ? !rows.some(({ answers }) => answers.some(({ status }) => status === answer))
        : !rows.some((row) => row.errors.includes(answer) || isRefusedBefore(row, answer));
    });
    expect(
      undeclared.map(({ endpoint, answer, rule }) => `${endpoint} ${answer}: ${rule}`),
    ).toEqual([]);
  });

  test("is only 404, 405 and 414 where no row answers", () => {
    const refused = seen.filter(({ endpoint, answer }) => endpoint === "none" && answer !== 204);
    expect(new Set(refused.map(({ answer }) => answer))).toEqual(
      new Set<Answer>(["NOT_FOUND", "UNSUPPORTED", "URL_TOO_LONG"]),
    );
  });

  const pairs = endpoints
    .filter(({ name }) => fileOf(name) === null)
    .flatMap(({ name, answers, errors }): (readonly [string, Answer])[] => [
      ...answers.map(({ status }) => [name, status] as const),
      ...errors.map((reason) => [name, reason] as const),
    ])
    // Over a store of objects: test/objects/redirects.test.ts.
    .filter(([name, answer]) => `${name} ${answer}` !== "blob.get 307")
    .filter(([, answer]) => !(answer in triedElsewhere));

  test.each([...new Set(pairs.map((pair) => pair.join(" ")))])("holds %s", (pair) => {
    expect(seen.some(({ endpoint, answer }) => `${endpoint} ${answer}` === pair)).toBe(true);
  });

  test("holds nothing that is excepted", () => {
    const stale = seen.filter(({ answer }) => answer in triedElsewhere);
    expect(stale).toEqual([]);
    for (const name of Object.keys(triedElsewhere)) expect(name in apiErrors).toBe(true);
    for (const name of names) {
      const file = fileOf(name);
      if (file !== null) expect(existsSync(join(import.meta.dir, "..", file)), name).toBe(true);
    }
  });
});
