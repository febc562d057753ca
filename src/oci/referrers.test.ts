// Lists of referrers: the exact body of [end-12], and the tag of the specification's fallback.

import { describe, expect, test } from "bun:test";
import { digestOf } from "./digest.ts";
import { fallbackTag, referrersIndex } from "./referrers.ts";
import { isTag } from "./reference.ts";

const digest = digestOf("sha256", new TextEncoder().encode("{}"));

describe("referrersIndex", () => {
  test("of nothing is an index with an empty list", () => {
    expect(referrersIndex([])).toBe(
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
    );
  });

  test("keeps the order, and of each descriptor what the specification names", () => {
    const full = {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest,
      size: 7,
      artifactType: "application/vnd.example+x",
      annotations: { a: "b", ["__proto__"]: "c" },
      urls: ["https://example.com"],
      platform: { os: "linux" },
    };
    const bare = { mediaType: "application/vnd.oci.image.index.v1+json", digest, size: 0 };
    const { manifests } = JSON.parse(referrersIndex([full, bare]));
    const { urls: _urls, platform: _platform, ...listed } = full;
    expect(JSON.stringify(manifests)).toBe(JSON.stringify([listed, bare]));
    expect(Object.keys(manifests[0].annotations)).toEqual(["a", "__proto__"]);
  });
});

describe("fallbackTag", () => {
  test("is algorithm and digits, joined by a dash, cut to 64 digits", () => {
    expect(fallbackTag(digest)).toBe(digest.replace(":", "-"));
    const long = digestOf("sha512", new Uint8Array());
    expect(fallbackTag(long)).toBe(`sha512-${long.slice(7, 71)}`);
  });

  test("is a legal tag", () => {
    expect(isTag(fallbackTag(digest))).toBe(true);
    expect(isTag(fallbackTag(digestOf("sha512", new Uint8Array(3))))).toBe(true);
  });
});
