// The options under `extensions.sync`: upstreams that content is mirrored from, in zot's dialect with additions.
//
// `names.ts` makes rules of names out of them, `check_options.ts` says what cannot work and what is unwise.

import * as z from "zod";
import { parseRegistryUrl } from "../../client/registry_url.ts";
import { parsePattern } from "../../lib/expression/pattern.ts";
import { parseGlob } from "../../lib/glob.ts";
import { optionTable, type OptionValues } from "../../lib/option.ts";
import { bytes, count, duration, flag, pathOrNone, textOrNone } from "../../lib/option_types.ts";

const section = { error: "a section with keys" };
const text = z.string({ error: "text" });

const urlError = `the URL of a registry, such as "https://registry.example.com", without user, password and query`;
const registryUrl = z
  .string({ error: urlError })
  .refine((value) => isRegistryUrl(value), { error: urlError });

const hostError = `a registry, such as "docker.io", "registry.example.com:5000" or "http://registry.local"`;
const registryHost = z
  .string({ error: hostError })
  .refine((value) => isRegistryHost(value), { error: hostError });

const globError = `a glob of names at the upstream, such as "team/**"`;
const nameGlob = z
  .string({ error: globError })
  .refine((value) => value.replaceAll("/", "") !== "" && "glob" in parseGlob(value), {
    error: globError,
  });

const patternError = `a regular expression of RE2, such as "^v[0-9]+$"`;
const pattern = z.string({ error: patternError }).refine(isPattern, { error: patternError });

const platformError = `a list of platforms, such as ["linux/amd64", "linux/arm/v7"]`;
const platforms = z.array(
  z
    .string({ error: platformError })
    .regex(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/, { error: platformError }),
  { error: platformError },
);

const hostGlobsError = `a list of globs of host names, such as ["*.cdn.example.com"]`;
const hostGlobs = z.array(
  z
    .string({ error: hostGlobsError })
    .refine((value) => /^[\w*?.:[\]-]+$/.test(value) && "glob" in parseGlob(value), {
      error: hostGlobsError,
    }),
  { error: hostGlobsError },
);

const proxyError = `the URL of a proxy, such as "http://proxy.example.com:3128", or "none"`;
const proxyUrl = z
  .string({ error: proxyError })
  .refine((value) => value === "" || value === "none" || isProxyUrl(value), { error: proxyError })
  .transform((value) => (value === "" ? null : value));

const rateError = "a number of at least 0; 0 is no limit";
const rate = z.number({ error: rateError }).min(0, { error: rateError });

function oneOf<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

const tags = z.strictObject(
  { regex: pattern.optional(), excludeRegex: pattern.optional(), semver: flag.default(false) },
  section,
);

const content = z.strictObject(
  {
    prefix: nameGlob,
    destination: text.default(""),
    stripPrefix: flag.default(false),
    tags: tags.optional(),
  },
  section,
);

const credentials = z.strictObject(
  {
    username: text,
    password: textOrNone.default(null),
    passwordFile: pathOrNone.default(null),
  },
  section,
);

const oauth2 = z.strictObject(
  {
    tokenURL: text.default(""),
    assertionFile: pathOrNone.default(null),
    signingFile: pathOrNone.default(null),
    grantType: textOrNone.default(null),
    clientID: textOrNone.default(null),
    clientSecretFile: pathOrNone.default(null),
    scopes: z.array(text, { error: "a list of texts" }).default([]),
    username: textOrNone.default(null),
    audience: textOrNone.default(null),
    subjectTokenType: textOrNone.default(null),
    requestedTokenType: textOrNone.default(null),
  },
  section,
);

const helperError = `one of ecr, gcp, oauth2, or the name behind docker-credential- of a program`;
const helper = z
  .string({ error: helperError })
  .regex(/^[A-Za-z0-9][\w.-]*$|^$/, { error: helperError })
  .transform((value) => (value === "" ? null : value));

const cache = z.strictObject(
  { maxBytes: bytes(0).default(0), unpulledFor: duration(0).default(0) },
  section,
);

