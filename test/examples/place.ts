// A place for examples to run in: the files that they name, and what they say turned to it.
//
// The server of an example gets its file word for word but for three things: absolute paths lie below the place, it
// listens on a free port of 127.0.0.1, and the hosts that stand for others' servers are servers of the test. Everything
// is gone at the end of the scope.

import { chmod, chown, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair, importPKCS8, SignJWT, type JWTPayload } from "jose";
import { parse } from "yaml";
import { usersFile } from "../auth/world.ts";
import { TestAuthority, type Certificate } from "../certificates.ts";
import { PostgresConnections } from "../../src/metadata/postgres/postgres_connections.ts";
import { packageDirectory, runOk, startZot, tempDirectory, type Zot } from "../harness.ts";
import { ScriptedUpstream } from "../mirror/scripted_upstream.ts";
import { FakeS3 } from "../objects/fake_s3.ts";
import { startPostgres } from "../postgres.ts";
import { startSlapd } from "../slapd.ts";
import type { Caller, CallerOptions } from "./caller.ts";

/** A server that runs an example. */
export interface Served {
  readonly zot: Zot;
  readonly place: Place;
  /** A caller; anonymous without options. */
  readonly as: (options?: CallerOptions) => Caller;
}

export type Check = (served: Served) => Promise<void>;

/** Users of every htpasswd file; passwords are those of `passwordOf` in ../auth/world.ts. */
export const users = ["ann", "ben", "admin", "prometheus"];

/** Addresses of examples, and of what takes their place. */
type Hosts = Readonly<Record<string, string>>;

export class Place {
  /** Stands for `/`, and is the working directory of servers. */
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly hosts: Record<string, string> = {};
  /** Port of the directory in place of ldap.example.com. */
  ldapPort: number | null = null;
  readonly #scope: AsyncDisposableStack;
  readonly #issuerKey: CryptoKey;
  #store: FakeS3 | null = null;

  private constructor(parts: {
    readonly directory: string;
    readonly authority: TestAuthority;
    readonly issuerKey: CryptoKey;
    readonly scope: AsyncDisposableStack;
  }) {
    this.directory = parts.directory;
    this.authority = parts.authority;
    this.#issuerKey = parts.issuerKey;
    this.#scope = parts.scope;
  }

  static async make(): Promise<Place> {
    await using scope = new AsyncDisposableStack();
    const directory = scope.use(await tempDirectory("zot-examples")).path;
    const made = [
      "etc/zot",
      "etc/zot-users",
      "etc/prometheus",
      "etc/nginx/tls",
      "var/log/zot",
      "var/run/secrets/zot",
      "run/secrets",
    ];
    for (const path of made) await mkdir(join(directory, path), { recursive: true });
    const authority = await TestAuthority.make(directory);
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" }];
    const place = new Place({ directory, authority, issuerKey: privateKey, scope: scope.move() });
    place.hosts["https://token.actions.example.com"] = place.#startIssuer(keys);
    await place.#writeFiles();
    return place;
  }

  /** Where an absolute path of an example lies. */
  at(path: string): string {
    return join(this.directory, path);
  }

  /** A client's certificate by the authority that examples trust. */
  client(name: string, uri?: string): Promise<Certificate> {
    const names = uri === undefined ? {} : { names: [`URI:${uri}`] };
    return this.authority.issue(name, { ...names, usage: "clientAuth" });
  }

  /** Starts the directory that the example of LDAP asks. */
  async startDirectory(): Promise<void> {
    const slapd = this.#scope.use(await startSlapd());
    await copyFile(slapd.authority, this.at("/etc/zot/ldap-ca.pem"));
    await copyFile(slapd.credentialsFile, this.at("/etc/zot/ldap-credentials.json"));
    this.hosts["ldap.example.com"] = "localhost";
    this.ldapPort = slapd.tlsPort;
  }

  /** Starts the registry that examples of mirrors ask: one image, for whoever has this login. */
  async startUpstream(login: {
    readonly user: string;
    readonly password: string;
  }): Promise<ScriptedUpstream> {
    const upstream = this.#scope.use(await ScriptedUpstream.start({ basic: login }));
    upstream.content.addImage("team/app", "1", ["layer"]);
    upstream.on("POST", "/token", { body: JSON.stringify({ access_token: login.password }) });
    const logins = { [upstream.host]: { username: login.user, password: login.password } };
    await writeFile(this.at("/etc/zot/upstreams.json"), JSON.stringify(logins));
    this.hosts["https://upstream.example.com"] = upstream.url;
    this.hosts["https://spare.example.com"] = upstream.url;
    this.hosts["https://idp.example.com/token"] = `${upstream.url}/token`;
    return upstream;
  }

  /** Starts the store that the example of a bucket names. */
  async startStore(): Promise<void> {
    this.#store = this.#scope.use(await FakeS3.start());
    this.#store.bucket = "images";
    this.hosts["https://s3.example.com"] = this.#store.url;
  }

