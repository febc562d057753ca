// index.json: what other tools write is read, what is unreadable is never taken for empty, and what
// we write reads back.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Descriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";
import {
  isOciLayout,
  LayoutIndexError,
  ociLayoutText,
  emptyIndexText,
  LayoutIndexReader,
  layoutUpstream,
  writeLayoutIndex,
  type LayoutBase,
  type LayoutEntry,
} from "./layout_index.ts";

const refName = "org.opencontainers.image.ref.name";

function manifest(content: string, annotations?: Record<string, string>): Descriptor {
  const bytes = new TextEncoder().encode(content);
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const descriptor = { mediaType, digest: digestOf("sha256", bytes), size: bytes.length };
  return annotations === undefined ? descriptor : { ...descriptor, annotations };
}

/** Reads a text in pieces of seven bytes. */
function readLayoutIndex(text: string) {
  const skipped: { reason: string }[] = [];
  const reader = new LayoutIndexReader((reason) => void skipped.push({ reason }));
  const bytes = new TextEncoder().encode(text);
  const entries: LayoutEntry[] = [];
  for (let at = 0; at < bytes.length; at += 7) {
    entries.push(...reader.push(bytes.subarray(at, at + 7)));
  }
  return { entries, skipped, base: reader.end() };
}

const written = (entries: LayoutEntry[], base: LayoutBase | null = null): string =>
  [...writeLayoutIndex([entries], base)].join("");

function read(manifests: unknown) {
  return readLayoutIndex(JSON.stringify({ schemaVersion: 2, manifests }));
}

describe("reading index.json", () => {
  test("reads tagged and untagged manifests, without the annotation that holds the tag", () => {
    const { entries, skipped } = read([
      manifest("a", { [refName]: "v1" }),
      manifest("a", { [refName]: "v2", "org.example": "kept" }),
      manifest("b"),
    ]);
    expect(skipped).toEqual([]);
    expect(entries).toEqual([
      { descriptor: manifest("a"), tag: "v1" },
      { descriptor: manifest("a", { "org.example": "kept" }), tag: "v2" },
      { descriptor: manifest("b"), tag: null },
    ]);
  });

  test.each<[string, string]>([
    ["zot, new repository", '{"schemaVersion":2,"manifests":null}'],
    ["no manifests at all", '{"schemaVersion":2}'],
    [
      "skopeo and umoci",
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    ],
  ])("an empty index of %s", (_, text) => {
    expect(readLayoutIndex(text)).toEqual({ entries: [], skipped: [], base: null });
  });

  test("reads what buildah and docker write: platforms, names of their own", () => {
    const descriptor = {
      ...manifest("a"),
      platform: { architecture: "amd64", os: "linux" },
      annotations: { "io.containerd.image.name": "docker.io/library/x:1", [refName]: "1" },
    };
    const { entries } = read([descriptor]);
    const annotations = { "io.containerd.image.name": "docker.io/library/x:1" };
    expect(entries).toEqual([{ descriptor: { ...descriptor, annotations }, tag: "1" }]);
  });

  test.each([
    ["latest", "latest"],
    ["docker.io/library/x:1", "1"],
    ["127.0.0.1:5000/a/b:v1.2", "v1.2"],
    [`docker.io/library/x:1@sha256:${"a".repeat(64)}`, "1"],
    ["a:b:c", "c"],
    [`sha256-${"a".repeat(64)}`, `sha256-${"a".repeat(64)}`],
    // No tag in them.
    ["", null],
    ["docker.io/library/x", null],
    ["127.0.0.1:5000/a/b", null],
    [`x@sha256:${"a".repeat(64)}`, null],
    ["x:", null],
    ["x:.hidden", null],
    [`x:${"a".repeat(129)}`, null],
    ["../../etc/passwd", null],
    ["a b", null],
  ])("the name %p is the tag %p", (name, tag) => {
    const { entries, skipped } = read([manifest("a", { [refName]: name })]);
    expect(entries).toEqual([{ descriptor: manifest("a"), tag }]);
    expect(skipped).toHaveLength(tag === null ? 1 : 0);
  });

  test("of two manifests with one tag the first keeps it, the second stays untagged", () => {
    const { entries, skipped } = read([
      manifest("a", { [refName]: "v1" }),
      manifest("b", { [refName]: "docker.io/library/x:v1" }),
    ]);
    expect(entries.map(({ tag }) => tag)).toEqual(["v1", null]);
    expect(skipped).toEqual([{ reason: 'manifests[1] repeats the tag "v1"' }]);
  });

  test("an entry that is no descriptor is reported and does not harm the others", () => {
    const { entries, skipped } = read([
      null,
      { ...manifest("a"), digest: "sha256:x" },
      manifest("b"),
      7,
    ]);
    expect(entries).toEqual([{ descriptor: manifest("b"), tag: null }]);
    expect(skipped.map(({ reason }) => reason.split(/[ .]/)[0]!)).toEqual([
      "manifests[0]",
      "manifests[1]",
      "manifests[3]",
    ]);
  });

  test.each([
    "",
    " ",
    "{",
    "null",
    "[]",
    '"x"',
    "{}",
    '{"schemaVersion":1,"manifests":[]}',
    '{"schemaVersion":2,"manifests":{}}',
    '{"schemaVersion":2,"manifests":[',
    "\0\0\0\0",
  ])("%p is no index, which is not the same as an empty one", (text) => {
    expect(() => readLayoutIndex(text)).toThrow(LayoutIndexError);
  });
});

