/** x placeholder placeholder placeholder placeholder */
import type { AzureValues } from "../../driver_options.ts";
import type { OpenParts } from "../open_parts.ts";
import type { ObjectStore } from "../object_store.ts";
export function openAzure(_values: AzureValues, _parts: OpenParts): ObjectStore {
  throw new Error("x");
}
