// Rules are generator functions: one that is called and not driven does nothing, and no type says so.

import { expect, test } from "bun:test";
import { Glob } from "bun";
import { join } from "node:path";
import { finish, get, known, run, type Engine, type Rule } from "./statements.ts";

const metadata = join(import.meta.dir, "..");

/** Calls of rules whose result goes nowhere. */
function lost(text: string, rules: ReadonlySet<string>): string[] {
  const code = text.replaceAll(/"[^"\n]*"/g, '""');
  return [...code.matchAll(/(?<![.\w#*])(\w+)\(/g)].flatMap(({ 1: name = "", index }) => {
    if (!rules.has(name)) return [];
    const before = code.slice(0, index).trimEnd();
    return /(yield\*|return|=>|function\*?|(?:finish|follow)\(|parts,|\},)$/.test(before)
      ? []
      : [name];
  });
}

async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of new Glob("{sql,sqlite}/*.ts").scanSync(metadata)) {
    if (!/statements\.ts|\.test\.ts/.test(name))
      found.set(name, await Bun.file(join(metadata, name)).text());
  }
  return found;
}

test("every call of a rule is driven, or handed on", async () => {
  const texts = await sources();
  const names = (text: string): string[] =>
    [...text.matchAll(/^(?:export )?function\*? (\w+)[^{]*?\): Rule</gm)].map(
      ([, name = ""]) => name,
    );
  const exported = [...texts.values()].flatMap(names);
  expect(exported.length).toBeGreaterThan(20);
  for (const [file, text] of texts) {
    const usesStatements = /import \{[^}]*\b(run|tell)\b[^}]*\} from "[^"]*statements\.ts"/.test(
      text,
    );
    const imported = exported.filter((name) => new RegExp(`import[^;]*\\b${name}\\b`).test(text));
    const rules = new Set([
      ...names(text),
      ...imported,
      ...(usesStatements ? ["run", "tell"] : []),
    ]);
    expect([file, lost(text, rules)]).toEqual([file, []]);
  }
});

test("a call that is not driven is found", () => {
  const rules = new Set(["erase"]);
  expect(lost("  erase(work);\n  yield* erase(work);\n", rules)).toEqual(["erase"]);
});

test("an engine that answers at once runs a rule to its end", () => {
  const asked: string[] = [];
  const answer = <T>(value: T): Engine["get"] & Engine["run"] =>
    ((text: string) => {
      asked.push(text);
      return known(value);
    }) as never;
  const engine: Engine = {
    get: answer({ n: 1 }),
    all: answer([]) as never,
    run: answer(2),
    tell: answer(2),
  };
  const rule = function* (): Rule<number> {
    const row = yield* get({ engine }, "one");
    return Number(row?.["n"]) + (yield* run({ engine }, "two"));
  };
  expect(finish(rule())).toBe(3);
  expect(asked).toEqual(["one", "two"]);
});

test("an engine that waits is refused where nothing can wait", () => {
  const rule = function* (): Rule<void> {
    yield { text: "one", values: [] };
  };
  expect(() => finish(rule())).toThrow("was not answered at once");
});
