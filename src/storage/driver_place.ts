/** Where a store of objects keeps what it holds: of two that say the same, one would take the other's objects for its own. */
import type { DriverValues } from "./driver_options.ts";

export interface DriverPlace {
  /** The same text for one bucket; other texts may lead to it as well (`localhost`, `127.0.0.1`). */
  readonly bucket: string;
  /** In front of all keys: ends with `/`, or is empty. */
  readonly prefix: string;
  /** For messages. */
  readonly says: string;
}

export function driverPlace(values: DriverValues): DriverPlace {
  const prefix = prefixOf(values.rootdirectory);
  const [at, name] = bucketOf(values);
  const kind = values.name === "azure" ? "container" : "bucket";
  const below = prefix === "" ? "" : ` below ${prefix}`;
  return {
    bucket: `${values.name} ${at.toLowerCase().replace(/^https?:\/\/|\/+$/g, "")} ${name}`,
    prefix,
    says: `${values.name} ${kind} ${name}${below}`,
  };
}

/** Whom it is asked of, and its name there. Buckets of one cloud are named apart in all of its regions. */
function bucketOf(values: DriverValues): readonly [at: string, name: string] {
  if (values.name === "s3") return [values.regionendpoint ?? "", values.bucket];
  if (values.name === "gcs") return [values.endpoint ?? "", values.bucket];
  return [values.serviceurl ?? `${values.accountname} ${values.realm ?? ""}`, values.container];
}

/** What stands in front of all keys: ends with `/`, or is empty. */
export function prefixOf(rootDirectory: string): string {
  const root = rootDirectory.replace(/^\/+|\/+$/g, "");
  return root === "" ? "" : `${root}/`;
}
