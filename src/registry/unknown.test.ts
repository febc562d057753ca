// What is said of things that are not known, while index.json is first written by ourselves or by others.

import { describe, expect, test } from "bun:test";
import type { LayoutState } from "../metadata/metadata.ts";
import { parseDigest } from "../oci/digest.ts";
import type { Registry } from "./registry.ts";
import { unknownIn } from "./unknown.ts";

const stamp = "stamp-1";
const planned: LayoutState = { generation: 1, projected: 0, stampCurrent: null, stampNext: stamp };

/** A registry of one repository whose index.json may appear between any two questions. */
function registryOf(
  disk: { stamp: string | null; state: LayoutState | null },
  between: () => void,
) {
  const answer = async <T>(value: () => T): Promise<T> => {
    const found = value();
    between();
    return found;
  };
  return {
    metadata: { layoutState: () => answer(() => disk.state) },
    storage: { indexStamp: () => answer(() => disk.stamp) },
  } as unknown as Registry;
}

const errorOf = async (registry: Registry): Promise<string> =>
  (await unknownIn(registry, "team/app", "BLOB_UNKNOWN", { digest: parseDigest("") })).reason;

describe("something unknown", () => {
  test("of a repository that is not on disk is absent", async () => {
    expect(await errorOf(registryOf({ stamp: null, state: null }, () => {}))).toBe("BLOB_UNKNOWN");
  });

  test("of a layout that another tool left is not known yet", async () => {
    const disk = { stamp: "foreign", state: null };
    expect(await errorOf(registryOf(disk, () => {}))).toBe("UNAVAILABLE");
  });

  test("is absent while the first index.json of ours is being written", async () => {
    const disk: { stamp: string | null; state: LayoutState | null } = { stamp: null, state: null };
    const registry = registryOf(disk, () => {
      // The projector plans in the facts first, and then shows the file.
      disk.state = planned;
      disk.stamp = stamp;
    });
    expect(await errorOf(registry)).toBe("BLOB_UNKNOWN");
  });
});
