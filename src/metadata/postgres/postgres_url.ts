/**
 * The address of a database of PostgreSQL, as libpq writes it: `postgres://user:password@host:port/database?…`.
 *
 * The connection is verified (`sslmode=verify-full`), or stays on this machine: passwords and facts are not sent to
 * whoever answers. A directory of a unix socket is named as `host=/run/postgresql`, behind the question mark.
 */

export interface PostgresAddress {
  /** Null for a unix socket. */
  readonly host: string | null;
  /** Directory of the unix socket. */
  readonly directory: string | null;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** With TLS, which proves the name of the host. */
  readonly isVerified: boolean;
}

const defaultPort = 5432;

/** Where nobody can listen in, or pretend to be the server. */
const localHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);

const example = `"postgres://zot@db.example.com/zot?sslmode=verify-full"`;
const knownParameters = ["host", "port", "user", "password", "sslmode"] as const;

/** What other parameters of libpq are here. */
const elsewhere: Readonly<Record<string, string>> = {
  sslrootcert: "name the file as storage.metadata.ca",
  options: "name the schema as storage.metadata.schema",
  search_path: "name the schema as storage.metadata.schema",
  passfile: "name a file with nothing but the password as storage.metadata.passwordFile",
};

/** The address; or what was expected, and why, as the end of a sentence that begins with "expected". */
export function parsePostgresUrl(text: string): PostgresAddress | { readonly expected: string } {
  const url = urlOf(text);
  if (url === null) return { expected: `the URL of a database of PostgreSQL, such as ${example}` };
  const parameters = new Map(url.searchParams);
  for (const name of parameters.keys()) {
    if (knownParameters.some((each) => each === name)) continue;
    const instead = elsewhere[name] ?? `known are ${knownParameters.join(", ")}`;
    return { expected: `no ${showName(name)} in the URL: ${instead}` };
  }
  const decoded = decodedParts(url);
  if (decoded === null)
    return { expected: "a URL whose percent signs lead two hexadecimal digits" };
  const named = parameters.get("host") ?? decoded.host;
  const directory = named.startsWith("/") ? named : null;
  const address: PostgresAddress = {
    host: directory === null ? named : null,
    directory,
    port: Number(parameters.get("port") ?? (url.port === "" ? defaultPort : url.port)),
    user: parameters.get("user") ?? decoded.user,
    password: parameters.get("password") ?? (decoded.password === "" ? null : decoded.password),
    database: decoded.database,
    isVerified: parameters.get("sslmode") === "verify-full",
  };
  const problem = problemOf(address, parameters.get("sslmode") ?? null);
  return problem === null ? address : { expected: problem };
}

/** As people are told of it: without the password, and without what they need not know. */
export function showPostgresUrl(text: string): string {
  const address = parsePostgresUrl(text);
  if ("expected" in address) return "";
  const { host, directory, port, database } = address;
  return directory === null
    ? `${database} at ${host}:${port}`
    : `${database} at ${directory}, port ${port}`;
}

function problemOf(address: PostgresAddress, mode: string | null): string | null {
  const { host, port, user, database } = address;
  if (host?.includes(",") === true) {
    return "one host: a name or a proxy that leads to the primary takes the place of a list";
  }
  if (host === "") return `a host, or host=/directory of a unix socket, as in ${example}`;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return "a port from 1 to 65535";
  if (user === "") return `a user, as in ${example}`;
  if (database === "" || database.includes("/")) return `the name of a database, as in ${example}`;
  return modeProblem(address, mode);
}

function modeProblem({ host, isVerified }: PostgresAddress, mode: string | null): string | null {
  if (isVerified) {
    return host === null ? "no sslmode=verify-full for a unix socket, which has no TLS" : null;
  }
  if (mode !== null && mode !== "disable") {
    return (
      "sslmode=verify-full: with any other mode than that whoever answers in the place of the server would be given " +
      "the password; name the authority of its certificate as storage.metadata.ca"
    );
  }
  if (host === null || localHosts.has(host)) return null;
  return (
    "sslmode=verify-full for a database on another machine: without it passwords and facts could be read and changed " +
    "on the way"
  );
}

function urlOf(text: string): URL | null {
  // A host is missing where a socket is named: such a URL can have no user for a parser of the web.
  const full = text.replace(/^(postgres(?:ql)?:\/\/)([^/@?#]*@)?(?=[/?]|$)/i, "$1$2socket.invalid");
  if (!/^postgres(ql)?:\/\//i.test(full) || !URL.canParse(full)) return null;
  const url = new URL(full);
  return url.hash === "" ? url : null;
}

function decodedParts(url: URL) {
  try {
    const host = decodeURIComponent(url.hostname);
    return {
      host: host === "socket.invalid" ? "" : host,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.replace(/^\//, "")),
    };
  } catch {
    return null;
  }
}

function showName(name: string): string {
  return /^[\w-]{1,40}$/.test(name) ? name : "such parameter";
}
