// zot's published dialect, key by key: each is served or refused by name, never called unknown.
//
// The list is data of its own, written from zot's documentation of its configuration and not from
// our tables, so that a key we forget fails here. `[]` is a list, `*` any name.

import { describe, expect, test } from "bun:test";
import { checkConfig } from "./load.ts";
import { knownKeys } from "./known_keys.ts";
import { isJsonObject } from "../lib/strict_json.ts";

const top = `distSpecVersion goVersion commit releaseTag binaryType scheduler.numWorkers
  cluster.members[] cluster.hashKey cluster.tls.cert cluster.tls.key cluster.tls.cacert
  log.level log.output log.audit`;

const retention = ["dryRun", "delay"].concat(
  ["repositories[]", "deleteReferrers", "deleteUntagged"].map((key) => `policies[].${key}`),
  ["patterns[]", "pulledWithin", "pushedWithin", "mostRecentlyPushedCount"].map(
    (key) => `policies[].keepTags[].${key}`,
  ),
  ["pulledWithin", "pushedWithin", "mostRecentlyPushedCount", "mostRecentlyPulledCount"].map(
    (key) => `policies[].keepUntagged.${key}`,
  ),
);

const drivers = `storageDriver.name storageDriver.rootdirectory storageDriver.region
  storageDriver.regionendpoint storageDriver.bucket storageDriver.forcepathstyle
  storageDriver.secure storageDriver.skipverify storageDriver.accesskey storageDriver.secretkey
  cacheDriver.name cacheDriver.endpoint cacheDriver.region cacheDriver.cacheTablename
  cacheDriver.repoMetaTablename cacheDriver.imageMetaTablename cacheDriver.repoBlobsInfoTablename
  cacheDriver.userDataTablename cacheDriver.apiKeyTablename cacheDriver.versionTablename
  cacheDriver.url cacheDriver.addr[] cacheDriver.client_name cacheDriver.pool_size
  cacheDriver.keyprefix`;

const store = `rootDirectory dedupe remoteCache redirectBlobURL gc gcDelay gcInterval gcTimeWindow
  commit maxRepos fastRestart ${retention.map((key) => `retention.${key}`).join(" ")} ${drivers}`;

const http = `address port externalUrl allowOrigin readTimeout writeTimeout realm tls.cert tls.key
  tls.cacert ratelimit.rate ratelimit.methods[].method ratelimit.methods[].rate compat[]`;

const ldap = `credentialsFile address port insecure startTLS skipVerify subtreeSearch baseDN
  userAttribute userGroupAttribute userFilter caCert`;

const provider = `name credentialsFile clientid clientsecret keypath issuer authurl tokenurl
  scopes[] claimMapping.username claimMapping.groups`;

const workload = `issuer audiences[] claimMapping.variables[].name
  claimMapping.variables[].expression claimMapping.validations[].expression
  claimMapping.validations[].message claimMapping.username claimMapping.groups
  certificateAuthority certificateAuthorityFile skipIssuerVerification`;

const auth = `failDelay htpasswd.path apikey openid.callbackAllowOrigins[] sessionKeysFile
  ${below("ldap", ldap)} ${below("openid.providers.google", provider)}
  ${below("openid.providers.oidc", provider)} bearer.realm bearer.service bearer.cert
  bearer.awsSecretsManager.region bearer.awsSecretsManager.secretName
  bearer.awsSecretsManager.refreshInterval ${below("bearer.oidc[]", workload)}
  bearer.upstreamTokenEndpoint.realm bearer.upstreamTokenEndpoint.service
  bearer.upstreamTokenEndpoint.allowInsecureHttp sessionDriver.name sessionDriver.url
  sessionDriver.keyprefix secureSession mtls.identityAttributes[] mtls.uriSanPattern
  mtls.uriSanIndex mtls.dnsSanIndex mtls.emailSanIndex`;

const policy = "users[] groups[] actions[] conditions[].expression conditions[].message";

const accessControl = `${below("repositories.*.policies[]", policy)}
  repositories.*.defaultPolicy[] repositories.*.anonymousPolicy[] ${below("adminPolicy", policy)}
  groups.*.users[] metrics.users[] metrics.anonymousPolicy[]`;

const upstream = `urls[] pollInterval content[].prefix content[].destination content[].stripPrefix
  content[].tags.regex content[].tags.excludeRegex content[].tags.semver tlsVerify onDemand
  manifestCheckInterval certDir maxRetries retryDelay maxRetryDelay onlySigned
  syncLegacyCosignTags credentialHelper preserveDigest syncTimeout responseHeaderTimeout
  reqConcurrent reqPerSec disableHTTP2 maxIdleConnsPerHost
  ${below(
    "oauth2CredentialHelper",
    `tokenURL assertionFile signingFile grantType clientID clientSecretFile scopes[] username
     audience subjectTokenType requestedTokenType`,
  )}`;

