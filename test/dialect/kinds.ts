// One configuration of each kind that zot publishes an example of: the same keys with values of the same shape, and ours.
//
// Each row says who gets what from a server that runs with it. Left out are the kinds of which this version serves a
// part only; `refused` lists what each of their keys is answered with. What runs the rows is `zot_dialect.test.ts`.

import { certificate, nobody, user, type Caller, type Verb } from "./world.ts";

/** What rows need to know before they can be written down as a file. */
export interface Surroundings {
  /** The registry's directory. */
  readonly root: string;
  /** The directory of users (LDAP): where it listens with TLS, and the account that searches. */
  readonly ldap: { readonly port: number; readonly credentialsFile: string } | null;
}

export type Ask = readonly [who: Caller, repository: string, gets: Partial<Record<Verb, number>>];

export interface Kind {
  readonly kind: string;
  readonly http: (surroundings: Surroundings) => object;
  /** Beside storage, http and log. */
  readonly extensions?: object;
  readonly storage?: object;
  readonly log?: (root: string) => object;
  readonly needsLdap?: true;
  readonly asks: readonly Ask[];
  readonly warnings?: readonly string[];
}

const listen = { address: "127.0.0.1", port: "0" };
const ann = user("ann");
const ben = user("ben");
const eve = user("eve");
const root = user("root");
const scraper = user("scraper");
const annWrong = { ...user("ann", "guessed"), name: "ann with a wrong password" };
const builder = certificate("builder");
const stranger = certificate("stranger");
const workload = certificate("workload");
const mail = certificate("mail");

const app = "team/app";
const all = { ping: 200, push: 201, move: 201, pull: 200, remove: 202 };
const login = { ping: 401, push: 401, pull: 401 };
const readAndCreate = { ping: 200, push: 201, move: 403, pull: 200, remove: 403 };
const readOnly = { ping: 200, push: 403, pull: 404, remove: 403 };
const nothing = { ping: 200, push: 403, pull: 403, remove: 403 };

const plainTls = { cert: "server.crt", key: "server.key" };
const mutualTls = { ...plainTls, cacert: "ca.crt" };
const htpasswd = { htpasswd: { path: "users" } };
const files = (directory: string): object => ({
  level: "debug",
  output: `${directory}/zot.log`,
  audit: `${directory}/audit.log`,
});

const directory = ({ ldap }: Surroundings): object => ({
  address: "127.0.0.1",
  port: ldap?.port,
  startTLS: false,
  baseDN: "ou=users,dc=example,dc=com",
  userAttribute: "uid",
  credentialsFile: ldap?.credentialsFile,
  skipVerify: true,
  subtreeSearch: true,
});
const believed =
  "http.auth.ldap.skipVerify: any server that answers is believed to be the directory";

const onlyFor = (name: string): object => ({
  repositories: {
    "**": {
      policies: [{ users: [name], actions: ["read", "create"] }],
      defaultPolicy: ["read"],
    },
  },
});

const open: readonly Kind[] = [
  { kind: "minimal", http: () => listen, asks: [[nobody, app, all]] },
  {
    kind: "storage, timeouts and Docker's formats",
    storage: { commit: true, dedupe: false },
    http: () => ({ ...listen, readTimeout: "2m", writeTimeout: "2m", compat: ["docker2s2"] }),
    asks: [[nobody, app, all]],
  },
  {
    kind: "several stores",
    storage: {
      dedupe: true,
      gc: true,
      subPaths: {
        "/a": { rootDirectory: "several1", dedupe: true },
        "/b": { rootDirectory: "several2", dedupe: true, gc: true },
        "/c": { rootDirectory: "several3", dedupe: false },
      },
    },
    http: () => listen,
    asks: [
      [nobody, "a/app", all],
      [nobody, "b/app", all],
      [nobody, app, all],
    ],
  },
  {
    kind: "stores that are collected each for itself",
    storage: {
      gc: true,
      gcDelay: "1h",
      gcInterval: "1h",
      subPaths: {
        "/a": { rootDirectory: "collected", gc: true, gcDelay: "1h", gcInterval: "1h" },
      },
    },
    http: () => listen,
    asks: [
      [nobody, "a/app", all],
      [nobody, app, all],
    ],
  },
  {
    kind: "TLS",
    http: () => ({ ...listen, realm: "zot", tls: plainTls }),
    asks: [[nobody, app, all]],
  },
  {
    kind: "anonymous callers only",
    http: () => ({
      ...listen,
      realm: "zot",
      accessControl: {
        repositories: {
          "**": { anonymousPolicy: ["read", "create"] },
          "tmp/**": { anonymousPolicy: ["read", "create", "update"] },
          "base/**": { anonymousPolicy: ["read"] },
        },
      },
    }),
    asks: [
      [nobody, app, readAndCreate],
      [nobody, "tmp/x", { push: 201, move: 201, remove: 403 }],
      [nobody, "base/x", readOnly],
    ],
  },
];

