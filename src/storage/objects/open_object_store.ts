/** Opens the store of objects that a configuration names. Nothing is asked of it yet: `probe` does that. */
import type { DriverValues } from "../driver_options.ts";
import type { ObjectStore } from "./object_store.ts";
import type { OpenParts } from "./open_parts.ts";
import { openAzure } from "./azure/open_azure.ts";
import { openGcs } from "./gcs/open_gcs.ts";
import { openS3 } from "./s3/open_s3.ts";

/** @throws with one line for files that cannot be read. */
export function openObjectStore(values: DriverValues, parts: OpenParts): ObjectStore {
  if (values.name === "gcs") return openGcs(values, parts);
  return values.name === "azure" ? openAzure(values, parts) : openS3(values, parts);
}