const extensions = `search.enable search.cve.updateInterval search.cve.trivy.dbRepository
  search.cve.trivy.javaDBRepository search.cve.trivy.vulnSeveritySources[]
  search.cve.trivy.sbom.enable search.cve.trivy.sbom.format sync.enable sync.credentialsFile
  sync.downloadDir ${below("sync.registries[]", upstream)} metrics.enable metrics.prometheus.path
  scrub.enable scrub.interval lint.enable lint.mandatoryAnnotations[] ui.enable trust.enable
  trust.cosign trust.notation events.enable mgmt.enable apikey.enable
  ${below(
    "events.sinks[]",
    `type address channel timeout proxy headers.* credentials.username credentials.password
     credentials.file credentials.token tlsconfig.cacertfile tlsconfig.certfile tlsconfig.keyfile`,
  )}`;

const published = [
  ...words(top),
  ...words(below("storage", store)),
  ...words(below("storage.subPaths./a", store)),
  ...words(below("http", http)),
  ...words(below("http.auth", auth)),
  ...words(below("http.accessControl", accessControl)),
  ...words(below("extensions", extensions)),
];

/** Values of keys that are served, where "x" would be of the wrong type. */
const served: Record<string, unknown> = {
  "log.level": "debug",
  "storage.dedupe": false,
  "storage.redirectBlobURL": true,
  "storage.storageDriver.name": "s3",
  "storage.storageDriver.rootdirectory": "/zot",
  "storage.storageDriver.bucket": "images",
  ...Object.fromEntries(
    ["forcepathstyle", "secure", "skipverify"].map((key) => [`storage.storageDriver.${key}`, true]),
  ),
  "storage.commit": false,
  "storage.gc": true,
  "storage.maxRepos": 5,
  "extensions.lint.enable": true,
  "storage.gcTimeWindow": "22:00-06:00",
  "storage.fastRestart": true,
  "storage.gcDelay": "2h",
  "storage.gcInterval": "2h",
  "storage.retention.dryRun": true,
  "storage.retention.delay": "2h",
  "storage.retention.policies[].deleteReferrers": true,
  "storage.retention.policies[].deleteUntagged": false,
  ...Object.fromEntries(
    ["keepTags[]", "keepUntagged"].flatMap((entry) =>
      [
        ["pulledWithin", "2h"],
        ["pushedWithin", "2h"],
        ["mostRecentlyPushedCount", 2],
        ["mostRecentlyPulledCount", 2],
      ].map(([key, value]) => [`storage.retention.policies[].${entry}.${key}`, value]),
    ),
  ),
  "http.port": "5000",
  "http.allowOrigin": "https://ui.example.com",
  "http.auth.bearer.realm": "https://auth.example.com/token",
  "http.auth.ldap.baseDN": "dc=example,dc=com",
  "http.externalUrl": "https://registry.example.com",
  "http.readTimeout": "2m",
  "http.writeTimeout": "2m",
  "http.ratelimit.rate": 10,
  "http.ratelimit.methods[].method": "GET",
  "http.ratelimit.methods[].rate": 5,
  "http.compat[]": "docker2s2",
  "extensions.metrics.enable": true,
  "extensions.metrics.prometheus.path": "/figures",
  "extensions.scrub.enable": true,
  "extensions.search.enable": true,
  "extensions.scrub.interval": "24h",
  "extensions.sync.enable": true,
  "extensions.ui.enable": true,
  ...Object.fromEntries(
    Object.entries({
      "urls[]": "https://registry.example.com",
      pollInterval: "6h",
      "content[].prefix": "team/**",
      "content[].destination": "/mirror",
      "content[].stripPrefix": true,
      "content[].tags.regex": "^v",
      "content[].tags.excludeRegex": "rc",
      "content[].tags.semver": true,
      tlsVerify: false,
      onDemand: true,
      manifestCheckInterval: "5m",
      maxRetries: 3,
      retryDelay: "1m",
      maxRetryDelay: "10m",
      onlySigned: true,
      syncLegacyCosignTags: false,
      preserveDigest: true,
      syncTimeout: "1h",
      responseHeaderTimeout: "10s",
      reqConcurrent: 5,
      reqPerSec: 2.5,
      disableHTTP2: true,
      maxIdleConnsPerHost: 5,
      "oauth2CredentialHelper.tokenURL": "https://auth.example.com/token",
      "oauth2CredentialHelper.grantType": "client_credentials",
      "oauth2CredentialHelper.subjectTokenType": "urn:example:token",
      "oauth2CredentialHelper.requestedTokenType": "urn:example:token",
    }).map(([key, value]) => [`extensions.sync.registries[].${key}`, value]),
  ),
  "http.auth.failDelay": 5,
  "http.auth.apikey": true,
  "http.auth.ldap.port": 636,
  "http.auth.ldap.insecure": true,
  "http.auth.ldap.startTLS": true,
  "http.auth.ldap.skipVerify": true,
  "http.auth.ldap.subtreeSearch": true,
  "http.auth.mtls.identityAttributes[]": "CN",
  "http.auth.mtls.uriSanIndex": 1,
  "http.auth.mtls.dnsSanIndex": 1,
  "http.auth.mtls.emailSanIndex": 1,
  "http.auth.bearer.oidc[].issuer": "https://issuer.example.com",
  "http.auth.bearer.oidc[].claimMapping.variables[].expression": "claims.sub",
  "http.auth.bearer.oidc[].claimMapping.validations[].expression": "claims.verified",
  "http.auth.bearer.oidc[].claimMapping.username": "claims.sub",
  "http.auth.bearer.oidc[].claimMapping.groups": "claims.groups",
  "http.auth.bearer.oidc[].skipIssuerVerification": true,
};

