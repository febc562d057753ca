// Keys: they never leave the root, never meet each other or our own directory, and lead back to their names.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isAbsolute, join, normalize, relative } from "node:path";
import { digestOf, type Algorithm } from "../oci/digest.ts";
import { isRepositoryName } from "../oci/reference.ts";
import {
  quarantineKey,
  blobKey,
  blobsKey,
  epochsFile,
  indexKey,
  lockFile,
  markerKey,
  metadataFile,
  ownDirectory,
  repositoryKey,
  repositoryOfKey,
  temporaryDirectory,
  uploadsDirectory,
} from "./layout.ts";

const special = ["blobs", "index.json", "oci-layout", "sha256", "sha512"];
const component = fc.oneof(
  fc.constantFrom(...special, "a", "zot", "metadata.db"),
  fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/),
);
const name = fc
  .array(component, { minLength: 1, maxLength: 5 })
  .map((components) => components.join("/"));
const digest = fc
  .tuple(fc.constantFrom<Algorithm>("sha256", "sha512"), fc.uint8Array({ maxLength: 8 }))
  .map(([algorithm, bytes]) => digestOf(algorithm, bytes));

/** Every key that a repository may have. */
const keysOf = (repository: string, of = digestOf("sha256", new Uint8Array())): string[] => [
  indexKey(repository),
  markerKey(repository),
  blobKey(repository, of),
];

/** Files and directories of two keys would be in each other's way. */
const collide = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);

describe("keys of repositories", () => {
  test("the generator makes names of the grammar", () => {
    fc.assert(fc.property(name, isRepositoryName));
  });

  test("stay below the root and out of our own directory", () => {
    const property = fc.property(name, digest, (repository, of) => {
      for (const key of keysOf(repository, of)) {
        const path = relative("/root", normalize(join("/root", key)));
        expect(path).toBe(key);
        expect(isAbsolute(key)).toBe(false);
        expect(key.split("/")).not.toContain("..");
        expect(key.split("/")[0]).not.toBe(ownDirectory);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("of two repositories never meet, though one lies inside the other", () => {
    const pair = fc.oneof(
      fc.tuple(name, name),
      // The one that matters: a repository whose directory is inside another one's layout.
      fc.tuple(name, name).map(([a, b]): [string, string] => [a, `${a}/${b}`]),
    );
    const property = fc.property(pair, digest, digest, ([one, other], first, second) => {
      fc.pre(one !== other);
      for (const key of keysOf(one, first)) {
        for (const otherKey of keysOf(other, second)) {
          expect([key, otherKey, collide(key, otherKey)]).toEqual([key, otherKey, false]);
        }
      }
      expect(repositoryKey(one)).not.toBe(repositoryKey(other));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  test("lead back to their name, and no other key leads to one", () => {
    const anyKey = fc.oneof(
      name.map(repositoryKey),
      name,
      name.map((text) => text.replaceAll("/", "/_")),
      name.map((text) => `_${text}`),
    );
    const property = fc.property(name, anyKey, (repository, key) => {
      expect(repositoryOfKey(repositoryKey(repository))).toBe(repository);
      const found = repositoryOfKey(key);
      if (found !== null) expect(repositoryKey(found)).toBe(key);
    });
    fc.assert(property, { numRuns: 1000 });
  });

  const rows: readonly [repository: string, key: string][] = [
    ["a", "a"],
    ["a/b", "a/b"],
    ["blobs", "blobs"],
    ["index.json", "index.json"],
    ["a/blobs", "a/_blobs"],
    ["a/index.json", "a/_index.json"],
    ["a/oci-layout/x", "a/_oci-layout/x"],
    ["a/blobs/blobs/index.json", "a/_blobs/_blobs/_index.json"],
    ["a/blobs2", "a/blobs2"],
    ["a/my-blobs", "a/my-blobs"],
    ["blobs/blobs", "blobs/_blobs"],
  ];
  for (const [repository, key] of rows) {
    test(`${repository} lies at ${key}`, () => {
      expect(repositoryKey(repository)).toBe(key);
      expect(repositoryOfKey(key)).toBe(repository);
    });
  }

  for (const key of [
    "",
    "_zot",
    "_trivy",
    "a/blobs",
    "a/_b",
    "a/__blobs",
    "A",
    "a//b",
    "a/",
    ".",
    "a/..",
    "..",
    "a/.uploads",
  ]) {
    test(`${JSON.stringify(key)} is no repository's directory`, () => {
      expect(repositoryOfKey(key)).toBeNull();
    });
  }

  test("a layout has its three places", () => {
    const of = digestOf("sha512", new Uint8Array());
    expect(indexKey("a/b")).toBe("a/b/index.json");
    expect(markerKey("a/b")).toBe("a/b/oci-layout");
    expect(blobsKey("a/b")).toBe("a/b/blobs");
    expect(blobsKey("a/b", "sha512")).toBe("a/b/blobs/sha512");
    expect(blobKey("a/b", of)).toBe(`a/b/blobs/sha512/${of.slice("sha512:".length)}`);
  });
});

describe("our own keys", () => {
  test("lie in our own directory, which no repository can be", () => {
    for (const key of [metadataFile, lockFile, epochsFile, uploadsDirectory, temporaryDirectory]) {
      expect(key.startsWith(`${ownDirectory}/`)).toBe(true);
    }
    expect(isRepositoryName(ownDirectory)).toBe(false);
    expect(isRepositoryName(`${ownDirectory}/metadata.db`)).toBe(false);
  });

  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

  test("a file set aside has a flat name that tells where it stood and when", () => {
    expect(quarantineKey("a/b/index.json", at)).toBe(
      "_zot/quarantine/2026-01-02T03:04:05.006Z.a+b+index.json",
    );
  });

  test("a file set aside has a name that the file system takes, whatever the repository's", () => {
    const longest = "a".repeat(255);
    const deep = Array.from({ length: 128 }, () => "a").join("/");
    const names = [longest, deep, `${"b".repeat(200)}/${"c".repeat(54)}`];
    const keys = names.map((repository) => quarantineKey(indexKey(repository), at));
    for (const key of keys) expect(key.split("/").at(-1)!.length).toBeLessThanOrEqual(255);
    expect(new Set(keys).size).toBe(names.length);
    // Names that differ only at their end stay apart.
    expect(quarantineKey(`${longest.slice(1)}x`, at)).not.toBe(
      quarantineKey(`${longest.slice(1)}y`, at),
    );
  });
});
