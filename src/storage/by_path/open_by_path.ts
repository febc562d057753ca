/** Several stores as one: every repository lies in the one that its name says (`storage.subPaths`). */
import type { Stores, StoreUpkeep } from "../stores.ts";
import { ByPathBlobs } from "./by_path_blobs.ts";
import { ByPathLayouts } from "./by_path_layouts.ts";
import { ByPathUploads } from "./by_path_uploads.ts";
import type { Places } from "./place.ts";

/** Of places that are found by `places.of`. */
export function joinPlaces(places: Places): Stores {
  const hasLayouts = places.all.some(({ stores }) => stores.layouts !== null);
  return {
    blobs: new ByPathBlobs(places),
    uploads: new ByPathUploads(places),
    layouts: hasLayouts ? new ByPathLayouts(places) : null,
    upkeep: upkeepOf(places),
    close: async () => {
      for (const { stores } of places.all) await stores.close();
    },
  };
}

function upkeepOf(places: Places): StoreUpkeep | null {
  const each = places.all.flatMap(({ stores }) => stores.upkeep ?? []);
  if (each.length === 0) return null;
  return {
    audits: each.flatMap(({ audits }) => audits),
    removeFreed: async (delayMs, signal) => {
      const [removed, failures]: [number[], unknown[]] = [[], []];
      for (const upkeep of each) {
        await upkeep.removeFreed(delayMs, signal).then(
          (count) => removed.push(count),
          (error: unknown) => failures.push(error),
        );
      }
      // One that does not answer keeps the others from nothing.
      if (failures.length > 0) throw failures[0];
      return removed.reduce((sum, count) => sum + count, 0);
    },
  };
}