/** An entry of subPaths takes what `storage` takes. */
for (const [path, value] of Object.entries(served)) {
  if (path.startsWith("storage.")) {
    served[path.replace("storage.", "storage.subPaths./a.")] = value;
  }
}

served["storage.subPaths./a.remoteCache"] = true;

const issuer = { issuer: "https://issuer.example.com", audiences: ["zot"] };

function oauth2(oauth2CredentialHelper: object): object {
  return { extensions: { sync: { registries: [{ oauth2CredentialHelper }] } } };
}

/** What keys below a path need beside them; lists are merged item by item. */
const companions: Record<string, object> = {
  "extensions.sync.registries[].": {
    extensions: {
      sync: {
        registries: [
          {
            urls: ["https://registry.example.com"],
            onDemand: true,
            retryDelay: "1m",
            content: [{ prefix: "team/**", destination: "/mirror" }],
          },
        ],
      },
    },
  },
  ...Object.fromEntries(
    ["audience", "subjectTokenType", "requestedTokenType"].map((key) => [
      `extensions.sync.registries[].oauth2CredentialHelper.${key}`,
      oauth2({ grantType: "urn:ietf:params:oauth:grant-type:token-exchange", audience: "x" }),
    ]),
  ),
  "extensions.sync.registries[].oauth2CredentialHelper.signingFile": oauth2({ assertionFile: "" }),
  "extensions.sync.registries[].oauth2CredentialHelper.": {
    extensions: {
      sync: {
        registries: [
          {
            credentialHelper: "oauth2",
            oauth2CredentialHelper: {
              tokenURL: "https://auth.example.com/token",
              assertionFile: "/run/assertion",
            },
          },
        ],
      },
    },
  },
  "storage.subPaths./a.": { storage: { subPaths: { "/a": { rootDirectory: "/data/a" } } } },
  "http.ratelimit.methods[].": { http: { ratelimit: { methods: [{ method: "GET", rate: 5 }] } } },
  "http.tls.": { http: { tls: { cert: "x", key: "x" } } },
  "http.auth.mtls.": { http: { tls: { cert: "x", key: "x", cacert: "x" } } },
  "http.auth.ldap.": {
    http: {
      auth: {
        ldap: { address: "ldap.example.com", baseDN: "dc=example", userAttribute: "uid" },
      },
    },
  },
  "http.auth.ldap.startTLS": { http: { auth: { ldap: { insecure: true } } } },
  "http.auth.bearer.realm": { http: { auth: { bearer: { cert: "x", service: "x" } } } },
  "http.auth.bearer.cert": {
    http: { auth: { bearer: { realm: "https://auth.example.com/token", service: "x" } } },
  },
  "http.auth.bearer.oidc[].": { http: { auth: { bearer: { oidc: [issuer] } } } },
  "http.auth.bearer.oidc[].claimMapping.variables[].": {
    http: {
      auth: {
        bearer: {
          oidc: [{ claimMapping: { variables: [{ name: "x", expression: "claims.sub" }] } }],
        },
      },
    },
  },
  "http.auth.bearer.oidc[].claimMapping.validations[].message": {
    http: {
      auth: { bearer: { oidc: [{ claimMapping: { validations: [{ expression: "true" }] } }] } },
    },
  },
  "storage.storageDriver.": {
    storage: {
      storageDriver: { name: "s3", bucket: "images", region: "x", accesskey: "x", secretkey: "x" },
    },
  },
  "storage.subPaths./a.storageDriver.": {
    storage: {
      subPaths: {
        "/a": {
          rootDirectory: "/srv/a",
          storageDriver: {
            name: "s3",
            bucket: "images",
            region: "x",
            accesskey: "x",
            secretkey: "x",
          },
        },
      },
    },
  },
  "http.accessControl.": {
    http: {
      auth: { htpasswd: { path: "x" } },
      accessControl: { repositories: { "**": { defaultPolicy: ["read"] } } },
    },
  },
};

