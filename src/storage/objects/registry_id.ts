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
  const { id, restores } = mark;
  const value = restores === 0 ? { id } : { id, restores };
  await store.put(registryKey, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
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
