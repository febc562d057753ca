/** How two images differ, as far as their manifests, configs and SBOMs tell. */
import { sectionsOf, type Manifest } from "./image.ts";
import type { Package, Sbom } from "./sbom.ts";

export type How = "added" | "removed" | "changed";

export interface Difference {
  readonly section: string;
  readonly name: string;
  readonly how: How;
  readonly before: string;
  readonly after: string;
}

/** Settings of the configs that differ, in the order of the pages. */
export function configDifferences(a: unknown, b: unknown): Difference[] {
  const [before, after] = [rowsOf(a), rowsOf(b)];
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys.flatMap((key): Difference[] => {
    const [old, now] = [before.get(key), after.get(key)];
    if (old === now) return [];
    const [section = "", name = ""] = key.split("\n");
    return [{ section, name, how: howOf(old, now), before: old ?? "", after: now ?? "" }];
  });
}

function rowsOf(config: unknown): Map<string, string> {
  return new Map(
    sectionsOf(config).flatMap(([section, rows]) =>
      rows.map(([name, value]): [string, string] => [`${section}\n${name}`, value]),
    ),
  );
}

function howOf(before: unknown, after: unknown): How {
  if (before === undefined) return "added";
  return after === undefined ? "removed" : "changed";
}

export interface LayerDifferences {
  readonly common: number;
  readonly commonBytes: number;
  readonly onlyA: Manifest["layers"];
  readonly onlyB: Manifest["layers"];
}

export function layerDifferences(a: Manifest, b: Manifest): LayerDifferences {
  const [inA, inB] = [a, b].map(({ layers }) => new Set(layers.map(({ digest }) => digest)));
  const common = a.layers.filter(({ digest }) => inB?.has(digest) === true);
  return {
    common: common.length,
    commonBytes: common.reduce((sum, { size }) => sum + size, 0),
    onlyA: a.layers.filter(({ digest }) => inB?.has(digest) !== true),
    onlyB: b.layers.filter(({ digest }) => inA?.has(digest) !== true),
  };
}

/** Packages by name and kind whose versions differ. */
export function packageDifferences(a: Sbom, b: Sbom): Difference[] {
  const [before, after] = [versionsOf(a.packages), versionsOf(b.packages)];
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((key): Difference[] => {
    const [old, now] = [before.get(key), after.get(key)];
    if (old === now) return [];
    const [name = "", kind = ""] = key.split("\n");
    return [{ section: kind, name, how: howOf(old, now), before: old ?? "", after: now ?? "" }];
  });
}

function versionsOf(packages: readonly Package[]): Map<string, string> {
  const grouped = Map.groupBy(packages, ({ name, kind }) => `${name}\n${kind}`);
  return new Map(
    [...grouped].map(([key, all]) => [
      key,
      [...new Set(all.map(({ version }) => version))].toSorted().join(", "),
    ]),
  );
}
