// Values that people write by mistake, for every option: five each, all of which must be refused.
//
// Values are written as in a YAML file. What stands in `beside` is needed for the option to be looked at at all.

interface WrongValues {
  readonly wrong: readonly [string, string, string, string, string, ...string[]];
  /** Other options of the file, as paths and YAML values. */
  readonly beside?: Readonly<Record<string, string>>;
}

const flags = { wrong: ["yes", "1", '"true"', "[]", "on"] } as const;
const texts = { wrong: ["1.1", "true", "[a]", "{a: b}", "5"] } as const;
const paths = { wrong: ["true", "5", "[/a]", "{a: b}", '" "'] } as const;
const durations = { wrong: ["30", "30 seconds", "-1s", "1d", "[30s]"] } as const;
const positive = { wrong: ["0s", "30", "-1s", "1 h", "forever"] } as const;
const counts = { wrong: ["-1", "1.5", '"5"', "1e20", "many"] } as const;
const actionLists = { wrong: ["read", "[write]", "[READ]", "{read: true}", "[[read]]"] } as const;
const tls = { "http.tls.cert": "/c", "http.tls.key": "/k", "http.tls.cacert": "/a" };
const objectStore = { "storage.storageDriver": "{name: s3, region: x, bucket: images}" };
const ldap = {
  "http.auth.ldap.address": "ldap.example.com",
  "http.auth.ldap.baseDN": "dc=example",
  "http.auth.ldap.userAttribute": "uid",
};

