/** Tries at the start of a server, under keys of its own, all that a store of objects will be asked for. */
import { assert } from "../../lib/assert.ts";
import { type ObjectStore, ObjectStoreRefused } from "./object_store.ts";

const text = "Written by zot to try this store; it may be removed.\n";

/** @throws ObjectStoreRefused, ObjectStoreUnavailable: one line */
export async function probeObjects(store: ObjectStore): Promise<void> {
  const id = crypto.randomUUID();
  const bytes = new TextEncoder().encode(text);
  const whole = `probe/${id}`;
  await store.put(whole, bytes);
  await wholeIs(store, whole, bytes);
  const inParts = `probe/${id}-parts`;
  const parts = await store.startParts(inParts);
  const stored = await store.putPart(inParts, parts, 1, bytes);
  await store.completeParts(inParts, parts, [stored]);
  await wholeIs(store, inParts, bytes);
  const aborted = `probe/${id}-aborted`;
  await store.abortParts(aborted, await store.startParts(aborted));
  await store.list("probe/", null);
  await store.remove(whole);
  await store.remove(inParts);
  if ((await store.size(whole)) === null) return;
  throw new ObjectStoreRefused("an object that was removed from the store is still there");
}

async function wholeIs(store: ObjectStore, key: string, bytes: Uint8Array): Promise<void> {
  const size = await store.size(key);
  const [first, last] = [8, 19];
  const stream = await store.get(key, { first, last });
  const read = stream === null ? null : Buffer.concat(await Array.fromAsync(stream));
  assert(bytes.length > last, "The range lies in what was written");
  if (size === bytes.length && read?.equals(bytes.subarray(first, last + 1)) === true) return;
  throw new ObjectStoreRefused("the store does not give back what was written to it a moment ago");
}
