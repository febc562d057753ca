// The program as a graph of its files: circles of imports, what a process loads when it starts, and what is exported for
// tests alone.
//
// Each check takes sources and returns one line per violation, which says where and what, as those of `architecture.ts`,
// whose test runs these, too.

import { dirname, join, normalize } from "node:path";
import { importsOf, transpilerOf, type Source, withoutComments } from "./architecture.ts";

/** Circles of imports, of types as well: each once, as the way round it. */
export function importCircles(sources: readonly Source[]): string[] {
  const imports = new Map(
    sources.map((source) => [source.path, importsOf(source).map(({ target }) => target)]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) circles.push([...way.slice(start), path].join(" -> "));
    if (start >= 0 || done.has(path)) return;
    for (const target of imports.get(path) ?? []) walk(target, [...way, path]);
    done.add(path);
  };
  for (const { path } of sources) walk(path, []);
  return circles;
}

/** Packages that are loaded with a file before it runs, each with the files that ask for it. */
export function loadedPackages(
  sources: readonly Source[],
  entry: string,
): ReadonlyMap<string, readonly string[]> {
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  const found = new Map<string, string[]>();
  const seen = new Set([entry]);
  for (const path of seen) {
    for (const { kind, path: target } of transpilerOf(path).scanImports(texts.get(path) ?? "")) {
      if (kind !== "import-statement") continue;
      if (target.startsWith(".")) seen.add(normalize(join(dirname(path), target)));
      else found.set(target, [...(found.get(target) ?? []), path]);
    }
  }
  return found;
}

const isTest = (path: string): boolean => path.startsWith("test/") || path.endsWith(".test.ts");
const declared =
  /^export (?:abstract )?(?:async )?(?:function|const|let|class|interface|type|enum)\*? (\w+)/gm;
const classHead = /^(?:export )?(?:abstract )?class (\w+)/;
const member =
  /^ {2}(?:static |override |async |get )*(?!constructor\b|private\b)(\w+)(?:<[^>]*>)?\(/;

/** Exports and public methods of `src` that no program file uses: tests alone keep them alive. */
export function usedByTestsAlone(sources: readonly Source[], but: readonly string[]): string[] {
  const program = sources
    .filter(({ path }) => !isTest(path))
    .map(({ path, text }) => ({ path, text: withoutComments(text) }));
  const words = program.flatMap(({ text }) => text.match(/\w+/g) ?? []);
  const once = new Set(words).difference(new Set(repeated(words)));
  // `x.name`, or a name that is taken out of an object: `const { name } = x`, `({ name }: X)`.
  const members = program.flatMap(({ text }) => [
    ...(text.match(/(?<=\.)\w+/g) ?? []),
    ...[...text.matchAll(/\{([^{}()]*)\}\s*[=:]/g)].flatMap(
      ([, names = ""]) => names.match(/\w+/g) ?? [],
    ),
  ]);
  const reached = new Set(members);
  const found = program
    .filter(({ path }) => path.startsWith("src/"))
    .flatMap(({ path, text }) => [
      ...exportsOf(text)
        .filter((name) => once.has(name))
        .map((name) => `${path}: ${name}`),
      ...methodsOf(text)
        .filter(({ name }) => !reached.has(name))
        .map(({ owner, name }) => `${path}: ${owner}.${name}`),
    ]);
  return [
    ...found.filter((line) => !but.includes(line)).map((line) => `${line} is used by tests alone`),
    ...but.filter((line) => !found.includes(line)).map((line) => `${line} needs no exception`),
  ];
}

function repeated(words: readonly string[]): string[] {
  const seen = new Set<string>();
  return words.filter((word) => seen.size === seen.add(word).size);
}

function exportsOf(text: string): string[] {
  return [...text.matchAll(declared)].map(([, name = ""]) => name);
}

function methodsOf(text: string): { readonly owner: string; readonly name: string }[] {
  const found: { owner: string; name: string }[] = [];
  let owner: string | null = null;
  for (const line of text.split("\n")) {
    owner = line.startsWith("}") ? null : (classHead.exec(line)?.[1] ?? owner);
    const name = member.exec(line)?.[1];
    if (owner !== null && name !== undefined) found.push({ owner, name });
  }
  return found;
}
