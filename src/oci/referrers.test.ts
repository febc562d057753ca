// Lists of referrers: the exact body of [end-12].

import { describe, expect, test } from "bun:test";
import { digestOf } from "./digest.ts";
import { referrersIndex, referrerTagsOf, subjectOfTag } from "./referrers.ts";

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

test("the tags of a manifest lead back to it, and one of sha512 has none", () => {
  const tags = referrerTagsOf(digest);
  expect(tags).toContain(`${digest.replace(":", "-")}.sig`);
  expect(new Set(tags.map(subjectOfTag))).toEqual(new Set([digest]));
  expect(referrerTagsOf(`sha512:${"0".repeat(128)}`)).toEqual([]);
});
