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

/** Null where the bucket has none. */
export async function readRegistryId(store: ObjectStore): Promise<string | null> {
  const stream = await store.get(registryKey, null);
  if (stream === null) return null;
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    text += decoder.decode(part, { stream: true });
    if (text.length > idBytesMax) break;
  }
  const id = idIn(text);
  if (id !== null) return id;
  throw new ObjectStoreRefused(
    `expected {"id": …} in ${registryKey} of the bucket, found something else; give another bucket or rootdirectory`,
  );
}

export async function writeRegistryId(store: ObjectStore, id: string): Promise<void> {
  await store.put(registryKey, new TextEncoder().encode(`${JSON.stringify({ id })}\n`));
}

/** Whether a bucket has content of a registry. */
export async function hasObjects(store: ObjectStore): Promise<boolean> {
  return (await store.list(objectsPrefix, null)).objects.length > 0;
}

function idIn(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && typeof value["id"] === "string" ? value["id"] : null;
  } catch {
    return null;
  }
}
