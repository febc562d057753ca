// The servers that a benchmark compares, as a table: how each is configured, started, and where its blobs are.
//
// Every server listens on loopback on a port that was free, keeps its data under the directory it is given, writes no
// access log, and has as many processes or threads as the others. A program that is not installed is named together
// with its Debian package; nothing is installed here.

import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { eventually, run, type Service, startService } from "../test/processes.ts";
import { freePort } from "../test/temp.ts";

export const serverNames = [
  "zot",
  "zot-before",
  "docker-registry",
  "zot-htpasswd",
  "docker-registry-htpasswd",
  "nginx",
  "floor-file",
  "floor-loopback",
] as const;

export type ServerName = (typeof serverNames)[number];

/** A server that runs, or the "server" that is only a program copying a file (port and pid 0). */
export interface Server extends AsyncDisposable {
  readonly name: ServerName;
  readonly port: number;
  readonly tls: boolean;
  readonly pid: number;
  readonly directory: string;
}

export interface StartOptions {
  readonly directory: string;
  readonly workers: number;
  readonly tls: boolean;
  /** The checkout that `zot-before` is started from. */
  readonly against: string | null;
}

interface ServerRow {
  readonly title: string;
  readonly needs?: { readonly program: string; readonly package: string };
  readonly version?: readonly string[];
  /** Writes what the server reads at its start and gives the command; absent when nothing is to be started. */
  readonly command?: (port: number, options: StartOptions) => Promise<readonly string[]>;
  /** The path of a blob in a GET request. */
  readonly blobPath: (repository: string, digest: string) => string;
  /** What requests must carry to be let in. */
  readonly authorization?: string;
}

const [user, password] = ["bench", "a password for a benchmark"];
const authorization = `Basic ${btoa(`${user}:${password}`)}`;

const checkout = resolve(import.meta.dir, "..");
const apiPath = (repository: string, digest: string) => `/v2/${repository}/blobs/${digest}`;

/** Processes or threads that every server gets unless a scenario says otherwise: this registry's default. */
export const workersDefault = Math.min(availableParallelism(), 4);

export const servers: Readonly<Record<ServerName, ServerRow>> = {
  zot: {
    title: "this registry",
    version: [join(checkout, "bin", "zot"), "--version"],
    command: (port, options) => zotCommand(checkout, port, options),
    blobPath: apiPath,
  },
  "zot-before": {
    title: "this registry, from the checkout given with --against",
    command: (port, options) => zotCommand(options.against ?? checkout, port, options),
    blobPath: apiPath,
  },
  "docker-registry": {
    title: "Debian's docker-registry",
    needs: { program: "docker-registry", package: "docker-registry" },
    version: ["docker-registry", "--version"],
    command: (port, options) => dockerRegistryCommand(port, options),
    blobPath: apiPath,
  },
  "zot-htpasswd": {
    title: "this registry, with an htpasswd file (bcrypt, cost 10)",
    command: async (port, options) =>
      zotCommand(checkout, port, options, await makeUsers(options.directory)),
    blobPath: apiPath,
    authorization,
  },
  "docker-registry-htpasswd": {
    title: "Debian's docker-registry, with the same htpasswd file",
    needs: { program: "docker-registry", package: "docker-registry" },
    command: async (port, options) =>
      dockerRegistryCommand(port, options, await makeUsers(options.directory)),
    blobPath: apiPath,
    authorization,
  },
  nginx: {
    title: "Debian's nginx, the same bytes as static files",
    needs: { program: "nginx", package: "nginx-light" },
    version: ["nginx", "-v"],
    command: nginxCommand,
    blobPath: (_, digest) => `/${digest.slice("sha256:".length)}`,
  },
  "floor-file": {
    title: "floor: a program that reads a file, hashes it and writes it to another",
    blobPath: apiPath,
  },
  "floor-loopback": {
    title: "floor: a program that takes a body from a loopback socket, hashes it and writes it",
    command: async (port, options) => [
      process.execPath,
      join(import.meta.dir, "floor_server.ts"),
      String(port),
      options.directory,
    ],
    blobPath: apiPath,
  },
};

/** The programs among `names` that are not installed, one line each. */
export function missingPrograms(names: readonly ServerName[]): string[] {
  return names.flatMap((name) => {
    const needs = servers[name].needs;
    if (needs === undefined || findProgram(needs.program) !== null) return [];
    return [`${needs.program} is not installed; on Debian: apt-get install ${needs.package}`];
  });
}

/** The version that a server prints about itself, or null where it has none of its own. */
export async function versionOf(name: ServerName): Promise<string | null> {
  const [program, ...args] = servers[name].version ?? [];
  if (program === undefined) return null;
  const output = await run(findProgram(program) ?? program, args).catch(() => null);
  if (output === null || output.code !== 0) return null;
  // docker-registry says "docker-registry github.com/docker/distribution 2.8.2", nginx "nginx version: nginx/1.22.1".
  const text = (output.stdout + output.stderr).trim();
  return /\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? text;
}

