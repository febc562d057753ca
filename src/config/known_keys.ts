// Keys of zot's configuration dialect that this version knows by name and does not serve.
//
// A published zot file therefore either starts the server or stops it with a line that names the
// key; it is never called unknown. What zot itself warns of and passes over is a warning here, too. A row goes out of force by itself as soon as an `options.ts`
// serves its path, so that serving a key is one row there. `holds` lists what a block may contain
// (`a b{c d}` is a, b.c and b.d; `*` is any name; lists are passed through), which finds mistyped
// keys even in blocks that are off.

/** One key, or a block of keys, that is known and not served. */
export interface KnownKey {
  readonly path: string;
  /** What it would turn on, as the subject of "… is not served by this version yet". */
  readonly feature: string;
  /** The value with which the key asks for nothing, and is accepted. */
  readonly off?: boolean | number | string;
  /** true for a block that its own `enable` key turns off. */
  readonly switched?: true;
  /** The key is taken with this warning: it would change nothing, and zot warns and goes on, too. */
  readonly warns?: string;
  /** The keys inside a block; "any" where the names belong to a driver. */
  readonly holds?: string;
}

const storage: readonly KnownKey[] = [
  {
    path: "storage.remoteCache",
    feature: "a remote cache",
    off: false,
    warns:
      "has no effect: what a cache would tell of the store stands in the metadata (storage.rootDirectory, or storage.metadata.url)",
  },
  {
    path: "storage.cacheDriver",
    feature: "a remote cache driver",
    holds: "any",
    warns:
      "has no effect: what a cache would tell of the store stands in the metadata (storage.rootDirectory, or storage.metadata.url)",
  },
];

const http: readonly KnownKey[] = [];

const auth: readonly KnownKey[] = [
  {
    path: "http.auth.openid",
    feature: "authentication by OpenID",
    holds: `callbackAllowOrigins providers{*{authurl claimMapping{groups username} clientid
      clientsecret credentialsFile issuer keypath name scopes tokenurl}}`,
  },
  {
    path: "http.auth.bearer.awsSecretsManager",
    feature: "a key of tokens from AWS Secrets Manager",
    holds: "refreshInterval region secretName",
  },
  {
    path: "http.auth.bearer.upstreamTokenEndpoint",
    feature: "an upstream of the token service",
    holds: "allowInsecureHttp realm service",
  },
  { path: "http.auth.sessionKeysFile", feature: "login by session", off: "" },
  { path: "http.auth.sessionDriver", feature: "a driver for login sessions", holds: "any" },
  { path: "http.auth.secureSession", feature: "login by session" },
];

const extensions: readonly KnownKey[] = [
  {
    path: "extensions.search.cve",
    feature: "scanning for vulnerabilities",
    holds: `enable updateInterval trivy{dbRepository javaDBRepository sbom{enable format}
      vulnSeveritySources}`,
    warns:
      "has no effect: nothing scans here; clients are told that the search for vulnerabilities is disabled",
  },
  {
    path: "extensions.trust",
    feature: "verification of signatures",
    switched: true,
    holds: "cosign notation",
  },
  {
    path: "extensions.events",
    feature: "sending of events",
    switched: true,
    holds: `sinks{address channel credentials{file password token username} headers{*} proxy timeout
      tlsconfig{cacertfile certfile keyfile} type}`,
  },
  {
    path: "extensions.mgmt",
    feature: "the management interface",
    switched: true,
    warns:
      "has no effect, and none in zot: what it turned on belongs to search and the web interface",
  },
  {
    path: "extensions.apikey",
    feature: "authentication by API key",
    switched: true,
    warns: "has no effect, and none in zot; http.auth.apikey turns API keys on",
  },
];

const others: readonly KnownKey[] = [
  {
    path: "scheduler.numWorkers",
    feature: "a choice of background workers",
    warns:
      "has no effect: background work takes turns of a few milliseconds, and what computes for long has one process",
  },
  {
    path: "cluster",
    feature: "clustering",
    holds: "hashKey members tls{cacert cert key}",
    warns:
      "has no effect: no server hands requests on, and none needs a list of the others; with storage.metadata.url any number serves one registry",
  },
];

/** The table. */
export const knownKeys: readonly KnownKey[] = [
  ...storage,
  ...http,
  ...auth,
  ...extensions,
  ...others,
];
