/** Packages of two images: which came, went, and have another version. */
import type { ListedPackage, PackageName } from "./sbom_packages.ts";

/** Packages that are listed, of each kind of change; counts are of all. */
export const packageChangesMax = 2_000;

export interface PackageChanges {
  readonly added: readonly ListedPackage[];
  readonly removed: readonly ListedPackage[];
  readonly changed: readonly (PackageName & { readonly before: string; readonly after: string })[];
  readonly counts: {
    readonly added: number;
    readonly removed: number;
    readonly changed: number;
    readonly same: number;
  };
}

export function comparePackages(
  before: readonly ListedPackage[],
  after: readonly ListedPackage[],
): PackageChanges {
  const [was, is] = [byName(before), byName(after)];
  const added: ListedPackage[] = [];
  const removed: ListedPackage[] = [];
  const changed: { name: string; type: string | null; before: string; after: string }[] = [];
  let same = 0;
  for (const key of [...new Set([...was.keys(), ...is.keys()])].sort()) {
    const [old, fresh] = [was.get(key), is.get(key)];
    if (old === undefined && fresh !== undefined) added.push(fresh);
    else if (fresh === undefined && old !== undefined) removed.push(old);
    else if (old !== undefined && fresh !== undefined) {
      const { name, type } = fresh;
      if (old.version === fresh.version) same += 1;
      else changed.push({ name, type, before: old.version, after: fresh.version });
    }
  }
  const counts = { added: added.length, removed: removed.length, changed: changed.length, same };
  return {
    added: added.slice(0, packageChangesMax),
    removed: removed.slice(0, packageChangesMax),
    changed: changed.slice(0, packageChangesMax),
    counts,
  };
}

/** A package that is there in several versions has them all, with commas. */
function byName(packages: readonly ListedPackage[]): Map<string, ListedPackage> {
  const versions = new Map<string, { of: ListedPackage; versions: Set<string> }>();
  for (const each of packages) {
    const key = `${each.name}\0${each.type ?? ""}`;
    const known = versions.get(key) ?? { of: each, versions: new Set<string>() };
    known.versions.add(each.version);
    versions.set(key, known);
  }
  return new Map(
    [...versions].map(([key, { of, versions: all }]) => [
      key,
      { ...of, version: [...all].sort().join(", ") },
    ]),
  );
}
