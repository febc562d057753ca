// Digests of uploads that grow and are put back: always those of the bytes, and each byte is read once.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, truncateSync, writeFileSync, appendFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { sample, unlimited } from "../../../test/contracts/store_samples.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { openWorld, repository } from "../../../test/registry/world.ts";
import { type TempDirectory, tempDirectory } from "../../../test/temp.ts";
import { MiB } from "../../lib/bytes.ts";
import { type Algorithm, type Digest, digestOf } from "../../oci/digest.ts";
import { appendUpload } from "../../registry/append_upload.ts";
import { finishUpload } from "../../registry/push_blob.ts";
import { RunningDigests } from "./running_digests.ts";

let directory: TempDirectory;
beforeAll(async () => {
  directory = await tempDirectory();
});
afterAll(() => directory[Symbol.asyncDispose]());

/** One upload as its holders see it: a file, and two processes that digest it. */
class Upload {
  readonly path: string;
  readonly #answers = new Map<number, Digest>();
  readonly #processes: RunningDigests[];
  bytes = Buffer.alloc(0);
  heldBytes = 0;
  #id = 0;

  constructor(name: string) {
    this.path = join(directory.path, name);
    writeFileSync(this.path, "");
    this.#processes = [0, 1].map(
      () =>
        new RunningDigests({
          digest: (id, digest) => void this.#answers.set(id, digest),
          error: (_, error) => {
            throw error;
          },
        }),
    );
  }

  append(more: Uint8Array, follower: RunningDigests | null): void {
    appendFileSync(this.path, more);
    this.bytes = Buffer.concat([this.bytes, more]);
    follower?.begin(this.#fileBytes("sha256"));
  }

  goBack(process: RunningDigests): void {
    truncateSync(this.path, this.heldBytes);
    this.bytes = this.bytes.subarray(0, this.heldBytes);
    process.goBack("upload", this.heldBytes);
  }

  digest(process: RunningDigests, algorithm: Algorithm): Digest | undefined {
    this.#id += 1;
    process.begin(this.#fileBytes(algorithm), this.#id);
    while (process.busy) process.step();
    return this.#answers.get(this.#id);
  }

  process(index: number): RunningDigests {
    return this.#processes[index]!;
  }

  #fileBytes(algorithm: Algorithm) {
    const { path, heldBytes: settledBytes } = this;
    return { key: "upload", path, algorithm, sizeBytes: this.bytes.length, settledBytes };
  }
}

describe("a running digest", () => {
  /** One request: it holds the upload, appends, asks for digests, and keeps what it appended or not. */
  const request = fc.record({
    process: fc.nat({ max: 1 }),
    parts: fc.array(
      fc.record({
        bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
        followed: fc.boolean(),
        steps: fc.nat({ max: 2 }),
      }),
      { maxLength: 3 },
    ),
    digests: fc.array(fc.constantFrom<Algorithm>("sha256", "sha512"), { maxLength: 3 }),
    fails: fc.boolean(),
    forgets: fc.boolean(),
  });

  test("is that of the bytes, whatever was appended, refused and taken back before, by whom", () => {
    let uploads = 0;
    fc.assert(
      fc.property(fc.array(request, { maxLength: 8 }), (requests) => {
        const upload = new Upload(`model-${(uploads += 1)}`);
        for (const each of requests) {
          const process = upload.process(each.process);
          upload.heldBytes = upload.bytes.length;
          if (each.forgets) process.forget("upload");
          for (const { bytes, followed, steps } of each.parts) {
            upload.append(bytes, followed ? process : null);
            for (let step = 0; step < steps; step += 1) process.step();
          }
          for (const algorithm of each.digests) {
            expect(upload.digest(process, algorithm)).toBe(digestOf(algorithm, upload.bytes));
          }
          if (each.fails) upload.goBack(process);
        }
        for (const index of [0, 1]) {
          upload.heldBytes = upload.bytes.length;
          const digest = upload.digest(upload.process(index), "sha256");
          expect(digest).toBe(digestOf("sha256", upload.bytes));
        }
      }),
    );
  });

  test("of a file that is shorter than it should be is an error, and the next one is right", () => {
    const path = join(directory.path, "short");
    writeFileSync(path, "abc");
    const seen: unknown[] = [];
    const digests = new RunningDigests({
      digest: (id, digest) => void seen.push([id, digest]),
      error: (id, error) => void seen.push([id, String(error)]),
    });
    const bytes = { key: "k", path, algorithm: "sha256", sizeBytes: 4, settledBytes: 4 } as const;
    digests.begin(bytes, 1);
    while (digests.busy) digests.step();
    writeFileSync(path, "abcd");
    digests.begin(bytes, 2);
    while (digests.busy) digests.step();
    expect(seen).toEqual([
      [1, "Error: file ended at byte 3, expected 4"],
      [2, digestOf("sha256", Buffer.from("abcd"))],
    ]);
  });
});

/** Bytes that this process has read so far, by the kernel's account. */
function readBytes(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

test.skipIf(process.platform !== "linux")(
  "an upload that is closed again and again with wrong digests is read once for each algorithm",
  async () => {
    await using world = await openWorld();
    const { registry } = world;
    const whole = sample(16 * MiB);
    const id = await registry.uploads.start(repository);
    const source = { body: whole, lengthBytes: whole.length };
    const first = { source, chunk: null, ...unlimited };
    await registry.uploads.hold(repository, id, (upload) => appendUpload(upload, first));

    const close = (digest: Digest, last: Uint8Array): Promise<unknown> =>
      reasonOf(
        registry.uploads.hold(repository, id, (upload) =>
          finishUpload(registry, upload, {
            repository,
            digest,
            last: {
              source: { body: last, lengthBytes: last.length },
              chunk: null,
              ...unlimited,
            },
            acknowledgedBytes: whole.length,
            by: null,
          }),
        ),
      );
    const before = readBytes();
    for (let round = 0; round < 8; round += 1) {
      for (const algorithm of ["sha256", "sha512"] as const) {
        const wrong = digestOf(algorithm, Buffer.from(`wrong ${round}`));
        expect(await close(wrong, new Uint8Array())).toMatchObject({ reason: "DIGEST_INVALID" });
        expect(await close(wrong, Buffer.from(`${round}`))).toMatchObject({
          reason: "DIGEST_INVALID",
        });
      }
    }
    expect(readBytes() - before).toBeLessThan(3 * whole.length);

    const last = Buffer.from("the end");
    const all = Buffer.concat([whole, last]);
    expect(await close(digestOf("sha256", all), last)).toEqual({ value: undefined });
    const read = await registry.blobs.read(repository, digestOf("sha256", all), all.length);
    expect(read !== null && all.equals(read)).toBe(true);
  },
);
