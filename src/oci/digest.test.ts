// Digests: one spelling per name, supported algorithms only, and real hashes behind them.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  algorithmOf,
  algorithms,
  digestOf,
  digestProblem,
  hexOf,
  isAlgorithm,
  newHasher,
  parseDigest,
  type Algorithm,
} from "./digest.ts";

const hex64 = "0123456789abcdef".repeat(4);
const hex128 = hex64.repeat(2);
const names: Algorithm[] = ["sha256", "sha512"];

describe("parseDigest and digestProblem", () => {
  test.each([
    [`sha256:${hex64}`, null],
    [`sha512:${hex128}`, null],
    // Well-formed, but not an algorithm that we compute.
    ["md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported"],
    [`sha1:${hex64.slice(0, 40)}`, "unsupported"],
    [`sha384:${hex128.slice(0, 96)}`, "unsupported"],
    [`blake3:${hex64}`, "unsupported"],
    ["multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", "unsupported"],
    ["sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "unsupported"],
    ["a.b_c-d+e:x=", "unsupported"],
    ["x:0", "unsupported"],
    // Registered, so length and case are fixed.
    [`sha256:${hex64.slice(1)}`, "malformed"],
    [`sha256:${hex64}0`, "malformed"],
    [`sha256:${hex128}`, "malformed"],
    [`sha512:${hex64}`, "malformed"],
    [`sha256:${hex64.toUpperCase()}`, "malformed"],
    [`sha256:${hex64.slice(1)}g`, "malformed"],
    [`SHA256:${hex64}`, "malformed"],
    ["sha256:baddigeststring", "malformed"],
    ["sha256:", "malformed"],
    // Not of the grammar.
    ["", "malformed"],
    [":", "malformed"],
    [hex64, "malformed"],
    [`:${hex64}`, "malformed"],
    [`sha256 :${hex64}`, "malformed"],
    [` sha256:${hex64}`, "malformed"],
    [`sha256:${hex64}\n`, "malformed"],
    [`sha256:${hex64.slice(1)}\n`, "malformed"],
    [`sha256:${hex64}:${hex64}`, "malformed"],
    [`sha256:../../${hex64.slice(6)}`, "malformed"],
    [`../sha256:${hex64}`, "malformed"],
    ["a..b:x", "malformed"],
    ["+a:x", "malformed"],
    ["a+:x", "malformed"],
    ["a:x/y", "malformed"],
    ["a:%20", "malformed"],
    ["a:", "malformed"],
    [`a:${"x".repeat(600)}`, "malformed"],
    ["__proto__:x", "malformed"],
    ["constructor:x", "unsupported"],
  ])("%p: %p", (text, problem) => {
    expect<string | null>(digestProblem(text)).toBe(problem);
    expect<string | null>(parseDigest(text)).toBe(problem === null ? text : null);
  });

  test("any text is either a digest or has a problem", () => {
    const near = fc.stringMatching(/^(sha256|sha512|md5)?:?[0-9a-f]{60,66}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        expect(parseDigest(text) === null).toBe(digestProblem(text) !== null);
      }),
    );
  });
});

describe("hashing", () => {
  test.each([
    ["sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["sha256", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"],
    [
      "sha512",
      "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
  ] as const)("%s of %p is the published value", (algorithm, text, hex) => {
    expect<string>(digestOf(algorithm, new TextEncoder().encode(text))).toBe(`${algorithm}:${hex}`);
  });

  test("a digest that we compute reads back, and its parts fit the table", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(...names), (bytes, algorithm) => {
        const digest = digestOf(algorithm, bytes);
        expect(parseDigest(digest)).toBe(digest);
        expect(algorithmOf(digest)).toBe(algorithm);
        expect(hexOf(digest)).toHaveLength(algorithms[algorithm].hexLength);
        expect<string>(`${algorithmOf(digest)}:${hexOf(digest)}`).toBe(digest);
      }),
    );
  });

  test("how the bytes are cut makes no difference", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), fc.constantFrom(...names), (chunks, algorithm) => {
        const hasher = newHasher(algorithm);
        for (const chunk of chunks) hasher.update(chunk);
        expect(hasher.digest()).toBe(digestOf(algorithm, Buffer.concat(chunks)));
      }),
    );
  });

  test("a hasher ends with its digest", () => {
    const hasher = newHasher("sha256");
    hasher.digest();
    expect(() => hasher.update(new Uint8Array(1))).toThrow();
    expect(() => hasher.digest()).toThrow();
  });
});

test("isAlgorithm knows the table and nothing of Object.prototype", () => {
  for (const name of names) expect(isAlgorithm(name)).toBe(true);
  for (const name of ["sha384", "blake3", "SHA256", "", "constructor", "__proto__", "toString"]) {
    expect(isAlgorithm(name)).toBe(false);
  }
});
