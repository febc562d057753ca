/** The keys of `storage.storageDriver` for Google Cloud Storage. */
import * as z from "zod";
import { flag, pathOrNone } from "../lib/option_types.ts";
import {
  agent,
  bucket,
  endpoint,
  ignoredKeys,
  isPlain,
  nameError,
  rootDirectory,
  type Rule,
  ruled,
  sectionError,
} from "./driver_keys.ts";

/** Keys that change nothing here, and why. */
export const gcsWithoutEffect = {
  chunksize: "parts are cut to their size before they are sent",
  maxconcurrency: "how many requests run at once is one limit for all stores",
} as const;

const gcsKeys = z.strictObject(
  {
    name: z.literal("gcs", { error: nameError }),
    bucket,
    rootdirectory: rootDirectory.default(""),
    credentialsFile: pathOrNone.default(null),
    keyfile: pathOrNone.default(null),
    endpoint: endpoint.default(null),
    redirectendpoint: endpoint.default(null),
    secure: flag.default(true),
    cafile: pathOrNone.default(null),
    useragent: agent.default(null),
    ...ignoredKeys(gcsWithoutEffect),
  },
  sectionError,
);

type GcsKeys = z.output<typeof gcsKeys>;

const gcsRules: readonly Rule<GcsKeys>[] = [
  {
    key: "keyfile",
    expected: "credentialsFile or keyfile, which are one thing",
    holds: ({ credentialsFile, keyfile }) => credentialsFile === null || keyfile === null,
  },
  {
    key: "endpoint",
    expected: `an endpoint with https, or "secure: false" beside it`,
    holds: ({ endpoint: at, secure }) => !secure || !isPlain(at),
  },
];

export const gcs = gcsKeys
  .superRefine(ruled(gcsRules))
  .transform(({ credentialsFile, keyfile, ...rest }) => ({
    ...rest,
    keyfile: credentialsFile ?? keyfile,
  }));