/** One entry of `registries`: zot's keys, then ours. */
const registry = z.strictObject(
  {
    urls: z
      .array(registryUrl, { error: "a list of URLs" })
      .min(1, { error: "a list of at least one URL" }),
    pollInterval: duration(0).default(0),
    content: z.array(content, { error: "a list of sections with keys" }).default([]),
    tlsVerify: flag.default(true),
    onDemand: flag.default(false),
    manifestCheckInterval: duration(0).default(0),
    certDir: pathOrNone.default(null),
    maxRetries: count(0, 100).optional(),
    retryDelay: duration(0).optional(),
    maxRetryDelay: duration(0).optional(),
    onlySigned: flag.default(false),
    syncLegacyCosignTags: flag.default(true),
    credentialHelper: helper.default(null),
    oauth2CredentialHelper: oauth2.optional(),
    preserveDigest: flag.optional(),
    syncTimeout: duration(0).default(3 * 60 * 60_000),
    responseHeaderTimeout: duration(1).default(30_000),
    reqConcurrent: count(1, 1000).optional(),
    reqPerSec: rate.default(0),
    disableHTTP2: flag.optional(),
    maxIdleConnsPerHost: count(0).optional(),

    serveStale: flag.default(true),
    listTags: oneOf(["local", "merge"]).default("local"),
    allowPush: flag.default(true),
    onDenied: oneOf(["serve", "refuse"]).default("serve"),
    onClientGone: oneOf(["finish", "stop"]).default("finish"),
    propagateDeletes: flag.default(false),
    relayUnknownBlobs: flag.default(false),
    platforms: platforms.default([]),
    bytesPerSecond: bytes(0).default(0),
    cache: cache.prefault({}),
    proxy: proxyUrl.default(null),
    caFile: pathOrNone.default(null),
    credentials: credentials.optional(),
    allowRedirectHosts: hostGlobs.default([]),
  },
  section,
);

export const syncOptions = optionTable({
  enable: {
    type: flag,
    default: false,
    inSection: true,
    defaultSays: "`true` where the section is there, else `false`",
    served: true,
    applies: "restart",
    says: "Mirror other registries.",
  },
  mirrors: {
    type: z
      .array(registryHost, { error: `a list of registries, such as ["docker.io", "ghcr.io"]` })
      .transform((list): readonly string[] => list)
      .meta({ title: "list of registries" }),
    default: [],
    served: true,
    applies: "live",
    says:
      "Registries that are mirrored when somebody pulls, each below its own name (`docker.io/library/alpine`), for " +
      "clients that say whom they mean (`ns=`), and Docker Hub also at the root. Nothing can be pushed there.",
  },
  registries: {
    type: z
      .array(registry, { error: "a list of upstreams" })
      .transform((list): readonly z.output<typeof registry>[] => list)
      .meta({ title: "list of upstreams" }),
    default: [],
    served: true,
    applies: "live",
    says: "Upstreams, and what is mirrored of each. Its keys are explained in [Mirror other registries](../guides/mirror.md).",
  },
  credentialsFile: {
    type: pathOrNone,
    default: "",
    served: true,
    applies: "live",
    says: 'File with logins for upstreams: `{"registry.example.com": {"username": …, "password": …}}`. It is read again when it changes.',
  },
  downloadDir: {
    type: pathOrNone,
    default: "",
    served: true,
    applies: "live",
    says: "Not used: what is mirrored is written where it stays.",
  },
  minFree: {
    type: count(0, 99),
    default: 5,
    served: true,
    applies: "live",
    says:
      "Percent of the disk that mirrored content leaves free: below it, it is passed on and not kept, and below twice as " +
      "much what was pulled longest ago goes.",
  },
  queueMax: {
    type: count(1, 100_000),
    default: 256,
    served: true,
    applies: "live",
    says: "Requests that wait for one upstream, before further ones are answered 503.",
  },
  redirectsMax: {
    type: count(0, 20),
    default: 5,
    served: true,
    applies: "live",
    says: "Redirects of an upstream that are followed, one after the other.",
  },
  manifestBytesMax: {
    type: bytes(1024, 64 * 1024 * 1024),
    default: "4MiB",
    served: true,
    applies: "live",
    says: "Largest manifest that is taken from an upstream.",
  },
});

export type SyncValues = OptionValues<typeof syncOptions>;
export type RegistryValues = SyncValues["registries"][number];
export type ContentValues = RegistryValues["content"][number];
export type OAuth2Values = NonNullable<RegistryValues["oauth2CredentialHelper"]>;

/** The keys of an entry that zot does not have. */
export const ownKeys: readonly (keyof RegistryValues)[] = [
  "serveStale",
  "listTags",
  "allowPush",
  "onDenied",
  "onClientGone",
  "propagateDeletes",
  "relayUnknownBlobs",
  "platforms",
  "bytesPerSecond",
  "cache",
  "proxy",
  "caFile",
  "credentials",
  "allowRedirectHosts",
];

function isRegistryUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s@?#]+$/i.test(value)) return false;
  return isReadable(value);
}

function isRegistryHost(value: string): boolean {
  if (!/^(?:https?:\/\/)?[^\s@?#/]+\/?$/i.test(value)) return false;
  return isReadable(value);
}

function isReadable(value: string): boolean {
  try {
    return parseRegistryUrl(value).origin.host !== "";
  } catch {
    return false;
  }
}

function isProxyUrl(value: string): boolean {
  return /^https?:\/\/[^\s?#]+$/i.test(value) && URL.canParse(value);
}

function isPattern(value: string): boolean {
  try {
    parsePattern(value);
    return true;
  } catch {
    return false;
  }
}