/** The value of a published key, in a file that is otherwise complete. */
function fileWith(path: string): Record<string, unknown> {
  const word = /(actions|Policy)\[\]$/.test(path) ? "read" : "x";
  const given = path in served ? served[path] : word;
  const conditions = path.includes("conditions[].message")
    ? nested(path.replace("message", "expression").split("."), "true")
    : {};
  const truth = path.endsWith("conditions[].expression") ? "true" : given;
  return Object.entries(companions)
    .filter(([prefix]) => path.startsWith(prefix))
    .reduce((file, [, companion]) => merged({ ...companion }, file), {
      ...merged(conditions, nested(path.split("."), truth)),
    });
}

const notYet = /^.+ is not served by this version yet; remove the key/;
/** What an entry of subPaths has not got. */
const notInEntries = /^expected (it as storage\.\w+, which is about all )/;

describe("zot's dialect", () => {
  test.each(published)("%s is served or refused by name", (path) => {
    const result = checkConfig(fileWith(path), {});
    const problems = "problems" in result ? result.problems : [];
    expect(problems.length).toBeLessThanOrEqual(1);
    for (const problem of problems) {
      const [named = "", says = ""] = problem.split(/: (.*)/);
      expect(shown(path).startsWith(named)).toBe(true);
      expect(says).toMatch(path.startsWith("storage.subPaths.") ? notInEntries : notYet);
    }
  });

  test("the same in lower case, as zot reads keys", () => {
    for (const path of published) {
      const value = path in served ? served[path] : "x";
      const result = checkConfig(nested(path.toLowerCase().split("."), value), {});
      const unknown = "problems" in result ? result.problems.join("\n") : "";
      expect(unknown).not.toContain("expected a key of");
    }
  });

  test.each(knownKeys.map((row) => row.path))("%s is a key of zot's", (path) => {
    expect(published.some((key) => key === path || key.startsWith(`${path}.`))).toBe(true);
  });

  test.each(knownKeys.filter((row) => row.off !== undefined).map((row) => [row.path, row.off]))(
    "%s is taken as %p, which asks for nothing",
    (path, off) => {
      expect(checkConfig(nested(path.split("."), off), {})).toHaveProperty("config");
    },
  );

  const refusedUnlessOff = knownKeys.filter((row) => row.switched && row.warns === undefined);

  test.each(refusedUnlessOff.map((row) => row.path))(
    "%s is taken when it is switched off, whatever else it holds",
    (path) => {
      const inner = published.filter(
        (key) => key.startsWith(`${path}.`) && key !== `${path}.enable`,
      );
      for (const key of inner) {
        const value = nested(key.split("."), "x");
        expect(
          checkConfig(merged(value, nested(`${path}.enable`.split("."), false)), {}),
        ).toHaveProperty("config");
      }
      const problem = [expect.stringContaining("remove the key or set its enable to false")];
      expect(checkConfig(nested(path.split("."), {}), {})).toEqual({ problems: problem });
    },
  );
});

test.each(knownKeys.flatMap(({ path, warns }) => (warns === undefined ? [] : [[path, warns]])))(
  "%s is taken with the warning that it %s",
  (path, warns) => {
    const enabled = path === "cluster" ? { hashKey: "x", members: ["y"] } : { enable: true };
    for (const asked of [enabled, {}, "01:00-08:00"]) {
      const checked = checkConfig(nested(path.split("."), asked), {});
      expect(checked).toMatchObject({ warnings: expect.arrayContaining([`${path}: ${warns}`]) });
    }
  },
);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

function below(prefix: string, text: string): string {
  return words(text)
    .map((key) => `${prefix}.${key}`)
    .join(" ");
}

/** `a.b[].*` with "x" is { a: { b: [{ any: "x" }] } }. */
function nested(path: readonly string[], value: unknown): Record<string, unknown> {
  const [first = "", ...rest] = path;
  const key = first === "*" ? "any/**" : first.replace("[]", "");
  const inner = rest.length === 0 ? value : nested(rest, value);
  return { [key]: first.endsWith("[]") ? [inner] : inner };
}

function shown(path: string): string {
  return path.replaceAll("[]", "[0]").replaceAll(".*", '["any/**"]').replace("./a.", '["/a"].');
}

function merged(a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> {
  const result = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const mine = result[key];
    if (isJsonObject(mine) && isJsonObject(value)) result[key] = merged(mine, value);
    else if (hasObject(mine) && hasObject(value)) result[key] = [merged(mine[0], value[0])];
    else result[key] = value;
  }
  return result;
}

function hasObject(value: unknown): value is [Record<string, unknown>] {
  return Array.isArray(value) && value.length === 1 && isJsonObject(value[0]);
}