describe("writing index.json", () => {
  const write = (entries: LayoutEntry[]) => JSON.parse(written(entries));

  test("of nothing is an index with an empty list", () => {
    expect(written([])).toBe(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    );
  });

  test("tells the state that it was written from, which survives a tool that keeps annotations", () => {
    const base = { origin: "12-1760000000000", generation: 41 };
    const text = written([{ descriptor: manifest("a"), tag: "v1" }], base);
    expect(readLayoutIndex(text).base).toEqual(base);
    const index = JSON.parse(text) as object;
    expect(readLayoutIndex(JSON.stringify(index, null, 4)).base).toEqual(base);
    for (const annotations of [{}, [], null, "x", { "io.zotregistry.layout.generation": "41" }]) {
      expect(readLayoutIndex(JSON.stringify({ ...index, annotations })).base).toBeNull();
    }
  });

  test("the index of a new repository lists nothing, and is nobody else's", () => {
    const { entries, skipped, base } = readLayoutIndex(emptyIndexText);
    expect({ entries, skipped }).toEqual({ entries: [], skipped: [] });
    expect(base).toEqual({ origin: "new", generation: 0 });
  });

  test("the tag decides the annotation, whatever the descriptor says", () => {
    const stale = manifest("a", { [refName]: "old" });
    expect(write([{ descriptor: stale, tag: "new" }]).manifests).toEqual([
      manifest("a", { [refName]: "new" }),
    ]);
    expect(write([{ descriptor: stale, tag: null }]).manifests).toEqual([manifest("a")]);
  });

  test("does not change the entries that it is given", () => {
    const entries = [
      { descriptor: manifest("b", { [refName]: "x" }), tag: "b" },
      { descriptor: manifest("a"), tag: "a" },
    ];
    const before = structuredClone(entries);
    written(entries);
    expect(entries).toEqual(before);
  });

  test("what is written reads back", () => {
    const entry = fc.record({
      descriptor: fc
        .tuple(fc.string(), fc.dictionary(fc.string(), fc.string()))
        .map(([content, annotations]) => {
          const { [refName]: _, ...others } = annotations;
          return Object.keys(others).length > 0 ? manifest(content, others) : manifest(content);
        }),
      tag: fc.option(fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,9}$/), { nil: null }),
    });
    const entries = fc.uniqueArray(entry, {
      selector: ({ descriptor, tag }) => tag ?? descriptor.digest,
      maxLength: 12,
    });
    fc.assert(
      fc.property(entries, (given) => {
        const { entries: found, skipped } = readLayoutIndex(written(given));
        expect(skipped).toEqual([]);
        expect(found.map(inOrder)).toEqual(given.map(inOrder));
        expect(written(found)).toBe(written(given));
      }),
    );
  });
});

/** The entry with its members in one order, so that entries can be compared as text. */
function inOrder({ descriptor, tag }: LayoutEntry): LayoutEntry {
  const { annotations, ...rest } = descriptor;
  return { descriptor: annotations === undefined ? rest : { ...rest, annotations }, tag };
}

describe("oci-layout", () => {
  test("ours is one", () => {
    expect(isOciLayout(ociLayoutText)).toBe(true);
    expect(isOciLayout('{\n  "imageLayoutVersion": "1.0.0"\n}\n')).toBe(true);
  });

  test.each([
    "",
    "{}",
    "null",
    "[]",
    '{"imageLayoutVersion":1}',
    '{"imageLayoutVersion":"2.0.0"}',
    '{"imageLayoutVersion":"1.0.0"',
    '{"imageLayoutVersion":"1.0.0\\n"}',
  ])("%p is none", (text) => {
    expect(isOciLayout(text)).toBe(false);
  });
});

test("a mirror says its upstream, and which entries came from there; other readers see annotations", () => {
  const cached: LayoutEntry = { descriptor: manifest("a"), tag: "v1", isCached: true };
  const own: LayoutEntry = { descriptor: manifest("b"), tag: "v2" };
  const text = [...writeLayoutIndex([[cached, own]], null, "docker.io")].join("");
  const cachedName = "io.zotregistry.layout.cached";
  expect(JSON.parse(text)).toEqual({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      manifest("a", { [refName]: "v1", [cachedName]: "true" }),
      manifest("b", { [refName]: "v2" }),
    ],
    annotations: { "io.zotregistry.layout.upstream": "docker.io" },
  });
  expect(readLayoutIndex(text).entries).toEqual([cached, own]);
  expect(layoutUpstream(JSON.parse(text))).toBe("docker.io");
  const forged = { annotations: { "io.zotregistry.layout.upstream": "a b\n" } };
  expect(layoutUpstream(forged)).toBeNull();
});
