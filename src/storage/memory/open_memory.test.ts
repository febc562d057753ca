// The memory stores pass the contracts of stores (test/contracts/stores.ts), and keep within their limit.

import { expect, test } from "bun:test";
import { storesContract } from "../../../test/contracts/stores.ts";
import {
  bytesSource,
  held,
  sample,
  unlimited,
  uploaded,
} from "../../../test/contracts/store_samples.ts";
import { reasonOf } from "../../../test/reason_of.ts";
import { manualClock } from "../../lib/clock.ts";
import { digestOf } from "../../oci/digest.ts";
import { StorageFull } from "../blob_store.ts";
import { openMemory } from "./open_memory.ts";

storesContract("memory", async () => {
  const clock = manualClock(Date.now());
  const stores = openMemory({ clock });
  return {
    stores,
    comparesBytes: true,
    clock,
    another: () => stores,
    elsewhere: null,
    [Symbol.asyncDispose]: () => stores.close(),
  };
});

const bytes = sample(600);
const digest = digestOf("sha256", bytes);

test("bytes beyond the limit are refused as on a full disk, and every byte is given back", async () => {
  const { blobs, uploads } = openMemory({ clock: manualClock(), bytesMax: 1000 });
  for (let round = 0; round < 3; round += 1) {
    await uploaded(uploads, "one", bytes);
    await uploads.create("two", "team/app");
    await using upload = await held(uploads, "two");
    const refused = upload.append(bytesSource(bytes), unlimited);
    expect(await reasonOf(refused)).toBeInstanceOf(StorageFull);
    expect(upload.sizeBytes).toBe(0);
    expect(await reasonOf(blobs.put("a", digest, bytes))).toBeInstanceOf(StorageFull);
    // Content takes the room of the upload that it was, also when it was removed in between.
    await using first = await held(uploads, "one");
    await first.finish("a", digest);
    await blobs.remove("a", digest);
    await first.finish("a", digest);
    await blobs.share(digest, { from: "a", to: "b", mayCopy: true });
    expect(await blobs.read("b", digest, 600)).toEqual(bytes);
    await first.discard();
    await blobs.remove("a", digest);
    expect(await reasonOf(upload.append(bytesSource(bytes), unlimited))).toBeInstanceOf(
      StorageFull,
    );
    await blobs.remove("b", digest);
    await upload.append(bytesSource(bytes), unlimited);
    await upload.truncate(0);
    await upload.append(bytesSource(sample(1000)), unlimited);
    await upload.discard();
  }
});
