/**
 * What the configured stores make of what lies in their root directories: whether a store is not there, is another
 * registry's, or has names from now on whose content lies in another one. It changes nothing.
 *
 * A start is refused where repositories that the registry knows would be without their content; what it never knew is told,
 * and not served.
 */
import { existsSync, readdirSync, realpathSync, statSync, type Dirent } from "node:fs";
import { join, relative } from "node:path";
import { markFile, metadataFile, noteFile, repositoryOfKey } from "./layout.ts";
import { readMark, readNote } from "./root_note.ts";
import { componentOf } from "./store_component.ts";

/** Directories that are looked at for layouts, in one place. */
const directoriesMax = 10_000;
/** Repositories that a line names. */
const namedMax = 3;

export interface StorePlaces {
  readonly mainRoot: string;
  /** Root directories by the first component of names. */
  readonly stores: Readonly<Record<string, string>>;
  /** Components whose content lies in stores of objects: their directories have uploads on their way. */
  readonly inObjects: ReadonlySet<string>;
}

export interface StoreFindings {
  /** Why the registry cannot be served so, a line each. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export function lookAtStores(places: StorePlaces): StoreFindings {
  const { mainRoot, stores, inObjects } = places;
  const note = readNote(mainRoot);
  if (note === null && Object.keys(stores).length === 0) return { problems: [], warnings: [] };
  const before = note?.stores ?? {};
  const components = [...new Set([...Object.keys(before), ...Object.keys(stores)])];
  const problems = [
    ...sameDirectories(places),
    ...Object.entries(stores).flatMap(([component, root]) =>
      foreignStore({ component, root, mainRoot, registry: note?.registry ?? null }),
    ),
  ];
  const known = existsSync(join(mainRoot, metadataFile));
  for (const component of components) {
    const [old, now] = [before[component] ?? mainRoot, stores[component] ?? mainRoot];
    const isInObjects = inObjects.has(component);
    // What was on its way may be lost.
    if (!isInObjects) problems.push(...missingStore({ component, old, now, mainRoot }));
    if (old !== now && known) problems.push(...leftBehind({ component, old, now, isInObjects }));
  }
  if (problems.length > 0) return { problems, warnings: [] };
  return {
    problems,
    warnings: [mainRoot, ...Object.values(stores)].flatMap((root) => hiddenIn(root, places)),
  };
}

/** Equal for directories of one file system: they fill up together. */
export function diskOf(rootDirectory: string): string {
  return String(statSync(rootDirectory, { throwIfNoEntry: false })?.dev ?? rootDirectory);
}

/** Names that differ may lead to one directory, or into another one. */
function sameDirectories({ mainRoot, stores }: StorePlaces): string[] {
  const roots: [says: string, path: string][] = [
    ["storage.rootDirectory", real(mainRoot)],
    ...Object.entries(stores).map(([component, root]): [string, string] => [
      `${placeOf(component)}.rootDirectory`,
      real(root),
    ]),
  ];
  return roots.flatMap(([says, path], at) =>
    roots.slice(0, at).flatMap(([otherSays, other]) => {
      if (!isWithin(path, other) && !isWithin(other, path)) return [];
      return [
        `${says}: expected a directory beside that of ${otherSays}, but it leads to ${path}, and that to ${other}`,
      ];
    }),
  );
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith("../");
}

interface Named {
  readonly component: string;
  readonly root: string;
  readonly mainRoot: string;
  /** Null where the main root notes nothing, or has lost what it noted with its metadata. */
  readonly registry: string | null;
}

function foreignStore({ component, root, mainRoot, registry }: Named): string[] {
  const mark = readMark(root);
  if (mark === null || mark.registry === registry) return [];
  if (registry === null && real(mark.mainRoot) === real(mainRoot)) return [];
  return [
    `${placeOf(component)}.rootDirectory: expected a directory of this registry, but ${root} is part of that in ` +
      `${mark.mainRoot}; give another one, or, where that registry is gone for good, remove ${join(root, markFile)}`,
  ];
}

interface Moved {
  readonly component: string;
  readonly old: string;
  readonly now: string;
  readonly mainRoot: string;
}

/** A store that had names the last time must be there: its disk may not be mounted. */
function missingStore({ component, old, now, mainRoot }: Moved): string[] {
  if (old === mainRoot || readMark(old) !== null) return [];
  const lay = `names below ${component}/ lay in ${old}, and there is no store`;
  const until = `once that content is gone for good, remove "${component}" from ${join(mainRoot, noteFile)}`;
  const advice =
    old === now
      ? "mount its disk, or put its backup there"
      : "mount its disk, and move what is there";
  return [`${placeOf(component)}: ${lay}; ${advice}; ${until}`];
}

/** Repositories that the registry knows lie in another store than from now on. */
function leftBehind({
  component,
  old,
  now,
  isInObjects,
}: Omit<Moved, "mainRoot"> & { readonly isInObjects: boolean }): string[] {
  const found = layoutsBelow(join(old, component), component);
  if (found.length === 0) return [];
  if (isInObjects) {
    return [
      `${placeOf(component)}: names below ${component}/ would lie in a store of objects, but ${told(found)} in ${old}, ` +
        "and files are not moved into it; remove the entry, or copy them (zot copy) to a registry that has it",
    ];
  }
  return [
    `${placeOf(component)}: names below ${component}/ would lie in ${now}, but ${told(found)} in ${old}; ` +
      `move it while no server runs: ${moving(component, old, now)}`,
  ];
}

/** One line of the shell, also where the repository of that name itself stays, or there is something already. */
function moving(component: string, old: string, now: string): string {
  const [from, to] = [join(old, component), join(now, component)];
  const isPlain = !isLayout(from) && !existsSync(to);
  return isPlain
    ? `mkdir -p ${now} && mv ${from} ${to}`
    : `mkdir -p ${to} && cp -a ${from}/[a-z0-9]* ${to}/, then remove these from ${from}`;
}

/** What lies in a root under names that lie elsewhere: nobody is served it. */
function hiddenIn(root: string, { mainRoot, stores }: StorePlaces): string[] {
  const rootOf = (repository: string): string => stores[componentOf(repository) ?? ""] ?? mainRoot;
  const components =
    root === mainRoot ? Object.keys(stores) : directoriesIn(root).map(({ name }) => name);
  return components.flatMap((component) => {
    const found = [
      ...(root !== mainRoot && isLayout(join(root, component)) ? [component] : []),
      ...layoutsBelow(join(root, component), component),
    ].filter((repository) => rootOf(repository) !== root);
    if (found.length === 0) return [];
    return [
      `storage.subPaths: ${told(found)} in ${root}, and is not served: its name lies in ${rootOf(found[0] ?? "")}; ` +
        "move it there while no server runs, or away",
    ];
  });
}

function told(repositories: readonly string[]): string {
  const named = repositories.slice(0, namedMax).join(", ");
  const more = repositories.length > namedMax ? ` and ${repositories.length - namedMax} more` : "";
  return `${named}${more} ${repositories.length === 1 ? "lies" : "lie"}`;
}

/** Repositories whose layouts lie below a directory; of very many the first ones. */
function layoutsBelow(directory: string, key: string): string[] {
  const found: string[] = [];
  const pending = [[directory, key] as const];
  for (let looked = 0; looked < directoriesMax; looked += 1) {
    const next = pending.pop();
    if (next === undefined) break;
    const [path, above] = next;
    for (const { name } of directoriesIn(path)) {
      const repository = repositoryOfKey(`${above}/${name}`);
      if (repository === null) continue;
      if (isLayout(join(path, name))) found.push(repository);
      pending.push([join(path, name), `${above}/${name}`]);
    }
  }
  return found.toSorted();
}

function isLayout(directory: string): boolean {
  return existsSync(join(directory, "oci-layout")) || existsSync(join(directory, "index.json"));
}

/** None where it cannot be read. */
function directoriesIn(path: string): Dirent[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"));
  } catch {
    return [];
  }
}

function placeOf(component: string): string {
  return `storage.subPaths["/${component}"]`;
}
