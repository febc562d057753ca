// Packages of SBOMs in each form that tools write, what strangers write, and comparisons of packages and values.

import { describe, expect, test } from "bun:test";
import { comparePackages, packageChangesMax } from "./compare_packages.ts";
import { compareValues, valueLengthMax, valuesMax } from "./compare_values.ts";
import { packagesIn, packagesMax } from "./sbom_packages.ts";

const encoded = (document: unknown): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(document));
const spdx = {
  spdxVersion: "SPDX-2.3",
  packages: [
    {
      name: "curl",
      versionInfo: "8.0",
      externalRefs: [{ referenceType: "purl", referenceLocator: "pkg:deb/debian/curl@8.0" }],
    },
    { name: "own" },
  ],
};
const cycloneDx = {
  bomFormat: "CycloneDX",
  components: [
    { type: "library", group: "@org", name: "lib", version: "1.2", purl: "pkg:npm/%40org/lib@1.2" },
    { type: "file", name: "/etc/passwd" },
  ],
};
const statement = { predicateType: "https://spdx.dev/Document", predicate: spdx };
const envelope = {
  payloadType: "application/vnd.in-toto+json",
  payload: Buffer.from(JSON.stringify(statement)).toString("base64"),
};
const fromSpdx = [
  { name: "curl", type: "deb", version: "8.0" },
  { name: "own", type: null, version: "" },
];

const rows: readonly (readonly [name: string, document: unknown, packages: unknown])[] = [
  ["SPDX", spdx, fromSpdx],
  ["CycloneDX", cycloneDx, [{ name: "@org/lib", type: "npm", version: "1.2" }]],
  [
    "Syft",
    { artifacts: [{ name: "musl", version: "1.2.5", type: "apk" }] },
    [{ name: "musl", type: "apk", version: "1.2.5" }],
  ],
  ["a statement of in-toto", statement, fromSpdx],
  ["an envelope", envelope, fromSpdx],
  ["a bundle of sigstore", { dsseEnvelope: envelope }, fromSpdx],
  ["provenance", { predicateType: "https://slsa.dev/provenance/v1", predicate: {} }, null],
  ["something else", { a: 1 }, null],
  ["a list", [spdx], null],
  ["entries that are none", { ...spdx, packages: [1, null, {}, { name: 7 }] }, []],
  ["packages that are no list", { ...spdx, packages: "x" }, []],
  ["an envelope of garbage", { payloadType: "x", payload: "%%%" }, null],
];

describe("packages", () => {
  test.each([...rows])("%s", (_name, document, packages) => {
    expect(packagesIn(encoded(document))).toEqual(packages as never);
  });

  test("no JSON, and envelopes without end", () => {
    expect(packagesIn(new TextEncoder().encode("{"))).toBeNull();
    let nested: unknown = spdx;
    for (let at = 0; at < 10; at += 1) nested = { predicateType: "x", predicate: nested };
    expect(packagesIn(encoded(nested))).toBeNull();
  });

  test("a list without end is cut", () => {
    const many = Array.from({ length: packagesMax + 10 }, (_, at) => ({ name: `p${at}` }));
    expect(packagesIn(encoded({ ...spdx, packages: many }))).toHaveLength(packagesMax);
  });

  test("which came, went, and have another version", () => {
    const of = (name: string, version: string, type: string | null = null) => ({
      name,
      version,
      type,
    });
    const told = comparePackages(
      [of("a", "1"), of("b", "1"), of("c", "1"), of("c", "2"), of("d", "1", "npm")],
      [of("a", "1"), of("c", "2"), of("d", "1", "deb"), of("e", "5")],
    );
    expect(told.added).toEqual([of("d", "1", "deb"), of("e", "5")]);
    expect(told.removed).toEqual([of("b", "1"), of("d", "1", "npm")]);
    expect(told.changed).toEqual([{ name: "c", type: null, before: "1, 2", after: "2" }]);
    expect(told.counts).toEqual({ added: 2, removed: 2, changed: 1, same: 1 });
    const many = Array.from({ length: packageChangesMax + 1 }, (_, at) => of(`p${at}`, "1"));
    const cut = comparePackages([], many);
    expect([cut.added.length, cut.counts.added]).toEqual([packageChangesMax, many.length]);
  });
});

describe("values", () => {
  test("variables, objects that say something by their names, lists", () => {
    const before = {
      os: "linux",
      config: { Env: ["A=1", "B=x=y", "C"], ExposedPorts: { "80/tcp": {} }, Cmd: ["a"], User: "" },
      rootfs: { diff_ids: ["x"] },
      history: [{ created: "x" }],
    };
    const after = {
      os: "linux",
      config: { Env: ["A=2", "B=x=y"], ExposedPorts: { "81/tcp": {} }, Cmd: ["a", "b"] },
      rootfs: { diff_ids: ["y"] },
    };
    expect(compareValues(before, after)).toEqual([
      { path: "config.Cmd", before: '["a"]', after: '["a","b"]' },
      { path: "config.Env.A", before: "1", after: "2" },
      { path: "config.Env.C", before: "C".slice(1), after: null },
      { path: "config.ExposedPorts.80/tcp", before: "{}", after: null },
      { path: "config.ExposedPorts.81/tcp", before: null, after: "{}" },
      { path: "config.User", before: "", after: null },
    ]);
  });

  test("what strangers write: any shape, and too much of it", () => {
    expect(compareValues(null, null)).toEqual([]);
    expect(compareValues([], "x")).toEqual([{ path: "", before: "[]", after: "x" }]);
    expect(compareValues(JSON.parse('{"__proto__":{"a":1}}'), {})).toEqual([
      { path: "__proto__.a", before: "1", after: null },
    ]);
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, at]));
    expect(compareValues({}, wide)).toHaveLength(valuesMax);
    const [long] = compareValues({}, { a: "x".repeat(100_000) });
    expect(long?.after).toHaveLength(valueLengthMax + 1);
  });
});
