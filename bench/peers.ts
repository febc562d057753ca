// The servers that `npm run bench` compares, as a table: how each is configured and started, and what a client needs.
//
// Every server listens on loopback on a port that was free, keeps its data under the directory it is given, writes no
// access log, and has as many processes or threads as the others. A program that is not installed is named together
// with its Debian package; nothing is installed here.

import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import type { Target } from "../src/bench/bench.ts";
import type { Credentials } from "../src/client/client_auth.ts";
import { eventually, run, type Service, startService } from "../test/processes.ts";
import { freePort } from "../test/temp.ts";

export const peerNames = [
  "zot",
  "zot-before",
  "docker-registry",
  "zot-htpasswd",
  "docker-registry-htpasswd",
  "nginx",
  "floor-file",
  "floor-loopback",
] as const;

export type PeerName = (typeof peerNames)[number];

/** A peer that runs, as the benchmark sees it. */
export interface Peer extends AsyncDisposable {
  readonly name: PeerName;
  readonly target: Target;
}

export interface StartOptions {
  readonly directory: string;
  readonly workers: number;
  readonly tls: boolean;
  /** The checkout that `zot-before` is started from. */
  readonly against: string | null;
}

interface PeerRow {
  readonly title: string;
  readonly needs?: { readonly program: string; readonly package: string };
  readonly version?: readonly string[];
  /** Writes what the server reads at its start and gives the command. */
  readonly command: (port: number, options: StartOptions) => Promise<readonly string[]>;
  /** What the client logs in with. */
  readonly credentials?: Credentials;
}

const credentials = {
  kind: "password",
  user: "bench",
  password: "a password for a benchmark",
} as const;

const checkout = resolve(import.meta.dir, "..");

/** A push of many large blobs at once may wait for the disk. */
const idleMs = 120_000;

/** Processes or threads that every server gets unless a scenario says otherwise: this registry's default. */
export const workersDefault = Math.min(availableParallelism(), 4);

export const peers: Readonly<Record<PeerName, PeerRow>> = {
  zot: {
    title: "this registry",
    version: [join(checkout, "bin", "zot"), "--version"],
    command: (port, options) => zotCommand(checkout, port, options),
  },
  "zot-before": {
    title: "this registry, from the checkout given with --against",
    command: (port, options) => zotCommand(options.against ?? checkout, port, options),
  },
  "docker-registry": {
    title: "Debian's docker-registry",
    needs: { program: "docker-registry", package: "docker-registry" },
    version: ["docker-registry", "--version"],
    command: (port, options) => dockerRegistryCommand(port, options),
  },
  "zot-htpasswd": {
    title: "this registry, with an htpasswd file (bcrypt, cost 10)",
    command: async (port, options) =>
      zotCommand(checkout, port, options, await makeUsers(options.directory)),
    credentials,
  },
  "docker-registry-htpasswd": {
    title: "Debian's docker-registry, with the same htpasswd file",
    needs: { program: "docker-registry", package: "docker-registry" },
    command: async (port, options) =>
      dockerRegistryCommand(port, options, await makeUsers(options.directory)),
    credentials,
  },
  nginx: {
    title: "Debian's nginx, the same bytes as static files",
    needs: { program: "nginx", package: "nginx-light" },
    version: ["nginx", "-v"],
    command: nginxCommand,
  },
  "floor-file": {
    title:
      "floor: a program that reads a file, hashes it and writes it to another, when it is asked",
    command: floorCommand,
  },
  "floor-loopback": {
    title: "floor: a program that takes a body from a loopback socket, hashes it and writes it",
    command: floorCommand,
  },
};

/** The programs among `names` that are not installed, one line each. */
export function missingPrograms(names: readonly PeerName[]): string[] {
  return names.flatMap((name) => {
    const needs = peers[name].needs;
    if (needs === undefined || findProgram(needs.program) !== null) return [];
    return [`${needs.program} is not installed; on Debian: apt-get install ${needs.package}`];
  });
}

/** The version that a server prints about itself, or null where it has none of its own. */
export async function versionOf(name: PeerName): Promise<string | null> {
  const [program, ...args] = peers[name].version ?? [];
  if (program === undefined) return null;
  const output = await run(findProgram(program) ?? program, args).catch(() => null);
  if (output === null || output.code !== 0) return null;
  // docker-registry says "docker-registry github.com/docker/distribution 2.8.2", nginx "nginx version: nginx/1.22.1".
  const text = (output.stdout + output.stderr).trim();
  return /\d+\.\d+\.\d+\S*/.exec(text)?.[0] ?? text;
}

/** Starts a server in `options.directory` and waits until it answers. */
export async function startPeer(name: PeerName, options: StartOptions): Promise<Peer> {
  await mkdir(options.directory, { recursive: true });
  const port = await freePort();
  const url = `${options.tls ? "https" : "http"}://127.0.0.1:${port}`;
  const service = startService(await peers[name].command(port, options));
  try {
    await eventually(`${name} answers`, () => answers(name, service, url), 30_000);
  } catch (error) {
    await service.stop().catch(() => undefined);
    throw error;
  }
  const login = peers[name].credentials;
  const client = {
    url,
    tls: { insecure: true },
    limits: { idleMs },
    ...(login === undefined ? {} : { credentials: login }),
  };
  return {
    name,
    target: { label: name, client, pid: service.pid },
    [Symbol.asyncDispose]: async () => {
      if (service.running()) await service.stop();
    },
  };
}

async function answers(name: PeerName, service: Service, url: string): Promise<boolean> {
  if (!service.running()) {
    const output = [...service.stdout(), ...service.stderr()].slice(-10).join("\n");
    throw new Error(`${name} ended at its start:\n${output}`);
  }
  const reply = await fetch(`${url}/v2/`, { tls: { rejectUnauthorized: false } }).catch(() => null);
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
  const hash = await Bun.password.hash(credentials.password, { algorithm: "bcrypt", cost: 10 });
  const path = join(directory, "users");
  await writeFile(path, `${credentials.user}:${hash.replace("$2b$", "$2y$")}\n`);
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

async function floorCommand(port: number, { directory }: StartOptions): Promise<string[]> {
  return [process.execPath, join(import.meta.dir, "floor_server.ts"), String(port), directory];
}

/**
 * Debian's defaults for serving files (sendfile, tcp_nopush), with the access log off. Blobs are pushed as to a
 * registry: an upload is opened by a fixed answer, and PUT (WebDAV) writes the file that GET then reads.
 */
async function nginxCommand(port: number, options: StartOptions): Promise<string[]> {
  const { directory } = options;
  const files = join(directory, "files");
  await mkdir(files, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(directory, kind)};`)
    .join("\n  ");
  const config = `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
pid ${join(directory, "nginx.pid")};
error_log stderr error;
worker_processes ${options.workers};
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  default_type application/octet-stream;
  ${temporary}
  map $arg_digest $hex { "~*^sha256(:|%3A)(?<digits>[0-9a-f]+)$" $digits; }
  server {
    listen 127.0.0.1:${port};
    root ${files};
    location / { dav_methods PUT; create_full_put_path on; }
    location ~ ^/v2/(?<opened>.+)/blobs/uploads/$ {
      add_header Location /upload/$opened always;
      return 202;
    }
    location ~ ^/upload/(?<pushed>.+)$ { rewrite ^ /v2/$pushed/blobs/sha256:$hex? last; }
  }
}
`;
  const file = join(directory, "nginx.conf");
  await writeFile(file, config);
  const program = findProgram("nginx") ?? "nginx";
  return [program, "-p", directory, "-e", "stderr", "-c", file];
}
