/**
 * The id of the registry whose objects a bucket holds, as an object of its own: `registry.json`.
 *
 * The same id stands in the metadata. Metadata that belong to another bucket would take its objects for nothing.
 */
import { isJsonObject } from "../../lib/strict_json.ts";
import { ObjectStoreRefused, type ObjectStore } from "./object_store.ts";
import { objectsPrefix } from "./reserved_keys.ts";

export const registryKey = "registry.json";
const idBytesMax = 4096;
/** Registries that are about to take the bucket; what a crash left there is forgotten after `claimMs`. */
const claimsPrefix = "registry.claims/";
const claimMs = 10 * 60_000;

/** Whose bucket it is. */
export interface RegistryMark {
  readonly id: string;
  /** How often its metadata were put back from an export: metadata with another number are of another moment. */
  readonly restores: number;
}

/** Null where the bucket has none. */
export async function readRegistry(store: ObjectStore): Promise<RegistryMark | null> {
  const stream = await store.get(registryKey, null);
  if (stream === null) return null;
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    text += decoder.decode(part, { stream: true });
    if (text.length > idBytesMax) break;
  }
  const mark = markIn(text);
  if (mark !== null) return mark;
  throw new ObjectStoreRefused(
    `expected {"id": …} in ${registryKey} of the bucket, found something else; give another bucket or rootdirectory`,
  );
}

export async function writeRegistry(store: ObjectStore, mark: RegistryMark): Promise<void> {
  await store.put(registryKey, textOf(mark));
}

/**
 * Gives a bucket that has no mark this one, and returns the one that it has then.
 *
 * A store keeps no conditions, so whoever wants a bucket says so first, and then looks who else does: of two that come
 * at once, one at least sees the other and leaves. Whoever sees nobody reads the mark once more, since one that has gone
 * may have written it. @throws ObjectStoreRefused while another registry wants the bucket.
 */
export async function claimBucket(store: ObjectStore, mark: RegistryMark): Promise<RegistryMark> {
  const own = `${claimsPrefix}${mark.id}.${crypto.randomUUID()}`;
  await store.put(own, textOf(mark));
  try {
    const { objects } = await store.list(claimsPrefix, null);
    const sinceMs = (objects.find(({ key }) => key === own)?.changedAt ?? 0) - claimMs;
    const others = objects.filter(
      ({ key, changedAt }) => !key.startsWith(`${claimsPrefix}${mark.id}.`) && changedAt > sinceMs,
    );
    if (others.length > 0) {
      throw new ObjectStoreRefused(
        "expected a bucket that no other registry is about to take, found one that began to at the same time; " +
          "give them buckets or rootdirectories of their own, and start again",
      );
    }
    const found = await readRegistry(store);
    if (found !== null) return found;
    await writeRegistry(store, mark);
    return mark;
  } finally {
    await store.remove(own);
  }
}

function textOf({ id, restores }: RegistryMark): Uint8Array {
  const value = restores === 0 ? { id } : { id, restores };
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

/** Whether a bucket has content of a registry. */
export async function hasObjects(store: ObjectStore): Promise<boolean> {
  return (await store.list(objectsPrefix, null)).objects.length > 0;
}

function markIn(text: string): RegistryMark | null {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJsonObject(value) || typeof value["id"] !== "string") return null;
    const { restores = 0 } = value;
    return typeof restores === "number" ? { id: value["id"], restores } : null;
  } catch {
    return null;
  }
}
