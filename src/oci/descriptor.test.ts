// Descriptors: one row per rule of image-spec descriptor.md; what passes can be read by typed readers.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { checkDescriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";

const empty = {
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
};

function problemOf(value: unknown): string | null {
  const checked = checkDescriptor(value, "layers[3]");
  return "problem" in checked ? checked.problem : null;
}

describe("checkDescriptor accepts", () => {
  test.each<[string, object]>([
    ["the three required members", empty],
    ["size 0", { ...empty, size: 0 }],
    ["the largest size", { ...empty, size: Number.MAX_SAFE_INTEGER }],
    ["sha512", { ...empty, digest: `sha512:${"0".repeat(128)}` }],
    ["an algorithm that we do not compute", { ...empty, digest: "blake3:0123" }],
    ["annotations", { ...empty, annotations: { a: "b", "": "", ["__proto__"]: "c" } }],
    ["no annotations", { ...empty, annotations: {} }],
    ["an artifact type", { ...empty, artifactType: "application/vnd.example+type" }],
    ["urls", { ...empty, urls: ["https://example.com/a", ""] }],
    ["a platform", { ...empty, platform: { architecture: "arm64", os: "linux", variant: "v8" } }],
    ["an unknown platform", { ...empty, platform: { architecture: "unknown", os: "unknown" } }],
    [
      "windows",
      { ...empty, platform: { os: "windows", "os.version": "10", "os.features": ["x"] } },
    ],
    ["data", { ...empty, data: "e30=" }],
    ["empty data", { ...empty, size: 0, data: "", digest: digestOf("sha256", new Uint8Array()) }],
  ])("%s", (_, value) => {
    expect(checkDescriptor(JSON.parse(JSON.stringify(value)), "x")).toEqual({
      descriptor: JSON.parse(JSON.stringify(value)),
    });
  });

  test("null and empty optional members as absent, unknown members as nothing", () => {
    const nothing = { annotations: null, urls: null, data: null, platform: null };
    const value = { ...empty, ...nothing, artifactType: "", custom: { deep: [1] } };
    expect(checkDescriptor(value, "x")).toEqual({ descriptor: empty });
    expect(checkDescriptor({ ...empty, artifactType: null }, "x")).toEqual({ descriptor: empty });
  });
});

