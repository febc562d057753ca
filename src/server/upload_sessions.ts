/** Upload sessions that any replica goes on with, as rows: `metadata/uploads.ts` for the stores of bytes. */
import { parseDigest, type Digest } from "../oci/digest.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { objects } from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import { tailName, uploads, type UploadChange } from "../metadata/uploads.ts";
import type { UploadSession, UploadSessions } from "../storage/upload_sessions.ts";

/** After that a holder that did not renew it is taken for dead. */
const lastsMs = 30_000;

/** `open` is asked when it is first needed. */
export function uploadSessions(open: () => Pick<Metadata, "commit" | "records">): UploadSessions {
  const reads = () => open().records(uploads);
  const commit = async (change: UploadChange): Promise<void> => {
    await open().commit(recordCommit(uploads, change));
  };
  const isHeldBy = async (id: string, holder: string): Promise<boolean> =>
    (await reads().upload(id))?.holder === holder;
  return {
    create: (id, repository) => commit({ kind: "create", id, repository }),
    take: async (id, holder) => {
      await commit({ kind: "take", id, holder, lastsMs });
      const row = await reads().upload(id);
      if (row === null) return null;
      if (row.holder !== holder) return "busy";
      const { sizeBytes, file } = row;
      const isEmpty = sizeBytes === 0 && row.finished === 0;
      const digests = { sha256: digestOf(row.sha256), sha512: digestOf(row.sha512) };
      const known = { sizeBytes, digests, file, isFinished: row.finished !== 0 };
      // What somebody left who died over its first bytes is forgotten with the next ones.
      const found = isEmpty ? nothing : await inStore(open(), id);
      return { ...known, ...found };
    },
    renew: async (id, holder) => {
      await commit({ kind: "renew", id, holder, lastsMs });
      return isHeldBy(id, holder);
    },
    beginParts: async (id, holder, key) => {
      await commit({ kind: "begin-parts", id, holder, key });
      return isHeldBy(id, holder);
    },
    ending: (id, holder, object, content) =>
      recordCommit(uploads, { kind: "end", id, holder, object, content }),
    change: async (id, holder, change) => {
      const { digests, ...rest } = change;
      const mark = crypto.randomUUID();
      await commit({ kind: "change", id, holder, mark, ...digests, ...rest });
      return (await reads().mark(id)) === mark;
    },
    release: (id, holder) => commit({ kind: "release", id, holder }),
    discard: (id, holder) => commit({ kind: "discard", id, holder }),
    find: async (id) => {
      const row = await reads().upload(id);
      if (row === null) return null;
      const { sizeBytes, touched: changedAt, file } = row;
      return { sizeBytes, changedAt, file };
    },
    ids: async () => (await reads().ids()).map(({ id }) => id),
  };
}

const nothing = { parts: null, tail: null };

async function inStore(
  metadata: Pick<Metadata, "records">,
  id: string,
): Promise<Pick<UploadSession, "parts" | "tail">> {
  const reads = metadata.records(uploads);
  const [tail, parts] = await Promise.all([
    metadata.records(objects).find(tailName(id)),
    reads.partsKey(id),
  ]);
  return { tail, parts: parts === null ? null : { ...parts, stored: await reads.parts(id) } };
}

function digestOf(text: string | null): Digest | null {
  return text === null ? null : parseDigest(text);
}
