/** The keys of `storage.storageDriver` for S3, and for stores that speak as it does. */
import * as z from "zod";
import { MiB } from "../lib/bytes.ts";
import { bytes, flag, pathOrNone } from "../lib/option_types.ts";
import {
  agent,
  bucket,
  endpoint,
  ignoredKeys,
  isPlain,
  nameError,
  oneOf,
  rootDirectory,
  type Rule,
  ruled,
  secretText,
  sectionError,
} from "./driver_keys.ts";

const storageClasses = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "OUTPOSTS",
  "GLACIER_IR",
  "EXPRESS_ONEZONE",
] as const;

const accessLists = ["private", "bucket-owner-read", "bucket-owner-full-control"] as const;

const regionError = `a region, such as "eu-central-1"`;
const region = z.string({ error: regionError }).regex(/^[a-z0-9-]{0,64}$/, { error: regionError });

/** Only the value with which a key asks for nothing. */
function only<const V extends boolean>(value: V, why: string) {
  return z.literal(value, { error: `${value}: ${why}` }).default(value);
}

const noCopies = "nothing is copied within the store";
const noLog = "requests to the store are not logged one by one";

/** Keys that change nothing here, and why. */
export const s3WithoutEffect = {
  multipartcopychunksize: noCopies,
  multipartcopymaxconcurrency: noCopies,
  multipartcopythresholdsize: noCopies,
  multipartcombinesmallpart: "parts are cut to their size before they are sent",
  loglevel: noLog,
  logs3apirequests: noLog,
  logs3apiresponseheaders: noLog,
} as const;

const s3Keys = z.strictObject(
  {
    name: z.literal(["s3", "s3aws"], { error: nameError }),
    bucket,
    region: region.default(""),
    regionendpoint: endpoint.default(null),
    redirectendpoint: endpoint.default(null),
    rootdirectory: rootDirectory.default(""),
    accesskey: secretText.default(null),
    secretkey: secretText.default(null),
    sessiontoken: secretText.default(null),
    secure: flag.default(true),
    skipverify: flag.default(false),
    cafile: pathOrNone.default(null),
    forcepathstyle: flag.default(true),
    usedualstack: flag.default(false),
    usefipsendpoint: flag.default(false),
    chunksize: bytes(5 * MiB, 1024 * MiB).default(5 * MiB),
    storageclass: z.preprocess(upperCase, oneOf(["NONE", ...storageClasses])).default("NONE"),
    objectacl: oneOf(accessLists).optional(),
    encrypt: flag.default(false),
    keyid: secretText.default(null),
    useragent: agent.default(null),
    v4auth: only(true, "requests are signed with version 4 alone"),
    accelerate: only(false, "transfer acceleration is not served by this version yet"),
    ...ignoredKeys(s3WithoutEffect),
  },
  sectionError,
);

type S3Keys = z.output<typeof s3Keys>;

const s3Rules: readonly Rule<S3Keys>[] = [
  {
    key: "region",
    expected: `a region, such as "eu-central-1", where there is no regionendpoint`,
    holds: ({ region: at, regionendpoint }) => at !== "" || regionendpoint !== null,
  },
  {
    key: "secretkey",
    expected: "one beside accesskey, or none of both where the machine has keys of its own",
    holds: ({ accesskey, secretkey }) => accesskey === null || secretkey !== null,
  },
  {
    key: "accesskey",
    expected: "one beside secretkey, or none of both where the machine has keys of its own",
    holds: ({ accesskey, secretkey }) => secretkey === null || accesskey !== null,
  },
  {
    key: "sessiontoken",
    expected: "no session token without accesskey",
    holds: ({ accesskey, sessiontoken }) => accesskey !== null || sessiontoken === null,
  },
  {
    key: "regionendpoint",
    expected: `an endpoint with https, or "secure: false" beside it`,
    holds: ({ regionendpoint, secure }) => !secure || !isPlain(regionendpoint),
  },
  {
    key: "bucket",
    expected:
      "a bucket without dots where forcepathstyle is false, since no certificate fits its host",
    holds: ({ bucket: name, forcepathstyle }) => forcepathstyle || !name.includes("."),
  },
  {
    key: "keyid",
    expected: `"encrypt: true" beside it`,
    holds: ({ keyid, encrypt }) => keyid === null || encrypt,
  },
  {
    key: "usedualstack",
    expected: "no regionendpoint beside it, which names the host already",
    holds: ({ usedualstack, regionendpoint }) => !usedualstack || regionendpoint === null,
  },
  {
    key: "usefipsendpoint",
    expected: "no regionendpoint beside it, which names the host already",
    holds: ({ usefipsendpoint, regionendpoint }) => !usefipsendpoint || regionendpoint === null,
  },
  {
    key: "cafile",
    expected: `no authorities where "skipverify: true" asks for none`,
    holds: ({ cafile, skipverify }) => cafile === null || !skipverify,
  },
];

export const s3 = s3Keys.superRefine(ruled(s3Rules)).transform((values) => ({
  ...values,
  name: "s3" as const,
  region: values.region === "" ? "us-east-1" : values.region,
  storageclass: values.storageclass === "NONE" ? null : values.storageclass,
  objectacl: values.objectacl ?? null,
}));

function upperCase(value: unknown): unknown {
  return typeof value === "string" ? value.toUpperCase() : value;
}