describe("checkDescriptor refuses", () => {
  test.each<[string, unknown, string]>([
    ["null", null, "layers[3] must be a descriptor object, but is null"],
    ["an array", [], "layers[3] must be"],
    ["a string", "sha256:x", "layers[3] must be"],
    ["nothing", undefined, "but is missing"],
    ["no media type", { ...empty, mediaType: undefined }, "layers[3].mediaType"],
    ["an empty media type", { ...empty, mediaType: "" }, "layers[3].mediaType"],
    ["a parameter without value", { ...empty, mediaType: "a/b;c" }, "layers[3].mediaType"],
    ["a media type that is a number", { ...empty, mediaType: 1 }, "layers[3].mediaType"],
    ["no digest", { ...empty, digest: undefined }, "layers[3].digest"],
    ["a digest that is an object", { ...empty, digest: {} }, "layers[3].digest"],
    ["a short digest", { ...empty, digest: empty.digest.slice(0, -1) }, "layers[3].digest"],
    ["upper-case hex", { ...empty, digest: `sha256:${"A".repeat(64)}` }, "layers[3].digest"],
    ["a path as digest", { ...empty, digest: "sha256:../../etc/passwd" }, "layers[3].digest"],
    ["no size", { ...empty, size: undefined }, "layers[3].size"],
    ["a size of text", { ...empty, size: "2" }, "layers[3].size"],
    ["a size of null", { ...empty, size: null }, "layers[3].size"],
    ["a negative size", { ...empty, size: -1 }, "layers[3].size"],
    ["a fraction", { ...empty, size: 1.5 }, "layers[3].size"],
    [
      "a size beyond 2^53 - 1",
      { ...empty, size: JSON.parse("9007199254740993") },
      "layers[3].size",
    ],
    ["an enormous size", { ...empty, size: 1e300 }, "layers[3].size"],
    ["an infinite size", { ...empty, size: JSON.parse("1e999") }, "layers[3].size"],
    ["annotations of numbers", { ...empty, annotations: { a: 1 } }, "layers[3].annotations"],
    ["annotations of null", { ...empty, annotations: { a: null } }, "layers[3].annotations"],
    ["annotations as a list", { ...empty, annotations: [] }, "layers[3].annotations"],
    ["annotations of text", { ...empty, annotations: "a" }, "layers[3].annotations"],
    ["an illegal artifact type", { ...empty, artifactType: "x" }, "layers[3].artifactType"],
    ["an artifact type of another type", { ...empty, artifactType: {} }, "layers[3].artifactType"],
    ["urls of text", { ...empty, urls: "https://example.com" }, "layers[3].urls"],
    ["urls of numbers", { ...empty, urls: [1] }, "layers[3].urls"],
    ["a platform of text", { ...empty, platform: "linux/amd64" }, "layers[3].platform"],
    ["a platform as a list", { ...empty, platform: [] }, "layers[3].platform"],
    ["an os that is a number", { ...empty, platform: { os: 1 } }, "layers[3].platform"],
    ["os.features of text", { ...empty, platform: { "os.features": "x" } }, "layers[3].platform"],
    ["data that is a number", { ...empty, data: 1 }, "layers[3].data"],
    ["data without padding", { ...empty, data: "e30" }, "layers[3].data"],
    ["data in base64url", { ...empty, size: 3, data: "__-_" }, "layers[3].data"],
    ["data with line breaks", { ...empty, data: "e3\n0=" }, "layers[3].data"],
    ["data of another length", { ...empty, data: "e30K" }, "holds 3 bytes, but size says 2"],
    ["data of another digest", { ...empty, data: "W10=" }, "is not what digest names"],
  ])("%s", (_, value, problem) => {
    expect(problemOf(value)).toContain(problem);
  });

  test("data is checked by length alone when the algorithm is not ours", () => {
    const foreign = { ...empty, digest: "blake3:0123" };
    expect(problemOf({ ...foreign, data: "W10=" })).toBeNull();
    expect(problemOf({ ...foreign, data: "W10K" })).toContain("holds 3 bytes");
  });

  test("a hostile value makes a short problem", () => {
    const value = { ...empty, digest: "x".repeat(1_000_000) };
    expect(problemOf(value)!.length).toBeLessThan(300);
  });
});

test("embedded data passes exactly when it is the content", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (content, other) => {
      const data = Buffer.from(content).toString("base64");
      const described = {
        mediaType: "a/b",
        digest: digestOf("sha256", content),
        size: content.length,
      };
      expect(problemOf({ ...described, data })).toBeNull();
      const same = Buffer.compare(content, other) === 0;
      const wrong = { ...described, data: Buffer.from(other).toString("base64") };
      expect(problemOf(wrong) === null).toBe(same);
    }),
  );
});

test("any JSON value gives a descriptor or a problem", () => {
  const near = fc.record(
    {
      mediaType: fc.oneof(fc.constant("a/b"), fc.jsonValue()),
      digest: fc.oneof(fc.constant(empty.digest), fc.jsonValue()),
      size: fc.oneof(fc.nat(), fc.jsonValue()),
      annotations: fc.jsonValue(),
      platform: fc.jsonValue(),
      data: fc.oneof(fc.base64String(), fc.jsonValue()),
      urls: fc.jsonValue(),
      artifactType: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), (value) => {
      const checked = checkDescriptor(value, "x");
      expect("problem" in checked ? checked.problem.startsWith("x") : true).toBe(true);
    }),
  );
});