const certificates: readonly Kind[] = [
  {
    kind: "client certificates without a word of who they are",
    http: () => ({ ...listen, tls: mutualTls }),
    asks: [
      [nobody, app, login],
      [builder, app, all],
    ],
  },
  {
    kind: "client certificates by their common name",
    http: () => ({
      ...listen,
      realm: "zot",
      tls: mutualTls,
      auth: { mtls: { identityAttributes: ["CommonName"] } },
      accessControl: onlyFor("builder"),
    }),
    asks: [
      [nobody, app, login],
      [builder, app, readAndCreate],
      [stranger, app, readOnly],
    ],
  },
  {
    kind: "client certificates by a part of their URI",
    http: () => ({
      ...listen,
      tls: mutualTls,
      auth: {
        mtls: {
          identityAttributes: ["URI", "CommonName"],
          uriSanPattern: "spiffe://example.com/job/(.*)",
          uriSanIndex: 0,
        },
      },
      accessControl: onlyFor("builder"),
    }),
    asks: [
      [nobody, app, login],
      [workload, app, readAndCreate],
      // Without a URI the next attribute counts.
      [builder, app, readAndCreate],
      [stranger, app, readOnly],
    ],
  },
  {
    kind: "client certificates by mail address, and passwords beside them",
    http: () => ({
      ...listen,
      tls: mutualTls,
      auth: { ...htpasswd, mtls: { identityAttributes: ["rfc822name", "DN"] } },
      accessControl: onlyFor("builder@example.com"),
    }),
    asks: [
      [nobody, app, login],
      [mail, app, readAndCreate],
      [stranger, app, readOnly],
      [ann, app, readOnly],
    ],
  },
];

const passwords: readonly Kind[] = [
  {
    kind: "htpasswd",
    http: () => ({ ...listen, realm: "zot", auth: { ...htpasswd, failDelay: 1 } }),
    asks: [
      [nobody, app, login],
      [ann, app, all],
      [annWrong, app, { ping: 401 }],
    ],
  },
  {
    kind: "TLS, htpasswd, LDAP and files for the logs",
    needsLdap: true,
    http: (given) => ({
      ...listen,
      realm: "zot",
      tls: plainTls,
      auth: { ldap: directory(given), ...htpasswd, failDelay: 1 },
    }),
    log: files,
    asks: [
      [nobody, app, login],
      [ann, app, all],
      [user("dave"), app, all],
      [annWrong, app, { ping: 401 }],
    ],
    warnings: [believed],
  },
  {
    kind: "LDAP, with groups",
    needsLdap: true,
    http: (given) => ({
      ...listen,
      tls: plainTls,
      auth: {
        ldap: {
          ...directory(given),
          userFilter: "(!(title=LOCKED))",
          userGroupAttribute: "memberOf",
        },
        failDelay: 1,
      },
      accessControl: {
        repositories: {
          "**": {
            policies: [
              {
                users: ["bob"],
                groups: ["cn=devs,ou=groups,dc=example,dc=com"],
                actions: ["read", "create", "update"],
              },
              { users: ["dave"], actions: ["read"] },
            ],
            defaultPolicy: [],
          },
          "tmp/**": { defaultPolicy: ["read", "create", "update"] },
        },
        adminPolicy: {
          users: ["twin"],
          groups: ["admins"],
          actions: ["read", "create", "update", "delete"],
        },
      },
    }),
    log: files,
    asks: [
      [nobody, app, login],
      [user("alice"), app, { push: 201, move: 201, pull: 200, remove: 403 }],
      [user("bob"), app, { push: 201, move: 201, remove: 403 }],
      [user("carol"), app, nothing],
      [user("dave"), app, readOnly],
      [user("carol"), "tmp/x", { push: 201, move: 201, remove: 403 }],
      [user("locked"), app, { ping: 401 }],
    ],
    warnings: [believed],
  },
];

