/**
 * Writes bytes into a store of objects: under a key of their own, which is written down first, in one request or in
 * parts.
 *
 * Up to one part it is one request; larger bytes of n parts take n + 2. Parts are slices of a file, or of bytes at hand,
 * that nobody changes; two of an object are on their way at once. What was begun and failed is garbage: a job removes it.
 */
import { MiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import type { PutHow, UnnamedBytes } from "../blob_store.ts";
import type { NamedObject, ObjectName, ObjectRecords } from "../object_records.ts";
import type { WholeBody } from "../scratch_uploads.ts";
import type { ObjectStore } from "./object_store.ts";
import type { ReservedKeys } from "./reserved_keys.ts";

/** A part has this many bytes, or more where there would be more than `partsMax` of them. */
export const partBytesMin = 16 * MiB;
export const partsMax = 9_000;
/** Parts of one object that are on their way at once. */
const partsInFlightMax = 2;
/** An object that is written for long says so that often. */
const renewedMs = 10 * 60_000;
/** Keys that were given up while their bytes were sent: a disk or a store that is slower has no end in sight. */
const keysMax = 3;

export interface ObjectPlace {
  readonly store: ObjectStore;
  readonly records: ObjectRecords;
  readonly keys: ReservedKeys;
  readonly clock: Clock;
}

/** Writes, and names or leaves that to the caller. @throws ObjectStoreUnavailable, ObjectStoreRefused. */
export async function putObject(
  place: ObjectPlace,
  body: WholeBody,
  { name, how }: { readonly name: ObjectName; readonly how: PutHow },
): Promise<UnnamedBytes | null> {
  const { records } = place;
  for (let keys = 1; ; keys += 1) {
    const object = await writeObject(place, body);
    if (how.mayBeUnnamed === true) {
      const giveUp = (): Promise<void> => records.giveUp(object.key);
      return { naming: records.naming(object, name), key: object.key, giveUp };
    }
    if (await records.name(object, name)) return null;
    if (keys >= keysMax) throw new Error(`storage: ${name.name} took too long to be written`);
  }
}

async function writeObject(place: ObjectPlace, body: WholeBody): Promise<NamedObject> {
  const key = await place.keys.take();
  try {
    await send(place, key, body);
  } catch (error) {
    // A job finds it in any case, later.
    await place.records.giveUp(key).catch(() => undefined);
    throw error;
  }
  return { key, sizeBytes: body.sizeBytes };
}

async function send(place: ObjectPlace, key: string, body: WholeBody): Promise<void> {
  const { sizeBytes } = body;
  const { limits } = place.store;
  const needed = Math.ceil(sizeBytes / Math.min(partsMax, limits.partsMax));
  const partBytes = Math.max(partBytesMin, limits.partBytesMin, needed);
  if (sizeBytes <= Math.min(partBytes, limits.putBytesMax)) {
    await place.store.put(key, body.slice(0, sizeBytes));
  } else await sendParts(place, key, body, partBytes);
}

async function sendParts(
  { store, records, clock }: ObjectPlace,
  key: string,
  body: WholeBody,
  partBytes: number,
): Promise<void> {
  const parts = await store.startParts(key);
  await records.sendParts(key, { upload: parts.upload, sizeBytes: body.sizeBytes });
  const count = Math.ceil(body.sizeBytes / partBytes);
  let saidMs = clock.monotonicMs();
  const stored = await sendEach(count, async (place) => {
    const first = place * partBytes;
    const slice = body.slice(first, Math.min(first + partBytes, body.sizeBytes));
    const part = await store.putPart(key, parts, place + 1, slice);
    if (clock.monotonicMs() - saidMs >= renewedMs) {
      saidMs = clock.monotonicMs();
      await records.renew(key);
    }
    return part;
  });
  await store.completeParts(key, parts, stored);
}

/**
 * Sends parts by their places, of which `partsInFlightMax` are on their way at once; gives what they became in order.
 * @throws what the first one that failed threw, when none is on its way any more.
 */
export async function sendEach<T>(
  count: number,
  send: (place: number) => Promise<T>,
): Promise<T[]> {
  const sent: T[] = [];
  const failed = new AbortController();
  let begun = 0;
  const sendSome = async (): Promise<void> => {
    while (begun < count && !failed.signal.aborted) {
      const place = begun;
      begun += 1;
      sent[place] = await send(place);
    }
  };
  const sending = Array.from({ length: partsInFlightMax }, () =>
    sendSome().catch((error: unknown) => {
      failed.abort();
      throw error;
    }),
  );
  for (const outcome of await Promise.allSettled(sending)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  return sent;
}
