/** What is written down about objects, as rows beside the metadata: `metadata/objects.ts` for the stores of bytes. */
import type { Metadata } from "../metadata/metadata.ts";
import {
  inlinePrefix,
  objects,
  type KnownObject as KnownRow,
  type ObjectChange,
} from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import { StoreRefused } from "../storage/blob_store.ts";
import type {
  KnownObject,
  NamedObject,
  ObjectName,
  ObjectRecords,
} from "../storage/object_records.ts";

/**
 * Those of one store: the first component of names that lie in it, empty for the main one. `open` is asked when it is first
 * needed.
 */
export function objectRecords(
  open: () => Pick<Metadata, "commit" | "records">,
  store = "",
): ObjectRecords {
  const reads = () => open().records(objects);
  const commit = async (...changes: readonly ObjectChange[]): Promise<void> => {
    await open().commit(recordCommit(objects, ...changes));
  };
  const find: ObjectRecords["find"] = async (name) =>
    ofStore(await reads().find(name), name, store);
  return {
    find,
    content: async (name) => ofStore(await reads().content(name), name, store),
    reserve: (keys) => commit({ kind: "reserve", keys, store }),
    renew: (key) => commit({ kind: "renew", key }),
    sendParts: (key, parts) => commit({ kind: "send-parts", key, ...parts }),
    name: async (object, name) => {
      await commit(namingOf(object, name));
      // Another one that has the name by now is as good: its bytes are verified, too.
      return (await find(name)) !== null;
    },
    naming: (object, name) => recordCommit(objects, namingOf(object, name)),
    keep: (bytes, name) => commit({ ...keepingOf(bytes, name), store }),
    keeping: (bytes, name) => recordCommit(objects, { ...keepingOf(bytes, name), store }),
    share: async (from, to) => {
      const source = await find(from);
      if (source === null) return false;
      await commit({ kind: "share", from, to });
      return (await find(to)) !== null;
    },
    unname: async (name) => {
      const found = await find(name);
      if (found !== null) await commit({ kind: "unname", from: name });
      return found !== null;
    },
    giveUp: (key) => commit({ kind: "give-up", key }),
    inQuarantine: () => reads().inQuarantine(store),
    endWriting: (before) => commit({ kind: "end-writing", before }),
    garbage: (before, after, limit) => reads().garbage(store, before, after, limit),
    keys: async (after, limit) => (await reads().keysOf(store, after, limit)).map(knownOf),
    key: async (key) => {
      const known = await reads().key(key);
      return known === null ? null : knownOf(known);
    },
    namesOf: (key, limit) => reads().namesOf(key, limit),
    isUnderWay: (upload) => reads().isUnderWay(upload),
    adopt: async ({ key, sizeBytes }, name) => {
      await commit({ kind: "adopt", key, sizeBytes, store, to: name });
      return (await find(name))?.key === key;
    },
    removed: (keys) => commit(...keys.map((key): ObjectChange => ({ kind: "removed", key }))),
  };
}

/**
 * Keys are never shared between two stores; what one name in quarantine stands for may lie in another one.
 * @throws StoreRefused where servers of one database do not agree where a repository lies.
 */
function ofStore<T extends { readonly store: string }>(
  found: T | null,
  { repository }: ObjectName,
  store: string,
): T | null {
  if (found === null || found.store === store) return found;
  if (repository === "") return null;
  const [told, here] = [found.store, store].map((each) =>
    each === "" ? "the main store" : `"/${each}"`,
  );
  throw new StoreRefused(
    `${repository} has content in ${told ?? ""}, and this server looks in ${here ?? ""}; ` +
      "give all servers of the registry the same storage.subPaths",
  );
}

function namingOf({ key, sizeBytes }: NamedObject, to: ObjectName): ObjectChange {
  return { kind: "name", key, sizeBytes, to };
}

function keepingOf(bytes: Uint8Array, to: ObjectName) {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
  const base64 = Buffer.from(bytes).toString("base64");
  return { kind: "keep", key: `${inlinePrefix}${random}`, base64, to } as const;
}

function knownOf({ key, sizeBytes, state }: KnownRow): KnownObject {
  return { key, sizeBytes, isContent: state === "content" };
}
