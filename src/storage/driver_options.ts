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

const nameError = "a name of a driver that is served: s3, gcs or azure";
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

const noCopies = "nothing is copied within the store";
const noLog = "requests to the store are not logged one by one";
const ownRetries = "requests are tried again by rules of this server's own";

/** Keys that change nothing here, and why. */
const withoutEffect = {
  s3: {
    multipartcopychunksize: noCopies,
    multipartcopymaxconcurrency: noCopies,
    multipartcopythresholdsize: noCopies,
    multipartcombinesmallpart: "parts are cut to their size before they are sent",
    loglevel: noLog,
    logs3apirequests: noLog,
    logs3apiresponseheaders: noLog,
  },
  gcs: {
    chunksize: "parts are cut to their size before they are sent",
    maxconcurrency: "how many requests run at once is one limit for all stores",
  },
  azure: {
    max_retries: ownRetries,
    retry_delay: ownRetries,
    copy_status_poll_max_retry: noCopies,
    copy_status_poll_delay: noCopies,
  },
} as const;

type DriverName = keyof typeof withoutEffect;

const ignored = z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown())], {
  error: "a value that means nothing here",
});

function ignoredKeys<const D extends DriverName>(driver: D) {
  const names = Object.keys(withoutEffect[driver]) as (keyof (typeof withoutEffect)[D])[];
  return Object.fromEntries(names.map((key) => [key, ignored.optional()])) as Record<
    keyof (typeof withoutEffect)[D],
    z.ZodOptional<typeof ignored>
  >;
}

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
    ...ignoredKeys("s3"),
  },
  section,
);

/** Keys that hang together: the key that is wrong, and the end of the sentence "expected …". */
interface Rule<K> {
  readonly key: keyof K & string;
  readonly expected: string;
  readonly holds: (values: K) => boolean;
}

type S3Keys = z.output<typeof s3Keys>;

const s3Rules: readonly Rule<S3Keys>[] = [
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
    ...ignoredKeys("gcs"),
  },
  section,
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

const accountError = `the name of a storage account, such as "myaccount"`;
const containerError = `the name of a container, such as "images"`;
const azureCredentials = z.strictObject(
  {
    type: oneOf(["shared_key", "client_secret", "default_credentials"]),
    tenantid: secretText.default(null),
    clientid: secretText.default(null),
    secret: secretText.default(null),
  },
  { error: "a section with keys, such as {type: default_credentials}" },
);

const azureKeys = z.strictObject(
  {
    name: z.literal("azure", { error: nameError }),
    accountname: z
      .string({ error: accountError })
      .regex(/^[a-z0-9]{3,24}$/, { error: accountError }),
    accountkey: secretText.default(null),
    container: z
      .string({ error: containerError })
      .regex(/^(?:\$root|[a-z0-9](?:-?[a-z0-9]){2,62})$/, { error: containerError }),
    rootdirectory: rootDirectory.default(""),
    realm: endpoint.default(null),
    serviceurl: endpoint.default(null),
    redirectendpoint: endpoint.default(null),
    secure: flag.default(true),
    cafile: pathOrNone.default(null),
    useragent: agent.default(null),
    credentials: azureCredentials.optional(),
    ...ignoredKeys("azure"),
  },
  section,
);

type AzureKeys = z.output<typeof azureKeys>;

const azureRules: readonly Rule<AzureKeys>[] = [
  {
    key: "accountkey",
    expected: "an account key in base64 where credentials ask for no other login",
    holds: ({ accountkey, credentials }) =>
      (credentials?.type ?? "shared_key") !== "shared_key" || isBase64(accountkey),
  },
  {
    key: "credentials",
    expected: "tenantid, clientid and secret for the type client_secret",
    holds: ({ credentials }) =>
      credentials?.type !== "client_secret" ||
      [credentials.tenantid, credentials.clientid, credentials.secret].every((it) => it !== null),
  },
  {
    key: "serviceurl",
    expected: `a URL with https, or "secure: false" beside it`,
    holds: ({ serviceurl, secure }) => !secure || !isPlain(serviceurl),
  },
  {
    key: "realm",
    expected: "realm or serviceurl, which names the host already",
    holds: ({ realm, serviceurl }) => realm === null || serviceurl === null,
  },
];

function ruled<K extends object>(rules: readonly Rule<K>[]) {
  return (values: K, context: z.core.$RefinementCtx<K>): void => {
    for (const { key, expected, holds } of rules) {
      if (!holds(values)) context.addIssue({ code: "custom", path: [key], message: expected });
    }
  };
}

const s3 = s3Keys.superRefine(ruled(s3Rules)).transform((values) => ({
  ...values,
  name: "s3" as const,
  region: values.region === "" ? "us-east-1" : values.region,
  storageclass: values.storageclass === "NONE" ? null : values.storageclass,
  objectacl: values.objectacl ?? null,
}));

const gcs = gcsKeys
  .superRefine(ruled(gcsRules))
  .transform(({ credentialsFile, keyfile, ...rest }) => ({
    ...rest,
    keyfile: credentialsFile ?? keyfile,
  }));

const azure = azureKeys.superRefine(ruled(azureRules)).transform((values) => ({
  ...values,
  credentials: values.credentials ?? {
    type: "shared_key" as const,
    tenantid: null,
    clientid: null,
    secret: null,
  },
}));

/** The type of the option. */
export const storageDriver = z
  .discriminatedUnion("name", [s3, gcs, azure], {
    error: ({ code }) => (code === "invalid_union" ? nameError : section.error),
  })
  .meta({ title: "store of objects" });

export type DriverValues = z.output<typeof storageDriver>;
export type S3Values = Extract<DriverValues, { name: "s3" }>;
export type GcsValues = Extract<DriverValues, { name: "gcs" }>;
export type AzureValues = Extract<DriverValues, { name: "azure" }>;

/** Lines about keys that change nothing. */
export function driverWarnings(values: DriverValues): string[] {
  const given = new Set(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [key])),
  );
  return Object.entries(withoutEffect[values.name])
    .filter(([key]) => given.has(key))
    .map(([key, why]) => `${key} has no effect: ${why}`);
}

function isBase64(value: string | null): boolean {
  return value !== null && /^[A-Za-z0-9+/]{16,200}={0,2}$/.test(value);
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
