/**
 * The keys of `storage.storageDriver`, which says where a store of objects is: those of zot's dialect, which has them
 * from distribution's drivers, and a few of ours.
 *
 * What zot takes and means nothing here is taken, too, and told by name (`driverWarnings`).
 */
import * as z from "zod";
import { azure, azureWithoutEffect } from "./azure_keys.ts";
import { nameError, sectionError } from "./driver_keys.ts";
import { gcs, gcsWithoutEffect } from "./gcs_keys.ts";
import { s3, s3WithoutEffect } from "./s3_keys.ts";

/** The type of the option. */
export const storageDriver = z
  .discriminatedUnion("name", [s3, gcs, azure], {
    error: ({ code }) => (code === "invalid_union" ? nameError : sectionError.error),
  })
  .meta({ title: "store of objects" });

export type DriverValues = z.output<typeof storageDriver>;
export type S3Values = Extract<DriverValues, { name: "s3" }>;
export type AzureValues = Extract<DriverValues, { name: "azure" }>;
export type GcsValues = Extract<DriverValues, { name: "gcs" }>;

const withoutEffect = { s3: s3WithoutEffect, gcs: gcsWithoutEffect, azure: azureWithoutEffect };

/** Lines about keys that change nothing. */
export function driverWarnings(values: DriverValues): string[] {
  const given = new Set(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [key])),
  );
  return Object.entries(withoutEffect[values.name])
    .filter(([key]) => given.has(key))
    .map(([key, why]) => `${key} has no effect: ${why}`);
}
