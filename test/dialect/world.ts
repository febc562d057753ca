// Servers for the tests of zot's dialect: a configuration file as it was written, the files it names, and callers.
//
// The file is started unchanged, with `zot serve`, in a directory in which its relative paths hold. A server is
// ready when its log says "listening", wherever that log goes. Server and files are gone at the end. `ask` does as a
// caller what a verb says and gives the status.

import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { importPKCS8, SignJWT } from "jose";
import { openssl, TestAuthority } from "../certificates.ts";
import { eventually, startService, testedProgram } from "../harness.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";

/** Users of the file `users`: everybody's password is "<name>'s password". */
export const users = ["ann", "ben", "eve", "root", "scraper"] as const;

/** How somebody asks. */
export interface Caller {
  /** For the names of tests and tags. */
  readonly name: string;
  readonly authorization?: string;
  /** Name of a client certificate. */
  readonly certificate?: string;
}

export const nobody: Caller = { name: "nobody" };

export function user(name: string, password = `${name}'s password`): Caller {
  return { name, authorization: `Basic ${btoa(`${name}:${password}`)}` };
}

export function certificate(name: string): Caller {
  return { name, certificate: name };
}

export function bearer(token: string, name = "token"): Caller {
  return { name, authorization: `Bearer ${token}` };
}

/** What a caller may try, in the order in which it is tried. */
export const verbs = ["ping", "push", "move", "untagged", "pull", "remove", "metrics"] as const;
export type Verb = (typeof verbs)[number];

export interface Serving extends AsyncDisposable {
  readonly url: string;
  /** Messages of warnings in its log. */
  warnings(): Promise<unknown[]>;
  fetch(caller: Caller, target: string, init?: RequestInit): Promise<Response>;
  /** The status of a verb; of a push, that of the first API error. Each caller has a tag of its own. */
  ask(caller: Caller, verb: Verb, repository: string): Promise<number>;
  /** SIGTERM; the exit code. */
  stop(): Promise<number>;
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const config = "{}";

/** A directory with certificates, users and keys, in which servers are started. */
export class DialectWorld implements AsyncDisposable {
  readonly #directory: TempDirectory;
  #servers = 0;

  private constructor(directory: TempDirectory) {
    this.#directory = directory;
  }

