// package-lock.json as `npm ci` needs it on every machine.
//
// Where a package registry does not serve the builds of a tool for other platforms, `npm install` leaves them out
// of the lock without a word, and from then on `npm ci` refuses the lock everywhere ("Missing: … from lock
// file"). An entry without a checksum, with its version and platform, is enough.

import { expect, test } from "bun:test";
import lock from "../package-lock.json" with { type: "json" };
import packageJson from "../package.json" with { type: "json" };

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const entries: Readonly<Record<string, Entry>> = lock.packages;

test("every optional dependency has an entry", () => {
  const wanted = Object.values(entries).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}),
  );
  expect(wanted.length).toBeGreaterThan(0);
  expect(wanted.filter((name) => entries[`node_modules/${name}`]?.version === undefined)).toEqual(
    [],
  );
});

test("it names no registry, and what package.json asks for", () => {
  expect(Object.values(entries).filter((entry) => entry.resolved !== undefined)).toEqual([]);
  expect(entries[""]).toMatchObject({
    dependencies: packageJson.dependencies,
    devDependencies: packageJson.devDependencies,
  });
});