export const wrongValues: Readonly<Record<string, WrongValues>> = {
  distSpecVersion: texts,
  goVersion: texts,
  commit: texts,
  releaseTag: texts,
  binaryType: texts,

  "storage.rootDirectory": { wrong: [...paths.wrong, '"/data\\0"'] },
  "storage.dedupe": flags,
  "storage.commit": flags,
  "storage.shared": flags,
  "storage.storageDriver": {
    wrong: [
      "s3",
      "true",
      "[s3]",
      "{name: redis, bucket: images, region: x}",
      "{name: s3, region: x}",
      "{name: s3, bucket: images}",
      "{name: s3, bucket: images, region: x, accesskey: AKIA}",
      "{name: s3, bucket: images, region: x, secretkey: x}",
    ],
  },
  "storage.redirectBlobURL": flags,
  "storage.redirectExcept": { wrong: ["regctl/", "[5]", '[""]', '["é"]', "{regctl: true}"] },
  "storage.removalDelay": { wrong: ["30", "59m", "-1h", "0s", "1 d"] },
  "storage.auditInterval": { wrong: ["30", "-1h", "1 d", "week", "7"] },
  "storage.exportInterval": { wrong: ["30", "-1h", "1 d", "night", "7"] },
  "storage.exportsKept": { wrong: ["0", "-1", "1.5", "1001", "many"] },
  "storage.uploadIdle": positive,
  "storage.metadata.url": {
    wrong: [
      "/var/lib/zot",
      "mysql://zot@localhost/zot",
      "postgres://localhost/zot",
      "postgres://zot@localhost",
      "postgres://zot@db.example.com/zot",
      "postgres://zot@db.example.com/zot?sslmode=require",
      "postgres://zot@one,other/zot?sslmode=verify-full",
      "postgres://zot@localhost/zot?sslrootcert=/ca.pem",
      "postgres://zot@localhost/zot?host=/run/postgresql&sslmode=verify-full",
      "postgres://zot@localhost:99999/zot",
      "5",
    ],
    beside: objectStore,
  },
  "storage.metadata.passwordFile": paths,
  "storage.metadata.ca": paths,
  "storage.metadata.schema": { wrong: ["pg_own", "A", '"a b"', "[a]", "5", '"a;b"'] },
  "storage.metadata.connections": { wrong: ["1", "65", "2.5", '"8"', "many"] },
  "storage.sparseIndexes": {
    wrong: ["mirror/**", "[5]", '["[a-"]', '[""]', "{mirror: true}", "true"],
  },
  "storage.gc": flags,
  "storage.gcDelay": durations,
  "storage.gcInterval": durations,
  "storage.gcTimeWindow": {
    wrong: ['"22:00"', '"22:00-22:00"', '"24:00-06:00"', '"22-06"', "5", "true"],
  },
  "storage.fastRestart": flags,
  "storage.undo.window": durations,
  "storage.undo.pin": durations,
  "storage.undo.maxBytes": { wrong: ["-1", "5%", "1.5", "10 GB", "true", "[1]"] },
  "storage.history.keep": { wrong: ["0s", "719h", "-1h", "1", "true", '"a year"'] },
  "storage.minFree": { wrong: ["-1", "100%", '"%"', "5 percent", "-5%", "0.5", "true", "[5%]"] },
  "storage.maxRepos": { wrong: ["-1", "1.5", "many", "true", "[1]"] },
  "storage.quotas": {
    wrong: [
      "{prefix: team/, bytes: 1GiB}",
      "[{bytes: 1GiB}]",
      "[{prefix: team/}]",
      "[{prefix: team/, repositories: ['**'], bytes: 1GiB}]",
      "[{prefix: Team/, bytes: 1GiB}]",
      "[{prefix: 'team//', bytes: 1GiB}]",
      "[{prefix: '../x', bytes: 1GiB}]",
      "[{prefix: 'tëam/', bytes: 1GiB}]",
      "[{prefix: at.7d/Team, bytes: 1GiB}]",
      "[{repositories: ['['], bytes: 1GiB}]",
      "[{repositories: [], bytes: 1GiB}]",
      "[{prefix: team/, bytes: -1}]",
      "[{prefix: team/, bytes: 99999999999TiB}]",
      "[{prefix: team/, tags: 1.5}]",
      "[{prefix: team/, tags: 1e300}]",
      "[{prefix: team/, bytes: 1GiB, warnAt: 0}]",
      "[{prefix: team/, bytes: 1GiB, warnAt: 90}]",
      "[{prefix: team/, bytes: 1GiB, count: all}]",
      "[{prefix: team/, bytes: 1GiB, tag: 1}]",
      "[{prefix: team/, bytes: 1GiB}, {prefix: team/, tags: 5}]",
    ],
  },
  "storage.retention.dryRun": flags,
  "storage.retention.delay": { wrong: ["5", "-1h", "7d", "[1h]", "forever"] },
  "storage.retention.policies": {
    wrong: [
      "{repositories: ['**']}",
      "[{repositories: '**'}]",
      "[{repositories: ['[']}]",
      "[{repositories: ['']}]",
      "[{repo: ['**']}]",
      "[{deleteUntagged: 'maybe'}]",
      "[{keepTags: {patterns: ['v']}}]",
      "[{keepTags: [{patterns: ['(']}]}]",
      "[{keepTags: [{patterns: ['(?=v)']}]}]",
      "[{keepTags: [{pattern: ['v']}]}]",
      "[{keepTags: [{pushedWithin: 7d}]}]",
      "[{keepTags: [{mostRecentlyPushedCount: -1}]}]",
      "[{keepTags: [{groupBy: 'env'}]}]",
      "[{keepTags: [{groupBy: '(?:env)'}]}]",
      "[{keepTags: [{semver: {keepMinor: 0}}]}]",
      "[{keepTags: [{expiresAfter: 0s}]}]",
      "[{keepUntagged: {patterns: ['v']}}]",
      "[{protect: [{digests: ['sha256:1']}]}]",
      "[{maxDeletePercent: 101}]",
      "[{immutableTags: ['[']}]",
      "[{pulledBy: {ignore: trivy}}]",
    ],
  },
  "storage.subPaths": {
    wrong: [
      "[/team]",
      "{/team: /data/team}",
      "{/team: {dedupe: true}}",
      "{/team: {rootDirectory: ''}}",
      "{team: {rootDirectory: /data/team}}",
      "{/team/app: {rootDirectory: /data/team}}",
      "{/: {rootDirectory: /data/team}}",
      "{/Team: {rootDirectory: /data/team}}",
      "{/team: {rootDirectory: /data/team, root: /data}}",
      "{/team: {rootDirectory: /data/team, storageDriver: {name: s3}}}",
      "{/team: {rootDirectory: /data/team, gc: true, gcDelay: 0s}}",
      "{/team: {rootDirectory: /data/team, gcDelay: 1}}",
      "{/team: {rootDirectory: /data/team, retention: {policies: [{repositories: ['[']}]}}}",
      "{/a: {rootDirectory: /data/a}, /b: {rootDirectory: /data/a}}",
      "{/a: {rootDirectory: /data/a}, /b: {rootDirectory: /data/a/b}}",
      "{/a: {rootDirectory: /data/a}, /b: {rootDirectory: /data/x/..}}",
    ],
  },

  "http.address": {
    wrong: [
      '""',
      "127.0.0.1:5000",
      "http://127.0.0.1",
      "localhost:5000",
      "300.1.1.1",
      "1.2.3",
      "':5000'",
      "'*'",
      "'[::1]'",
      "'::1:::2'",
      "-a-",
      "a..b",
      "under_score:1",
    ],
  },
  "http.port": { wrong: ["70000", "-1", '"abc"', "1.5", '":5000"', '"50 00"', "true"] },
  "http.workers": { wrong: ["0", "-1", "1.5", '"4"', "1e20", "100000"] },
  "http.allowOrigin": {
    wrong: [
      "[https://a]",
      "5",
      "true",
      "example.com",
      "https://a.example/path",
      "https://a.example/",
      "'https://*.example.com'",
      "https://a.example https://b.example",
      "https://user@a.example",
    ],
  },
  "http.realm": { wrong: ["5", "true", "[a]", "{a: b}", '"a\\nb"', '"ü"'] },
  "http.readTimeout": { wrong: ["60", "0.5", "60 seconds", "1d", "[60s]"] },
  "http.writeTimeout": { wrong: ["60", "0.5", "60 seconds", "1d", "[60s]"] },
  "http.graceTimeout": durations,
  "http.externalUrl": {
    wrong: [
      "registry.example.com",
      "ftp://registry.example.com",
      "https://user:password@registry.example.com",
      "https://user@registry.example.com",
      "https://registry.example.com/?a=b",
      "https://registry.example.com/#a",
      "https://",
      "https://a b",
      "https://registry.example.com/v2/",
      "https://registry.example.com:99999",
      "true",
      "' https://registry.example.com'",
      '"https://registry.example.com/ü"',
    ],
  },
  "http.trustedProxies": {
    wrong: ["10.0.0.0/8", "[10.0.0.0/33]", "[proxy]", "[5]", "[300.0.0.1]", '["10.0.0.1:80"]'],
  },
  "http.compat": { wrong: ["docker2s2", "[oci]", "[5]", "{docker2s2: true}", "true"] },
  "http.blobBytesMax": { wrong: ["-1", "1.5", "10GB", "10 G", "[10GiB]", "lots"] },
  "http.connectionsMax": counts,
  "http.manifestBytesMax": { wrong: ["0", "-1", "4MB", "4M", '""', "65GiB"] },

  "http.ratelimit.rate": { wrong: ["-1", "1.5", '"100"', "1000001", "fast"] },
  "http.ratelimit.methods": {
    wrong: [
      "{GET: 5}",
      "[{method: get, rate: 5}]",
      "[{method: GET}]",
      "[{method: GET, rate: 0}]",
      "[{method: GET, rate: 5, burst: 5}]",
      "[{method: GET, rate: 5}, {method: GET, rate: 6}]",
      "[GET]",
    ],
  },
  "http.ratelimit.perCaller": { wrong: ["-1", "1.5", '"100"', "1000001", "fast"] },

  "http.tls.cert": { ...paths, beside: { "http.tls.key": "/k" } },
  "http.tls.key": { ...paths, beside: { "http.tls.cert": "/c" } },
  "http.tls.cacert": { ...paths, beside: { "http.tls.cert": "/c", "http.tls.key": "/k" } },

  "http.auth.failDelay": { wrong: ["-1", "1.5", '"2"', "2s", "100000"] },
  "http.auth.apikey": flags,
  "http.auth.htpasswd.path": paths,

  "http.auth.ldap.address": {
    wrong: ["5", "[a]", "ldaps://ldap.example.com", "ldap.example.com:636", "'a b'", "true"],
    beside: { "http.auth.ldap.baseDN": "dc=example", "http.auth.ldap.userAttribute": "uid" },
  },
  "http.auth.ldap.port": { wrong: ["-1", "70000", '"636"', "1.5", "ldaps"], beside: ldap },
  "http.auth.ldap.insecure": { ...flags, beside: ldap },
  "http.auth.ldap.startTLS": { ...flags, beside: ldap },
  "http.auth.ldap.skipVerify": { ...flags, beside: ldap },
  "http.auth.ldap.caCert": { ...paths, beside: ldap },
  "http.auth.ldap.credentialsFile": { ...paths, beside: ldap },
  "http.auth.ldap.bindDN": {
    wrong: ["5", "[a]", "true", "{a: b}", "1.5"],
    beside: { ...ldap, "http.auth.ldap.bindPassword": "x" },
  },
  "http.auth.ldap.bindPassword": {
    wrong: ["5", "[a]", "true", "{a: b}", "1.5"],
    beside: { ...ldap, "http.auth.ldap.bindDN": "cn=a,dc=b" },
  },
  "http.auth.ldap.baseDN": {
    wrong: ["5", "[a]", "true", "example.com", '""'],
    beside: { ...ldap },
  },
  "http.auth.ldap.subtreeSearch": { ...flags, beside: ldap },
  "http.auth.ldap.userAttribute": {
    wrong: ["5", "[uid]", "'user id'", "uid=", '""', "true"],
    beside: ldap,
  },
  "http.auth.ldap.userFilter": {
    wrong: ["5", "[a]", "'(a=b'", "true", "'a=(b'", "'(&)(x'"],
    beside: ldap,
  },
  "http.auth.ldap.userGroupAttribute": {
    wrong: ["5", "[memberOf]", "'member of'", "true", "memberOf="],
    beside: ldap,
  },
  "http.auth.ldap.timeout": { ...positive, beside: ldap },

  "http.auth.bearer.realm": {
    wrong: ["5", "[a]", "auth.example.com", "true", "ftp://auth.example.com/token", "'a b'"],
    beside: { "http.auth.bearer.service": "a", "http.auth.bearer.cert": "/c" },
  },
  "http.auth.bearer.service": {
    wrong: ["5", "[a]", "true", "{a: b}", '""'],
    beside: { "http.auth.bearer.realm": "https://a.example", "http.auth.bearer.cert": "/c" },
  },
  "http.auth.bearer.cert": {
    ...paths,
    beside: { "http.auth.bearer.realm": "https://a.example", "http.auth.bearer.service": "a" },
  },
  "http.auth.bearer.jwksUrl": {
    wrong: ["keys.json", "ftp://a", "5", "http://auth.example.com/keys", "https://u:p@a.example/k"],
    beside: { "http.auth.bearer.realm": "https://a.example", "http.auth.bearer.service": "a" },
  },
  "http.auth.bearer.issuer": texts,
  "http.auth.bearer.algorithms": { wrong: ["ES256", "[HS256]", "[none]", "[es256]", "[5]"] },
  "http.auth.bearer.oidc": {
    wrong: [
      "{issuer: https://a.example, audiences: [b]}",
      "[{audiences: [b]}]",
      "[{issuer: a.example, audiences: [b]}]",
      "[{issuer: https://a.example}]",
      "[{issuer: https://a.example, audiences: []}]",
      "[{issuer: https://a.example, audiences: [b], claimMapping: {username: 'claims.('}}]",
      "[{issuer: http://a.example, audiences: [b]}]",
      "[{issuer: https://a.example, audiences: [b], audience: c}]",
      "[https://a.example]",
    ],
  },

  "http.auth.mtls.identityAttributes": {
    wrong: ["CN", "[Name]", "[5]", "[]", "{CN: true}"],
    beside: tls,
  },
  "http.auth.mtls.uriSanPattern": {
    wrong: ["5", "'('", "'[z-a]'", "[a]", "true"],
    beside: { ...tls, "http.auth.mtls.identityAttributes": "[URI]" },
  },
  "http.auth.mtls.uriSanIndex": counts,
  "http.auth.mtls.dnsSanIndex": counts,
  "http.auth.mtls.emailSanIndex": counts,

  "http.auth.token.enable": flags,
  "http.auth.token.lifetime": { wrong: ["5", "30s", "1h", "0s", "forever"] },

  "http.accessControl.repositories": {
    wrong: [
      "[read]",
      "{'**': [read]}",
      "{'**': {anonymousPolicy: read}}",
      "{'**': {anonymousPolicy: [write]}}",
      "{'**': {policies: [{users: ann, actions: [read]}]}}",
      "{'**': {policies: [{user: [ann], actions: [read]}]}}",
      "{'[': {anonymousPolicy: [read]}}",
      "{'**': {policies: [{users: [ann], actions: [read], conditions: [{expression: 'req.'}]}]}}",
    ],
    beside: { "http.auth.htpasswd.path": "/h" },
  },
  "http.accessControl.adminPolicy": {
    wrong: ["[admin]", "{users: admin}", "{actions: [all]}", "{admins: [a]}", "admin"],
    beside: { "http.auth.htpasswd.path": "/h" },
  },
  "http.accessControl.groups": {
    wrong: ["[team]", "{team: [ann]}", "{team: {users: ann}}", "{team: {user: [ann]}}", "5"],
  },
  "http.accessControl.metrics.users": { wrong: ["ann", "[5]", "{ann: true}", "true", "[[ann]]"] },
  "http.accessControl.metrics.anonymousPolicy": actionLists,

  "log.level": { wrong: ["INFO", "verbose", "5", "true", "[info]"] },
  "log.output": { wrong: [...paths.wrong, "/no/such/directory/zot.log"] },
  "log.audit": { wrong: [...paths.wrong, "/no/such/directory/audit.log"] },

  "extensions.lint.enable": flags,
  "extensions.lint.mandatoryAnnotations": { wrong: ["team", "5", "[5]", '[""]', "{}"] },
  "extensions.lint.mode": { wrong: ["off", "5", '"Warn"', "[warn]", "true"] },
  "extensions.lint.kinds": { wrong: ["image", "5", "[picture]", '[""]', "{}"] },
  "extensions.metrics.enable": flags,
  "extensions.metrics.repositoriesMax": { wrong: ["-1", "1.5", '"5"', "1e20", "many"] },
  "extensions.metrics.prometheus.path": {
    wrong: ["metrics", "5", "/v2/", "/a b", "'/a?b'", "/{x}", "[/metrics]"],
  },
  "extensions.scrub.enable": flags,
  "extensions.scrub.interval": durations,

  "extensions.search.enable": flags,

  "extensions.sync.enable": flags,
  "extensions.sync.mirrors": {
    wrong: ["docker.io", "[5]", "[https://docker.io/library]", "[user@docker.io]", '[""]'],
  },
  "extensions.sync.registries": {
    wrong: [
      "quay.io",
      "[{}]",
      "[{urls: []}]",
      "[{urls: [quay.io]}]",
      "[{urls: [https://quay.io], urlz: 1}]",
    ],
  },
  "extensions.sync.credentialsFile": paths,
  "extensions.sync.downloadDir": paths,
  "extensions.sync.minFree": { wrong: ["-1", "100", "1.5", '"5"', "many"] },
  "extensions.sync.queueMax": { wrong: ["-1", "0", "1.5", '"5"', "many"] },
  "extensions.sync.redirectsMax": { wrong: ["-1", "21", "1.5", '"5"', "many"] },
  "extensions.sync.manifestBytesMax": { wrong: ["-1", "1", "many", "1GiB", "[1]"] },

  "extensions.ui.enable": flags,
};