/** Starts a server in `options.directory` and waits until it answers. */
export async function startServer(name: ServerName, options: StartOptions): Promise<Server> {
  await mkdir(options.directory, { recursive: true });
  const { command } = servers[name];
  if (command === undefined) {
    const nothing = async () => undefined;
    const { directory } = options;
    return { name, port: 0, tls: false, pid: 0, directory, [Symbol.asyncDispose]: nothing };
  }
  const port = await freePort();
  const service = startService(await command(port, options));
  try {
    await eventually(`${name} answers`, () => answers(name, service, port, options.tls), 30_000);
  } catch (error) {
    await service.stop().catch(() => undefined);
    throw error;
  }
  return {
    name,
    port,
    tls: options.tls,
    pid: service.pid,
    directory: options.directory,
    [Symbol.asyncDispose]: async () => {
      if (service.running()) await service.stop();
    },
  };
}

async function answers(
  name: ServerName,
  service: Service,
  port: number,
  tls: boolean,
): Promise<boolean> {
  if (!service.running()) {
    const output = [...service.stdout(), ...service.stderr()].slice(-10).join("\n");
    throw new Error(`${name} ended at its start:\n${output}`);
  }
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}/v2/`;
  const reply = await fetch(url, { tls: { rejectUnauthorized: false } }).catch(() => null);
  await reply?.arrayBuffer();
  return reply !== null && reply.status < 500;
}

/** /usr/sbin, where Debian puts nginx, is not on everybody's PATH. */
function findProgram(program: string): string | null {
  return Bun.which(program, { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` });
}

/** A key and a certificate for loopback, of the kind that is cheapest in a handshake. */
async function makeCertificate(directory: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(directory, "tls.crt"), join(directory, "tls.key")];
  const command =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 " +
    `-addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`;
  const { code, stderr } = await run("openssl", command.split(" "));
  if (code !== 0) throw new Error(`openssl req: ${stderr}`);
  return { cert, key };
}

/** A file with one user, at the cost that htpasswd's manual recommends as the least. */
async function makeUsers(directory: string): Promise<string> {
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 10 });
  const path = join(directory, "users");
  await writeFile(path, `${user}:${hash.replace("$2b$", "$2y$")}\n`);
  return path;
}

async function zotCommand(
  from: string,
  port: number,
  options: StartOptions,
  users: string | null = null,
): Promise<string[]> {
  const auth = users === null ? {} : { auth: { htpasswd: { path: users } } };
  const tls = options.tls ? { tls: await makeCertificate(options.directory) } : {};
  const config = {
    storage: { rootDirectory: join(options.directory, "root") },
    http: { address: "127.0.0.1", port: String(port), workers: options.workers, ...tls, ...auth },
    log: { level: "error" },
  };
  const file = join(options.directory, "config.json");
  await writeFile(file, JSON.stringify(config));
  return [join(from, "bin", "zot"), "serve", file];
}

/** Debian's own configuration, without its password file and with the access log off. */
async function dockerRegistryCommand(
  port: number,
  options: StartOptions,
  users: string | null = null,
): Promise<string[]> {
  const auth = users === null ? {} : { auth: { htpasswd: { realm: "bench", path: users } } };
  const pair = options.tls ? await makeCertificate(options.directory) : null;
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: {
      cache: { blobdescriptor: "inmemory" },
      filesystem: { rootdirectory: join(options.directory, "root") },
      delete: { enabled: true },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: "only for a benchmark",
      ...(pair === null ? {} : { tls: { certificate: pair.cert, key: pair.key } }),
      headers: { "X-Content-Type-Options": ["nosniff"] },
    },
    ...auth,
  };
  const file = join(options.directory, "config.yml");
  await writeFile(file, JSON.stringify(config));
  const threads = `GOMAXPROCS=${options.workers}`;
  return ["env", threads, findProgram("docker-registry") ?? "docker-registry", "serve", file];
}

/** Debian's defaults for serving files (sendfile, tcp_nopush), with the access log off. */
async function nginxCommand(port: number, options: StartOptions): Promise<string[]> {
  const files = join(options.directory, "files");
  await mkdir(files, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(options.directory, kind)};`)
    .join("\n  ");
  const config = `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
pid ${join(options.directory, "nginx.pid")};
error_log stderr error;
worker_processes ${options.workers};
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  ${temporary}
  server { listen 127.0.0.1:${port}; root ${files}; }
}
`;
  const file = join(options.directory, "nginx.conf");
  await writeFile(file, config);
  const program = findProgram("nginx") ?? "nginx";
  return [program, "-p", options.directory, "-e", "stderr", "-c", file];
}
