/** Several stores as one: every repository lies in the one that its name says (`storage.subPaths`). */
import type { LocalStores, Stores, StoreUpkeep, SynchronousBytes } from "../stores.ts";
import { ByPathBlobs } from "./by_path_blobs.ts";
import { ByPathLayouts } from "./by_path_layouts.ts";
import { ByPathUploads } from "./by_path_uploads.ts";
import { Places, type Place } from "./place.ts";

export function openByPath(all: readonly Place<LocalStores>[]): LocalStores {
  return joinLocal(new Places(all));
}

/** Of places that are found by `places.of`. */
export function joinLocal(places: Places<LocalStores>): LocalStores {
  const underLock = bytesUnderLock((repository) => places.of(repository).stores.underLock);
  return { ...joinPlaces(places), underLock };
}

function joinPlaces(places: Places): Stores {
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
      let removed = 0;
      for (const upkeep of each) removed += await upkeep.removeFreed(delayMs, signal);
      return removed;
    },
  };
}

function bytesUnderLock(of: (repository: string) => SynchronousBytes): SynchronousBytes {
  return {
    present: (repository, digest) => of(repository).present(repository, digest),
    remove: (repository, digest) => of(repository).remove(repository, digest),
    stamp: (repository, digest) => of(repository).stamp(repository, digest),
    quarantine: (repository, digest, to) => of(repository).quarantine(repository, digest, to),
  };
}