  /** Starts the database that the example of several machines names; it shows a certificate. */
  async startDatabase(): Promise<void> {
    const { cert, key } = await this.authority.issue("database", { names: ["DNS:localhost"] });
    const settings = {
      ssl: "on",
      ssl_cert_file: cert,
      ssl_key_file: key,
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
    };
    // The server, which is not root, refuses a key that is not its user's own.
    if (process.getuid?.() === 0) {
      await chmod(this.directory, 0o711);
      await chown(key, Number((await runOk("id", ["-u", "postgres"])).stdout), 0);
    }
    const postgres = this.#scope.use(await startPostgres(settings));
    const connections = new PostgresConnections(await postgres.place());
    await connections.ask({ text: "CREATE DATABASE zot", values: [], isOwn: true });
    await connections.close();
    await copyFile(this.authority.cert, this.at("/etc/zot/database-ca.pem"));
    await writeFile(this.at("/run/secrets/zot-database"), "not asked for here\n");
    const query = "zot?sslmode=verify-full";
    this.hosts[`postgres://zot@db.example.com/${query}`] =
      `postgres://zot@localhost:${postgres.port}/${query}`;
  }

  /** Keys of what lies in that store. */
  storedObjects(): string[] {
    return [...(this.#store?.objects.keys() ?? [])];
  }

  /** An ID token of the CI system that config-workload.yaml trusts. */
  idToken(claims: JWTPayload): Promise<string> {
    const issuer = this.hosts["https://token.actions.example.com"] ?? "";
    return new SignJWT({ iss: issuer, aud: "registry.example.com", sub: "job", ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "one" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(this.#issuerKey);
  }

  /** A token of the service whose certificate is /etc/zot/auth.crt. */
  async serviceToken(access: readonly object[]): Promise<string> {
    const pem = await Bun.file(this.at("/etc/zot/auth.key")).text();
    return await new SignJWT({ aud: "registry.example.com", sub: "ann", access })
      .setProtectedHeader({ alg: "ES256" })
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(await importPKCS8(pem, "ES256"));
  }

  /** Removes what an earlier server stored. */
  async empty(): Promise<void> {
    for (const path of ["zot-data", "var/lib", "var/log/zot/audit.log"]) {
      await rm(this.at(path), { recursive: true, force: true });
    }
  }

  /** Starts a server with an example; `file` is relative to the checkout. */
  async start(file: string, env: Record<string, string> = {}): Promise<Zot> {
    return await this.startText(await Bun.file(join(packageDirectory, file)).text(), env);
  }

  /** The same with the text of a configuration, JSON or YAML. */
  async startText(text: string, env: Record<string, string> = {}): Promise<Zot> {
    const config = this.#adapted(parse(text));
    return await startZot({ config, cwd: this.directory, env: { ZOT_ROOT: undefined, ...env } });
  }

  #adapted(value: unknown): object {
    const config = adaptedStrings(value, this.directory, this.hosts) as {
      http?: { auth?: { ldap?: object | null } };
      storage?: { storageDriver?: object | null };
    };
    const driver = config.storage?.storageDriver ?? null;
    // The store of the test has no certificate.
    if (driver !== null) Object.assign(driver, { secure: false });
    const http = { ...config.http, address: "127.0.0.1", port: "0" };
    if (http.auth?.ldap !== undefined && http.auth.ldap !== null) {
      http.auth.ldap = { ...http.auth.ldap, port: this.ldapPort };
    }
    return { ...config, http };
  }

  #startIssuer(keys: readonly object[]): string {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch({ url }): Response {
        const { origin, pathname } = new URL(url);
        const isDiscovery = pathname === "/.well-known/openid-configuration";
        return Response.json(
          isDiscovery ? { issuer: origin, jwks_uri: `${origin}/keys` } : { keys },
        );
      },
    });
    this.#scope.defer(() => server.stop(true));
    return `http://127.0.0.1:${server.port}`;
  }

  async #writeFiles(): Promise<void> {
    const names = ["DNS:localhost", "DNS:registry.example.com", "IP:127.0.0.1"];
    const server = await this.authority.issue("server", { names });
    const service = await this.authority.issue("service");
    const copies = {
      "/etc/zot/server.crt": server.cert,
      "/etc/zot/server.key": server.key,
      "/etc/nginx/tls/registry.crt": server.cert,
      "/etc/nginx/tls/registry.key": server.key,
      "/etc/zot/clients-ca.crt": this.authority.cert,
      "/etc/zot/auth.crt": service.cert,
      "/etc/zot/auth.key": service.key,
    };
    for (const [to, from] of Object.entries(copies)) await copyFile(from, this.at(to));
    const known = await usersFile(users);
    for (const path of ["/etc/zot/htpasswd", "/etc/zot-users/htpasswd"]) {
      await writeFile(this.at(path), known);
    }
    await writeFile(this.at("/etc/prometheus/zot-password"), "secret");
    await writeFile(this.at("/var/run/secrets/zot/token"), "assertion");
    await writeFile(this.at("/etc/zot/upstreams.json"), "{}");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.disposeAsync();
  }
}

/** Every text of a value: hosts replaced, paths of the system moved below `directory`. */
function adaptedStrings(value: unknown, directory: string, hosts: Hosts): unknown {
  if (typeof value === "string") {
    if (/^\/(etc|run|var)\//.test(value)) return join(directory, value);
    return hosts[value] ?? value;
  }
  if (Array.isArray(value)) return value.map((each) => adaptedStrings(each, directory, hosts));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [
    key,
    adaptedStrings(each, directory, hosts),
  ]);
  return Object.fromEntries(entries);
}
