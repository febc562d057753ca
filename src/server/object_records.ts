/** What is written down about objects, as rows beside the metadata: `metadata/objects.ts` for the stores of bytes. */
import type { Metadata } from "../metadata/metadata.ts";
import { objects, type ObjectChange } from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import type { ObjectRecords } from "../storage/object_records.ts";

/** `open` is asked when it is first needed. */
export function objectRecords(open: () => Pick<Metadata, "commit" | "records">): ObjectRecords {
  const reads = () => open().records(objects);
  const commit = async (...changes: readonly ObjectChange[]): Promise<void> => {
    await open().commit(recordCommit(objects, ...changes));
  };
  const find: ObjectRecords["find"] = (name) => reads().find(name);
  return {
    find,
    begin: (key, sizeBytes) => commit({ kind: "begin", key, sizeBytes }),
    renew: (key) => commit({ kind: "renew", key }),
    sendParts: (key, upload) => commit({ kind: "send-parts", key, upload }),
    name: async (key, name) => {
      await commit({ kind: "name", key, to: name });
      // Another one that has the name by now is as good: its bytes are verified, too.
      return (await find(name)) !== null;
    },
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
    inQuarantine: () => reads().inQuarantine(),
    endWriting: (before) => commit({ kind: "end-writing", before }),
    garbage: (before, after, limit) => reads().garbage(before, after, limit),
    removed: (keys) => commit(...keys.map((key): ObjectChange => ({ kind: "removed", key }))),
  };
}
