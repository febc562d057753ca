// What a person may name, and what a server's refusal looks like at a terminal.

import { describe, expect, test } from "bun:test";
import { inColumns, parseTarget, withServer } from "./server_given.ts";
import { Mistake } from "./registry_flags.ts";

const digest = `sha256:${"a".repeat(64)}`;
const none = { server: null, reference: null };

const named: readonly [string, ReturnType<typeof parseTarget>][] = [
  ["app", { ...none, repository: "app" }],
  ["team/app", { ...none, repository: "team/app" }],
  ["team/app:1.0", { ...none, repository: "team/app", reference: "1.0" }],
  ["app:1", { ...none, repository: "app", reference: "1" }],
  [`team/app@${digest}`, { ...none, repository: "team/app", reference: digest }],
  [`team/app:1.0@${digest}`, { ...none, repository: "team/app", reference: digest }],
  ["localhost/app", { ...none, server: "localhost", repository: "app" }],
  ["r.example/app:1", { server: "r.example", repository: "app", reference: "1" }],
  ["127.0.0.1:5000/a/b", { ...none, server: "127.0.0.1:5000", repository: "a/b" }],
  ["[::1]:5000/a:1", { server: "[::1]:5000", repository: "a", reference: "1" }],
  [
    `http://localhost:8080/a/b@${digest}`,
    { server: "http://localhost:8080", repository: "a/b", reference: digest },
  ],
];

describe("a target", () => {
  test.each(named)("%s", (given, expected) => {
    expect(parseTarget(given)).toEqual(expected);
  });

  test.each(["", "Team/App", "app:", "app@", "app@sha256:1", "a//b", "r.example/", "app:a b"])(
    "%j is a mistake",
    (given) => {
      expect(() => parseTarget(given)).toThrow(Mistake);
    },
  );
});

describe("a server that is asked", () => {
  async function asked(answer: () => Response): Promise<{ status: number; errors: string }> {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    let errors = "";
    const output = {
      out: () => {},
      error: (line: string) => (errors += line),
      colour: false,
      columns: undefined,
    };
    const status = await withServer({ arguments: {}, options: {} }, output, {
      server: `http://127.0.0.1:${server.port}`,
      run: async (one) => ((await one.ask("GET", "/v2/x")) === null ? 5 : 0),
    });
    await server.stop(true);
    return { status, errors };
  }

  test("gives its JSON", async () => {
    expect(await asked(() => Response.json({ a: 1 }))).toEqual({ status: 0, errors: "" });
  });

  test("refuses with its own line, whose control characters do nothing", async () => {
    const errors = [{ code: "DENIED", message: "not \u001B[31mallowed" }];
    const { status, errors: line } = await asked(() => Response.json({ errors }, { status: 403 }));
    expect(status).toBe(1);
    expect(line).toMatch(/^zot: http:\/\/127\.0\.0\.1:\d+: not \?\[31mallowed \(DENIED\)\n$/);
  });

  test("that answers something else is told by its status", async () => {
    const { status, errors } = await asked(() => new Response("<p>", { status: 404 }));
    expect([status, errors]).toEqual([1, expect.stringContaining("404 Not Found\n")]);
  });
});

test("columns are as wide as their widest cell", () => {
  expect(
    inColumns(
      ["TAG", "WHY"],
      [
        ["1.0.0", "kept\n"],
        ["2", ""],
      ],
    ),
  ).toBe("TAG    WHY\n1.0.0  kept?\n2\n");
});
