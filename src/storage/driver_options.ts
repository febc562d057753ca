/**
 * The keys of `storage.storageDriver`, which says where a store of objects is: those of zot's dialect, which has them
 * from distribution's drivers, and a few of ours.
 *
 * What zot takes and means nothing here is taken, too, and told by name (`driverWarnings`).
 */
import * as z from "zod";
import { MiB } from "../lib/bytes.ts";
import { bytes, flag, pathOrNone } from "../lib/option_types.ts";

const section = {
  error: "a section with keys, such as {name: s3, region: eu-central-1, bucket: images}",
};

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

const nameError = `the name of a driver that is served: s3`;
const bucketError = `the name of a bucket, such as "images"`;
const bucket = z
  .string({ error: bucketError })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, { error: bucketError });

const regionError = `a region, such as "eu-central-1"`;
const region = z.string({ error: regionError }).regex(/^[a-z0-9-]{0,64}$/, { error: regionError });

const endpointError = `a host or a URL of a store, such as "https://s3.example.com" or "localhost:9000"`;
const endpoint = z
  .string({ error: endpointError })
  .refine((value) => value === "" || isEndpoint(value), { error: endpointError })
  .transform((value) => (value === "" ? null : value));

const rootError = `a prefix of keys, such as "/zot"`;
const rootDirectory = z
  .string({ error: rootError })
  .refine((value) => isPrefix(value), { error: rootError });

const secretError = "one line of printable ASCII text without blanks";
const secretText = z
  .string({ error: secretError })
  .regex(/^[\x21-\x7e]*$/, { error: secretError })
  .transform((value) => (value === "" ? null : value));

const agentError = "one line of printable ASCII text";
const agent = z
  .string({ error: agentError })
  .regex(/^[\x20-\x7e]{0,200}$/, { error: agentError })
  .transform((value) => (value === "" ? null : value));

function oneOf<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

/** Only the value with which a key asks for nothing. */
function only<const V extends boolean>(value: V, why: string) {
  return z.literal(value, { error: `${value}: ${why}` }).default(value);
}

/** Keys that change nothing here, and why. */
const withoutEffect = {
  multipartcopychunksize: "nothing is copied within the store",
  multipartcopymaxconcurrency: "nothing is copied within the store",
  multipartcopythresholdsize: "nothing is copied within the store",
  multipartcombinesmallpart: "parts are cut to their size before they are sent",
  loglevel: "requests to the store are not logged one by one",
  logs3apirequests: "requests to the store are not logged one by one",
  logs3apiresponseheaders: "requests to the store are not logged one by one",
} as const;

const ignored = z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown())], {
  error: "a value that means nothing here",
});

const keys = z.strictObject(
  {
    name: z.enum(["s3", "s3aws"], { error: nameError }),
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
    ...(Object.fromEntries(
      Object.keys(withoutEffect).map((key) => [key, ignored.optional()]),
    ) as Record<keyof typeof withoutEffect, z.ZodOptional<typeof ignored>>),
  },
  section,
);

type Keys = z.output<typeof keys>;

/** Keys that hang together: the key that is wrong, and the end of the sentence "expected …". */
const rules: readonly { key: keyof Keys; expected: string; holds: (values: Keys) => boolean }[] = [
  {
    key: "region",
    expected: `a region, such as "eu-central-1", where there is no regionendpoint`,
    holds: ({ region: at, regionendpoint }) => at !== "" || regionendpoint !== null,
  },
  {
    key: "secretkey",
    expected: "accesskey and secretkey together, or none of them",
    holds: ({ accesskey, secretkey }) => (accesskey === null) === (secretkey === null),
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

/** The type of the option. */
export const storageDriver = keys
  .superRefine((values, context) => {
    for (const { key, expected, holds } of rules) {
      if (!holds(values)) context.addIssue({ code: "custom", path: [key], message: expected });
    }
  })
  .transform(valuesOf)
  .meta({ title: "store of objects" });

export type DriverValues = z.output<typeof storageDriver>;
export type S3Values = DriverValues;

function valuesOf(values: Keys) {
  const { storageclass, objectacl, region: at } = values;
  const given = Object.keys(withoutEffect) as (keyof typeof withoutEffect)[];
  return {
    ...values,
    name: "s3" as const,
    region: at === "" ? "us-east-1" : at,
    storageclass: storageclass === "NONE" ? null : storageclass,
    objectacl: objectacl ?? null,
    ignored: given.filter((key) => values[key] !== undefined),
  };
}

/** Lines about keys that change nothing. */
export function driverWarnings({ ignored: names }: DriverValues): string[] {
  return names.map((name) => `${name} has no effect: ${withoutEffect[name]}`);
}

function upperCase(value: unknown): unknown {
  return typeof value === "string" ? value.toUpperCase() : value;
}

function isPlain(value: string | null): boolean {
  return value !== null && /^http:/i.test(value);
}

function isEndpoint(value: string): boolean {
  const full = /^[a-z]+:\/\//i.test(value) ? value : `https://${value}`;
  if (!/^https?:\/\/[^\s@?#]+$/i.test(full) || !URL.canParse(full)) return false;
  return new URL(full).hostname !== "";
}

function isPrefix(value: string): boolean {
  const parts = value.replace(/^\/+|\/+$/g, "").split("/");
  if (value.replaceAll("/", "") === "") return true;
  return /^[\w.!*'()/-]{1,500}$/.test(value) && !parts.some((part) => /^\.{0,2}$/.test(part));
}
