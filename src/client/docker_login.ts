/**
 * The login that a person has already: what `docker login` or `podman login` wrote, and the helpers that such a file
 * names.
 *
 * A file is read each time it is asked for. Absent files are passed over; a file that cannot be read, and a helper that
 * fails or does not end, are errors, since a request without the login would fail for a reason that nobody sees.
 */
import { readFile } from "node:fs/promises";
import { type Clock, systemClock } from "../lib/clock.ts";
import { isJsonObject } from "../lib/strict_json.ts";
import type { Credentials } from "./client_auth.ts";

export interface DockerLoginOptions {
  /** Files of this format, in order; the first that knows a login has it. */
  readonly files: readonly string[];
  readonly clock?: Clock;
}

export interface LoginPlace {
  /** `host` or `host:port`, as in the name of an image. */
  readonly host: string;
  /** Podman keeps logins of parts of a registry. */
  readonly repository: string | null;
}

/** A login that is there and cannot be had. `message` is one line, without secrets. */
export class DockerLoginError extends Error {
  override readonly name = "DockerLoginError";
}

/** A helper that says nothing for so long is ended. */
export const helperMsMax = 10_000;
const helperBytesMax = 64 * 1024;
const configBytesMax = 4 * 1024 * 1024;

/** Docker Hub's own name for itself, from the days of its first API. */
const hubKey = "https://index.docker.io/v1/";
const hubHosts: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);
const notFound = /credentials not found|no credentials/i;
/** What a helper calls a token in the place of a name. */
const tokenUser = "<token>";

/** The login for a registry; null when no file knows one. @throws DockerLoginError. */
export async function dockerLogin(
  place: LoginPlace,
  { files, clock = systemClock }: DockerLoginOptions,
): Promise<Credentials | null> {
  for (const file of files) {
    const config = await readConfig(file);
    if (config === null) continue;
    const found = (await byHelper(place.host, config, clock)) ?? byFile(place, config, file);
    if (found !== null) return found;
  }
  return null;
}

type Config = Readonly<Record<string, unknown>>;

async function readConfig(file: string): Promise<Config | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new DockerLoginError(`the logins in '${file}' cannot be read: ${String(code)}`);
  }
  if (text.length > configBytesMax) throw new DockerLoginError(`'${file}' is too large for logins`);
  if (text.trim() === "") return null;
  try {
    const parsed: unknown = JSON.parse(text);
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // The text may hold secrets: it is not shown.
  }
  throw new DockerLoginError(
    `expected logins as Docker writes them in '${file}', got no JSON object`,
  );
}

async function byHelper(host: string, config: Config, clock: Clock): Promise<Credentials | null> {
  const helpers = config["credHelpers"];
  const key = hubHosts.has(host) ? hubKey : host;
  const names = hubHosts.has(host) ? [hubKey, ...hubHosts] : [host];
  const own = isJsonObject(helpers)
    ? names.map((name) => helpers[name]).find((each) => each !== undefined)
    : undefined;
  const helper = own ?? config["credsStore"];
  if (typeof helper !== "string" || helper === "") return null;
  if (!/^[A-Za-z0-9_.-]+$/.test(helper)) {
    throw new DockerLoginError(`'${helper}' is no name of a credential helper`);
  }
  return askHelper(`docker-credential-${helper}`, key, clock);
}

/** `get`, the server on standard input, JSON on standard output. */
export async function askHelper(
  program: string,
  server: string,
  clock: Clock = systemClock,
): Promise<Credentials | null> {
  let child: Bun.Subprocess<Uint8Array, "pipe", "ignore">;
  try {
    child = Bun.spawn([program, "get"], {
      stdin: Buffer.from(server),
      stdout: "pipe",
      stderr: "ignore",
    });
  } catch {
    throw new DockerLoginError(`the credential helper ${program} cannot be started`);
  }
  const ended = new AbortController();
  const output = read(child.stdout);
  const late = clock.sleep(helperMsMax, ended.signal).then(() => null);
  try {
    const text = await Promise.race([output, late]);
    if (text === null) {
      throw new DockerLoginError(
        `the credential helper ${program} did not answer within ${helperMsMax / 1000} s`,
      );
    }
    const code = await child.exited;
    if (code === 0) return loginIn(text, program);
    if (notFound.test(text)) return null;
    throw new DockerLoginError(`the credential helper ${program} failed with status ${code}`);
  } finally {
    ended.abort();
    child.kill("SIGKILL");
    output.catch(() => {});
  }
}

async function read(stream: ReadableStream<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > helperBytesMax) throw new DockerLoginError("a credential helper said too much");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function loginIn(text: string, program: string): Credentials | null {
  let answer: unknown = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // Not shown: it may be the secret itself.
  }
  const { Username: user, Secret: secret } = isJsonObject(answer) ? answer : {};
  if (typeof user !== "string" || typeof secret !== "string") {
    throw new DockerLoginError(`the credential helper ${program} answered with no login`);
  }
  if (secret === "") return null;
  return user === tokenUser
    ? { kind: "refreshToken", token: secret }
    : { kind: "password", user, password: secret };
}

/** Entries by host, or by host and the first components of a name: the longest that fits. */
function byFile(
  { host, repository }: LoginPlace,
  config: Config,
  file: string,
): Credentials | null {
  const auths = config["auths"];
  if (!isJsonObject(auths)) return null;
  const entries = new Map(Object.entries(auths).map(([key, value]) => [plainKey(key), value]));
  const hosts = hubHosts.has(host) ? ["index.docker.io", ...hubHosts] : [host];
  for (const key of hosts.flatMap((each) => keysOf(each, repository))) {
    const entry = entries.get(key);
    const login = isJsonObject(entry) ? entryLogin(entry, file) : null;
    if (login !== null) return login;
  }
  return null;
}

/** `https://host/v1/` is the host. */
function plainKey(key: string): string {
  return key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/+$/, "");
}

function keysOf(host: string, repository: string | null): string[] {
  const parts = repository === null ? [] : repository.split("/");
  return [...parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join("/")), host];
}

function entryLogin(entry: Config, file: string): Credentials | null {
  const { identitytoken, registrytoken, auth, username, password } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "") {
    return { kind: "refreshToken", token: identitytoken };
  }
  if (typeof registrytoken === "string" && registrytoken !== "") {
    return { kind: "token", token: registrytoken };
  }
  if (typeof auth === "string" && auth !== "") {
    const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon < 1)
      throw new DockerLoginError(`a login in '${file}' is no 'user:password' in base64`);
    return { kind: "password", user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (typeof username !== "string" || typeof password !== "string") return null;
  return username === "" ? null : { kind: "password", user: username, password };
}