  /** Makes `server`, `ca`, one pair for each client, `users`, and the key of a token service, `tokens`. */
  static async make(): Promise<DialectWorld> {
    const directory = await tempDirectory("zot-dialect");
    const world = new DialectWorld(directory);
    const authority = await TestAuthority.make(directory.path, "ca");
    await authority.issue("server", { names: ["IP:127.0.0.1"] });
    await authority.issue("builder", { subject: "/OU=ci/CN=builder" });
    await authority.issue("stranger", { subject: "/OU=ci/CN=stranger" });
    const workload = ["URI:spiffe://example.com/job/builder"];
    await authority.issue("workload", { subject: "/CN=pod", names: workload });
    await authority.issue("mail", { subject: "/CN=pod", names: ["email:builder@example.com"] });
    await openssl(
      `req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=tokens -keyout ${world.at("tokens.key")} ` +
        `-out ${world.at("tokens.crt")}`,
    );
    const lines = users.map((name) => `${name}:${hash(`${name}'s password`)}\n`);
    await writeFile(world.at("users"), lines.join(""));
    return world;
  }

  /** Path of a file in the directory. */
  at(name: string): string {
    return join(this.#directory.path, name);
  }

  /** A token of the service whose certificate is `tokens.crt`. */
  async token(claims: Record<string, unknown>, audience: string): Promise<string> {
    const key = await importPKCS8(await readFile(this.at("tokens.key"), "utf8"), "EdDSA");
    const token = new SignJWT(claims).setProtectedHeader({ alg: "EdDSA" }).setAudience(audience);
    return await token.setIssuedAt().setExpirationTime("10m").sign(key);
  }

  /** Starts a file. `text` gets a directory of its own for `{root}`, the registry's and the logs. */
  async serve(name: string, text: (root: string) => string): Promise<Serving> {
    this.#servers += 1;
    const root = this.at(`server-${this.#servers}`);
    await mkdir(root);
    const file = join(root, name);
    await writeFile(file, text(root));
    const command = [await testedProgram(), "serve", file];
    const service = startService(command, { cwd: this.#directory.path });
    const lines = async (): Promise<Record<string, unknown>[]> => {
      const logged = await readFile(join(root, "zot.log"), "utf8").catch(() => "");
      const all = [...service.stdout(), ...logged.split("\n")];
      return all.filter((line) => line.startsWith("{") && line.endsWith("}")).map(parse);
    };
    const listening = async () => {
      const found = (await lines()).find((line) => line["msg"] === "listening");
      if (found !== undefined || service.running()) return found;
      throw new Error(`ended with ${await service.exited}: ${service.stderr().join("\n")}`);
    };
    const { url } = await eventually("the server listens", listening, 60_000);
    return {
      url: String(url),
      warnings: async () =>
        (await lines()).filter((line) => line["level"] === "warn").map((line) => line["msg"]),
      fetch: (caller, target, init) => this.#fetch(`${String(url)}${target}`, caller, init),
      ask: (caller, verb, repository) =>
        doAs((target, init) => this.#fetch(`${String(url)}${target}`, caller, init), {
          verb,
          repository,
          tag: caller.name,
        }),
      stop: () => service.stop(),
      [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    };
  }

  #fetch(url: string, caller: Caller, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (caller.authorization !== undefined) headers.set("authorization", caller.authorization);
    if (!url.startsWith("https:")) return fetch(url, { ...init, headers });
    const shown =
      caller.certificate === undefined
        ? {}
        : {
            cert: readFileSync(this.at(`${caller.certificate}.crt`), "utf8"),
            key: readFileSync(this.at(`${caller.certificate}.key`), "utf8"),
          };
    const tls = { ca: readFileSync(this.at("ca.crt"), "utf8"), ...shown };
    // A connection that is kept would bring its certificate along for the next caller.
    return fetch(url, { ...init, headers, tls, keepalive: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}

type Fetch = (target: string, init?: RequestInit) => Promise<Response>;

interface Deed {
  readonly verb: Verb;
  readonly repository: string;
  readonly tag: string;
}

async function doAs(send: Fetch, { verb, repository, tag }: Deed): Promise<number> {
  const manifests = `/v2/${repository}/manifests/`;
  const statusOf = async (target: string, init?: RequestInit) => {
    const response = await send(target, init);
    await response.arrayBuffer();
    return response.status;
  };
  switch (verb) {
    case "ping":
      return await statusOf("/v2/");
    case "metrics":
      return await statusOf("/metrics");
    case "pull": {
      const manifest = await statusOf(`${manifests}${tag}`);
      if (manifest !== 200) return manifest;
      return await statusOf(`/v2/${repository}/blobs/${digestOf(config)}`);
    }
    case "remove":
      return await statusOf(`${manifests}${tag}`, { method: "DELETE" });
    default: {
      const blob = `/v2/${repository}/blobs/uploads/?digest=${digestOf(config)}`;
      const uploaded = await statusOf(blob, { method: "POST", body: config });
      if (uploaded !== 201) return uploaded;
      const body = manifest(`${verb} of ${tag}`);
      const reference = verb === "untagged" ? digestOf(body) : tag;
      const headers = { "content-type": manifestType };
      return await statusOf(`${manifests}${reference}`, { method: "PUT", body, headers });
    }
  }
}

function manifest(title: string): string {
  const mediaType = "application/vnd.oci.empty.v1+json";
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType, digest: digestOf(config), size: config.length },
    layers: [],
    annotations: { "org.opencontainers.image.title": title },
  });
}

function digestOf(text: string): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
}

function hash(password: string): string {
  return Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 });
}

function parse(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  return { ...(value as object) };
}
