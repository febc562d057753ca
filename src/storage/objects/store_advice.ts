/**
 * What an error of a store of objects means to a person: what was expected, and what to do. One table for all drivers, by
 * the word that came: an error code of the store, its status, or the code of a connection that failed.
 */
import type { DriverValues } from "../driver_options.ts";

export type StoreName = DriverValues["name"];

/** What the keys of `storageDriver` are called, for each driver. */
const keys: Readonly<Record<StoreName, Readonly<Record<"endpoint" | "place" | "login", string>>>> =
  {
    s3: { endpoint: "regionendpoint", place: "bucket", login: "accesskey and secretkey" },
    gcs: { endpoint: "endpoint", place: "bucket", login: "credentialsFile" },
    azure: { endpoint: "serviceurl", place: "container", login: "accountkey or credentials" },
  };

interface Advice {
  readonly words: readonly string[];
  /** `{endpoint}`, `{place}` and `{login}` stand for keys, `{permission}` for what the request needs. */
  readonly expected: string;
  readonly todo: string;
}

const connections: readonly Advice[] = [
  {
    words: ["ECONNREFUSED", "ConnectionRefused"],
    expected: "a store that listens there",
    todo: "start it, or change {endpoint}",
  },
  {
    words: ["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "DNSException"],
    expected: "a host that has an address",
    todo: "change {endpoint}, or look at the DNS of this machine",
  },
  {
    words: ["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "ConnectionTimeout"],
    expected: "a way to the store",
    todo: "look at networks and firewalls, or change {endpoint}",
  },
  {
    words: ["EPROTO"],
    expected: "a store that speaks TLS there",
    todo: "set secure to false where it speaks plain HTTP, or change {endpoint}",
  },
  {
    words: ["ECONNRESET", "ConnectionClosed", "EPIPE"],
    expected: "an answer, and the connection ended",
    todo: "look at the log of the store, and set secure to true where it speaks TLS alone",
  },
  {
    words: ["no answer in time"],
    expected: "an answer",
    todo: "look at the store, and at the way to it",
  },
];

const certificates: readonly Advice[] = [
  {
    words: ["ERR_TLS_CERT_ALTNAME_INVALID"],
    expected: "a certificate for the host that is asked",
    todo: "change {endpoint} to a name that its certificate has",
  },
  {
    words: ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"],
    expected: "a certificate that is valid now",
    todo: "renew that of the store, or set the clock of this machine",
  },
];

const answers: readonly Advice[] = [
  {
    words: ["NoSuchBucket", "ContainerNotFound", "no such bucket"],
    expected: "a {place} that is there",
    todo: "create it, or change {place}",
  },
  {
    words: ["InvalidBucketName", "InvalidResourceName", "invalidBucketName"],
    expected: "a name that the store takes",
    todo: "change {place}",
  },
  {
    words: ["InvalidAccessKeyId"],
    expected: "an access key that the store knows",
    todo: "change accesskey and secretkey",
  },
  {
    words: ["SignatureDoesNotMatch"],
    expected: "the secret key of this access key",
    todo: "change secretkey",
  },
  {
    words: ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"],
    expected: "a session token that still holds",
    todo: "change sessiontoken with its keys, or remove all three where the machine has keys of its own",
  },
  {
    words: ["RequestTimeTooSkewed"],
    expected: "the time of the store",
    todo: "set the clock of this machine",
  },
  {
    words: ["AuthenticationFailed"],
    expected: "the key of the account, and the time of the store",
    todo: "change accountkey, or set the clock of this machine",
  },
  {
    words: ["AccountIsDisabled", "AllAccessDisabled", "AccountProblem", "accountDisabled"],
    expected: "an account that is open",
    todo: "open it again with whoever runs the store",
  },
  {
    words: [
      "PermanentRedirect",
      "TemporaryRedirect",
      "Redirect",
      "AuthorizationHeaderMalformed",
      "IllegalLocationConstraintException",
      "301",
      "307",
    ],
    expected: "the region of the bucket",
    todo: "change region, and regionendpoint where it names a region",
  },
  {
    words: [
      "507",
      "InsufficientStorage",
      "XMinioStorageFull",
      "QuotaExceeded",
      "quotaExceeded",
      "AccountLimitExceeded",
    ],
    expected: "room in the store",
    todo: "make room, or raise its quota",
  },
  {
    words: ["InvalidRange", "416"],
    expected: "an object of as many bytes as were written",
    todo: "run zot scrub, which finds what was changed there",
  },
  {
    words: ["405", "501", "MethodNotAllowed", "NotImplemented"],
    expected: "a store that serves this request",
    todo: "change {endpoint}",
  },
  {
    words: ["401", "authError", "InvalidAuthenticationInfo", "NoAuthenticationInformation"],
    expected: "a login that the store takes",
    todo: "change {login}",
  },
  {
    words: ["403", "AccessDenied", "forbidden"],
    expected: "a login that has {permission}",
    todo: "allow it, or change {login}",
  },
  {
    words: ["404"],
    expected: "an answer of the store, not of a server before it",
    todo: "change {endpoint}",
  },
];

const table = new Map(
  [...connections, ...certificates, ...answers].flatMap((row) =>
    row.words.map((word): [string, Advice] => [word, row]),
  ),
);

/** An error by its words, the most telling one first: `expected …; do …`, or null where none is known. */
export function adviceOn(
  words: readonly string[],
  { store, permission }: { readonly store: StoreName; readonly permission: string },
): string | null {
  const row = words.map((word) => table.get(word)).find((each) => each !== undefined);
  if (row === undefined) return null;
  const named: Readonly<Record<string, string>> = { ...keys[store], permission };
  return `expected ${row.expected}; ${row.todo}`.replace(
    /\{(\w+)\}/g,
    (whole, name: string) => named[name] ?? whole,
  );
}
