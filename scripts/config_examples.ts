// An example for each option of the configuration, as it stands in a YAML file behind the key.
//
// Every option that is served has an example, and its type accepts it (`print_reference.test.ts`). Each stands for
// itself: some options exclude others. Options and their defaults are in src/*/options.ts, whole files in examples/.

/** Examples by the path of the option. */
export const configExamples: Readonly<Record<string, string>> = {
  distSpecVersion: `1.1.1`,
  goVersion: `go1.25`,
  commit: `v2.1.8-0-g8a3f1b2`,
  releaseTag: `v2.1.8`,
  binaryType: `minimal`,

  "storage.rootDirectory": `/var/lib/zot`,
  "storage.dedupe": `false`,
  "storage.commit": `false`,
  "storage.shared": `true`,
  "storage.storageDriver": `{name: s3, region: eu-central-1, bucket: images, rootdirectory: /zot}`,
  "storage.redirectBlobURL": `true`,
  "storage.redirectExcept": `["regctl/"]`,
  "storage.removalDelay": `72h`,
  "storage.auditInterval": `24h`,
  "storage.exportInterval": `6h`,
  "storage.exportsKept": `28`,
  "storage.uploadIdle": `6h`,
  "storage.metadata.url": `"postgres://zot@db.example.com/zot?sslmode=verify-full"`,
  "storage.metadata.passwordFile": `/run/secrets/zot-database`,
  "storage.metadata.ca": `/etc/zot/database-ca.pem`,
  "storage.metadata.schema": `registry`,
  "storage.metadata.connections": `4`,
  "storage.sparseIndexes": `["mirror/**"]`,
  "storage.gc": `false`,
  "storage.gcDelay": `2h`,
  "storage.gcInterval": `24h`,
  "storage.gcTimeWindow": `"22:00-06:00"`,
  "storage.fastRestart": `true`,
  "storage.undo.window": `72h`,
  "storage.undo.pin": `336h`,
  "storage.undo.maxBytes": `100GiB`,
  "storage.history.keep": `17520h`,
  "storage.minFree": `10%`,
  "storage.maxRepos": `1000`,
  "storage.quotas": `[{prefix: "team/", bytes: 100GiB, tags: 5000}]`,
  "storage.retention.dryRun": `true`,
  "storage.retention.delay": `24h`,
  "storage.retention.policies": `[{repositories: ["team/**"], keepTags: [{patterns: ["^v"]}, {mostRecentlyPushedCount: 10}]}]`,
  "storage.subPaths": `{/team: {rootDirectory: /mnt/team, gc: true}}`,

  "http.address": `0.0.0.0`,
  "http.port": `"5000"`,
  "http.workers": `8`,
  "http.allowOrigin": `https://ui.example.com`,
  "http.realm": `registry`,
  "http.readTimeout": `30s`,
  "http.writeTimeout": `2m`,
  "http.graceTimeout": `10s`,
  "http.externalUrl": `https://registry.example.com`,
  "http.trustedProxies": `[127.0.0.1, 10.0.0.0/8]`,
  "http.compat": `[docker2s2]`,
  "http.blobBytesMax": `10GiB`,
  "http.connectionsMax": `2000`,
  "http.manifestBytesMax": `1MiB`,

  "http.ratelimit.rate": `2000`,
  "http.ratelimit.methods": `[{method: DELETE, rate: 20}]`,
  "http.ratelimit.perCaller": `200`,

  "http.tls.cert": `/etc/zot/server.crt`,
  "http.tls.key": `/etc/zot/server.key`,
  "http.tls.cacert": `/etc/zot/clients-ca.crt`,

  "http.auth.failDelay": `2`,
  "http.auth.apikey": `true`,
  "http.auth.htpasswd.path": `/etc/zot/htpasswd`,

  "http.auth.ldap.address": `ldap.example.com`,
  "http.auth.ldap.port": `1636`,
  "http.auth.ldap.insecure": `true`,
  "http.auth.ldap.startTLS": `true`,
  "http.auth.ldap.skipVerify": `true`,
  "http.auth.ldap.caCert": `/etc/zot/ldap-ca.pem`,
  "http.auth.ldap.credentialsFile": `/etc/zot/ldap-credentials.json`,
  "http.auth.ldap.bindDN": `cn=searcher,dc=example,dc=com`,
  "http.auth.ldap.bindPassword": `\${LDAP_PASSWORD}`,
  "http.auth.ldap.baseDN": `ou=users,dc=example,dc=com`,
  "http.auth.ldap.subtreeSearch": `true`,
  "http.auth.ldap.userAttribute": `uid`,
  "http.auth.ldap.userFilter": `(!(locked=TRUE))`,
  "http.auth.ldap.userGroupAttribute": `memberOf`,
  "http.auth.ldap.timeout": `10s`,

  "http.auth.bearer.realm": `https://auth.example.com/token`,
  "http.auth.bearer.service": `registry.example.com`,
  "http.auth.bearer.cert": `/etc/zot/auth.crt`,
  "http.auth.bearer.jwksUrl": `https://auth.example.com/keys`,
  "http.auth.bearer.issuer": `https://auth.example.com`,
  "http.auth.bearer.algorithms": `[ES256, EdDSA]`,
  "http.auth.bearer.oidc": `[{issuer: "https://token.actions.example.com", audiences: [registry.example.com], claimMapping: {username: claims.repository}}]`,

  "http.auth.mtls.identityAttributes": `[URI, CommonName]`,
  "http.auth.mtls.uriSanPattern": `spiffe://example.com/workload/(.*)`,
  "http.auth.mtls.uriSanIndex": `1`,
  "http.auth.mtls.dnsSanIndex": `1`,
  "http.auth.mtls.emailSanIndex": `1`,

  "http.auth.token.enable": `false`,
  "http.auth.token.lifetime": `2m`,

  "http.accessControl.repositories": `{"team/**": {policies: [{users: [ann], actions: [read, create]}], anonymousPolicy: [read]}}`,
  "http.accessControl.adminPolicy": `{users: [admin], actions: [read, create, update, delete]}`,
  "http.accessControl.groups": `{team: {users: [ann, ben]}}`,
  "http.accessControl.metrics.users": `[prometheus]`,
  "http.accessControl.metrics.anonymousPolicy": `[read]`,

  "log.level": `warn`,
  "log.output": `/var/log/zot/zot.log`,
  "log.audit": `/var/log/zot/audit.log`,

  "extensions.lint.enable": `true`,
  "extensions.lint.mandatoryAnnotations": `["org.opencontainers.image.source"]`,
  "extensions.lint.mode": `warn`,
  "extensions.lint.kinds": `["image", "helm-chart"]`,
  "extensions.metrics.enable": `true`,
  "extensions.metrics.repositoriesMax": `500`,
  "extensions.metrics.prometheus.path": `/internal/metrics`,
  "extensions.scrub.enable": `true`,
  "extensions.scrub.interval": `168h`,
  "extensions.search.enable": `true`,

  "extensions.sync.enable": `true`,
  "extensions.sync.mirrors": `[docker.io, ghcr.io]`,
  "extensions.sync.registries": `[{urls: [https://quay.io], onDemand: true, content: [{prefix: "team/**", destination: /quay}]}]`,
  "extensions.sync.credentialsFile": `/etc/zot/upstreams.json`,
  "extensions.sync.downloadDir": `/var/tmp/zot`,
  "extensions.sync.minFree": `10`,
  "extensions.sync.queueMax": `1000`,
  "extensions.sync.redirectsMax": `3`,
  "extensions.sync.manifestBytesMax": `8MiB`,

  "extensions.ui.enable": `true`,
};

const head = /^\| Key \| Type \| Default \| Change \| Meaning \|\n\| --- \| --- \| --- \|/gm;
const row = /^(\| `([\w.]+)` \| [^|]* \| [^|]* \|)( (?:live|restart) \|)/gm;

const says = `- **Example** is what may stand behind the key in a YAML file: one by one, since some exclude others.
`;

/** The reference page with a column of examples. */
export function withExamples(page: string): string {
  return page
    .replace("- **Change** says", `${says}$&`)
    .replaceAll(
      head,
      "| Key | Type | Default | Example | Change | Meaning |\n| --- | --- | --- | --- |",
    )
    .replaceAll(row, (_line, before: string, path: string, after: string) => {
      const example = configExamples[path];
      if (example === undefined) throw new Error(`${path}: expected an example in configExamples`);
      return `${before} \`${example}\` |${after}`;
    });
}