const policies: readonly Kind[] = [
  {
    kind: "policies",
    warnings: ["x", "y"].map(
      (name, index) =>
        `http.accessControl.repositories["**"].policies[${index}].users[0]: "${name}" is not in the file of users`,
    ),
    // No address and no port: the published one has none either. The port is the test's.
    http: () => ({
      port: "0",
      auth: htpasswd,
      accessControl: {
        groups: { devs: { users: ["ann", "ben"] }, guests: { users: ["eve"] } },
        repositories: {
          "**": {
            policies: [
              { users: ["x"], groups: ["devs", "admins"], actions: ["read", "create", "update"] },
              { users: ["y"], groups: ["guests"], actions: ["read"] },
            ],
            defaultPolicy: ["read", "create"],
          },
          "tmp/**": { defaultPolicy: ["read", "create", "update"] },
          "infra/*": {
            policies: [
              {
                users: ["ben"],
                groups: ["platform"],
                actions: ["read", "create", "update", "delete"],
              },
            ],
            defaultPolicy: ["read"],
          },
          "prod/**": {
            policies: [
              {
                users: ["ann", "ben"],
                actions: ["read", "create", "update"],
                conditions: [
                  {
                    expression: 'req.time < timestamp("2099-12-31T23:59:59Z")',
                    message: "until the end of 2099",
                  },
                  {
                    expression: 'req.reference == "" || req.referenceType == "digest"',
                    message: "push by digest",
                  },
                ],
              },
            ],
          },
          // Blobs have no reference, so that images can be pushed and pulled by their tags.
          "named/**": {
            policies: [
              {
                users: ["ann"],
                actions: ["read", "create", "update"],
                conditions: [{ expression: 'req.referenceType != "digest"', message: "tags" }],
              },
            ],
          },
          // Uploads have none either, so that this one is good for nothing, as it is in zot.
          "strict/**": {
            policies: [
              {
                users: ["ann"],
                actions: ["read", "create"],
                conditions: [{ expression: 'req.referenceType == "digest"', message: "digests" }],
              },
            ],
          },
        },
        adminPolicy: {
          users: ["root"],
          groups: ["admins"],
          actions: ["read", "create", "update", "delete"],
        },
      },
    }),
    log: files,
    asks: [
      [nobody, app, login],
      [ann, app, { ping: 200, push: 201, move: 201, pull: 200, remove: 403 }],
      [eve, app, readAndCreate],
      [root, app, all],
      [eve, "tmp/x", { push: 201, move: 201, remove: 403 }],
      [ben, "infra/x", all],
      [ann, "infra/x", readOnly],
      [ann, "infra/x/y", { push: 201, move: 201, remove: 403 }],
      [ann, "prod/x", { push: 403, untagged: 201 }],
      [eve, "prod/x", { push: 403, untagged: 403, pull: 403 }],
      [ann, "named/x", { push: 201, move: 201, untagged: 403, pull: 200 }],
      [ann, "strict/x", { push: 403, untagged: 403 }],
      [root, "strict/x", all],
    ],
  },
];

const metrics = { metrics: { enable: true, prometheus: { path: "/metrics" } } };

const figures: readonly Kind[] = [
  {
    kind: "lint",
    http: () => listen,
    extensions: {
      lint: { enable: true, mandatoryAnnotations: ["annot1", "annot2", "annot3"] },
    },
    asks: [[nobody, app, { push: 400 }]],
  },
  {
    kind: "search, with a scanner that this registry has not",
    http: () => listen,
    extensions: {
      search: {
        enable: true,
        cve: {
          updateInterval: "24h",
          trivy: { dbRepository: "registry.example.com/db", sbom: { enable: true } },
        },
      },
    },
    asks: [[nobody, app, all]],
    warnings: [
      "extensions.search.cve: has no effect: nothing scans here; clients are told that the search for vulnerabilities is disabled",
    ],
  },
  {
    kind: "metrics",
    http: () => listen,
    extensions: metrics,
    asks: [[nobody, app, { push: 201, metrics: 200 }]],
  },
  {
    kind: "metrics for a named user",
    http: () => ({
      ...listen,
      auth: htpasswd,
      accessControl: {
        metrics: { users: ["scraper"] },
        repositories: {
          "**": { anonymousPolicy: ["read"], defaultPolicy: ["read", "create"] },
        },
      },
    }),
    extensions: metrics,
    asks: [
      [nobody, app, { ping: 200, push: 401, pull: 404, metrics: 401 }],
      [ann, app, { ...readAndCreate, metrics: 403 }],
      [scraper, app, { metrics: 200 }],
    ],
  },
  {
    kind: "metrics for everybody, and nothing else for anybody",
    http: () => ({
      ...listen,
      auth: htpasswd,
      accessControl: { metrics: { anonymousPolicy: ["read"] } },
    }),
    extensions: metrics,
    asks: [
      [nobody, app, { ...login, metrics: 200 }],
      [ann, app, { ...nothing, metrics: 200 }],
    ],
  },
];

export const kinds: readonly Kind[] = [
  ...open,
  ...certificates,
  ...passwords,
  ...policies,
  ...figures,
];
