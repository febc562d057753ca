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
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
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

test("every package runs on the oldest Node that this one asks for", () => {
  const oldest = packageJson.engines.node.replace(">=", "");
  // Tools of developers ask for the last releases of that line.
  const isFit = ({ engines }: Entry): boolean =>
    engines?.node === undefined || Bun.semver.satisfies(`${oldest}.19.0`, engines.node);
  expect(Object.keys(entries).filter((name) => !isFit(entries[name] ?? {}))).toEqual([]);
});

test("no package runs a script when it is installed but the runtime's, which is allowed by name", () => {
  const scripts = Object.keys(entries).filter((name) => entries[name]?.hasInstallScript === true);
  expect(scripts).toEqual(["node_modules/bun"]);
  expect(packageJson.allowScripts).toEqual({ bun: true });
});
