/** Opens the store of objects that a configuration names. Nothing is asked of it yet: `probe` does that. */
import type { Clock } from "../../lib/clock.ts";
import type { Environment } from "../../lib/cloud/cloud_login.ts";
import type { DriverValues } from "../driver_options.ts";
import type { ObjectStore } from "./object_store.ts";
import { openS3 } from "./s3/open_s3.ts";

export interface OpenParts {
  readonly clock: Clock;
  /** Where logins are looked for that the configuration does not have. */
  readonly env: Environment;
  /** Told what is wrong and does not stop anything, in one line. */
  readonly report: (line: string) => void;
}

/** @throws with one line for files that cannot be read. */
export function openObjectStore(values: DriverValues, parts: OpenParts): ObjectStore {
  return openS3(values, parts);
}
