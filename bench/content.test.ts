// The content that is pushed: sizes as asked, and never the same twice.

import { expect, test } from "bun:test";
import { CryptoHasher } from "bun";
import { KiB, MiB } from "../src/lib/bytes.ts";
import {
  blobParts,
  describeManifest,
  digestOf,
  makeBlob,
  makeManifest,
  tagName,
} from "./content.ts";

for (const bytes of [64, KiB, MiB - 1, MiB, MiB + 1, MiB + 100, 3 * MiB]) {
  test(`a blob of ${bytes} bytes has its size and its digest`, () => {
    const blob = makeBlob("test", 7, bytes);
    const hasher = new CryptoHasher("sha256");
    let length = 0;
    for (const part of blobParts(blob)) {
      hasher.update(part);
      length += part.length;
    }
    expect(length).toBe(bytes);
    expect(blob.digest).toBe(`sha256:${hasher.digest("hex")}`);
    expect(makeBlob("test", 7, bytes).digest).toBe(blob.digest);
    expect(makeBlob("test", 8, bytes).digest).not.toBe(blob.digest);
    expect(makeBlob("other", 7, bytes).digest).not.toBe(blob.digest);
  });
}

test("manifests differ by number, and a referrer names its subject", () => {
  const subject = describeManifest(makeManifest("test", 1));
  const referrer = makeManifest("test", 2, subject);
  expect(subject.digest).toBe(digestOf(makeManifest("test", 1)));
  expect(JSON.parse(referrer.toString())).toMatchObject({ subject });
  expect(describeManifest(referrer).digest).not.toBe(subject.digest);
});

test("tags sort as their numbers do", () => {
  const tags = [2, 10, 999, 10_000].map((index) => tagName("t", index));
  expect(tags.toSorted()).toEqual(tags);
});
