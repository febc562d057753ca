// Commands that ask a running server: what a person names, the request, and what is printed of the answer.
//
// A person names `[HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST]`, as with docker; without a host the server is $ZOT_SERVER or
// the one on this machine. A command gets an `AskedServer`, and what goes wrong becomes one line and an exit status.

import packageJson from "../../package.json" with { type: "json" };
import { ClientError } from "../client/client_error.ts";
import type { Exchange } from "../client/exchange.ts";
import { RegistryClient } from "../client/registry_client.ts";
import { isRepositoryName, parseReference } from "../oci/reference.ts";
import { mistakeStatus, type Given, type Output } from "./command.ts";
import { credentialsOf, limitsOf, Mistake, text, tlsOf } from "./registry_flags.ts";

const serverDefault = "http://127.0.0.1:8080";
const answerBytesMax = 64 * 1024 * 1024;

/** What a person named. */
export interface Target {
  /** Null for the usual server. */
  readonly server: string | null;
  readonly repository: string;
  /** A tag or a digest; null when only the repository was named. */
  readonly reference: string | null;
}

/** The server said no: `message` is its own line. */
export class ServerRefused extends Error {
  override readonly name = "ServerRefused";
  readonly status: number;
  /** The `detail` of its error. */
  readonly detail: unknown;

  constructor(status: number, message: string, detail: unknown) {
    super(message);
    this.status = status;
    this.detail = detail;
  }
}

/** Reads `[HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST]`. @throws Mistake. */
export function parseTarget(given: string): Target {
  const { server, rest } = splitServer(given);
  const at = rest.indexOf("@");
  const colon = rest.indexOf(":", rest.lastIndexOf("/") + 1);
  // `app:1.0@sha256:…` names the digest, as with docker.
  const nameEnd = [at, colon].filter((place) => place !== -1).sort((a, b) => a - b)[0];
  const repository = nameEnd === undefined ? rest : rest.slice(0, nameEnd);
  const reference = nameEnd === undefined ? null : rest.slice((at === -1 ? nameEnd : at) + 1);
  const isFine =
    isRepositoryName(repository) &&
    (reference === null || parseReference(reference).kind !== "invalid");
  if (!isFine) {
    throw new Mistake(
      `expected [HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST], such as team/app:1.0; got '${given}'`,
    );
  }
  return { server, repository, reference };
}

/** Reads `[HOST[:PORT]/][PREFIX]`: a repository, the first components of its name, or nothing. @throws Mistake. */
export function parsePlace(given: string): {
  readonly server: string | null;
  readonly prefix: string;
} {
  const { server, rest } = splitServer(given);
  if (rest === "" || isRepositoryName(rest.replace(/\/$/, ""))) return { server, prefix: rest };
  throw new Mistake(
    `expected [HOST[:PORT]/]REPOSITORY or a prefix of names, such as team/; got '${given}'`,
  );
}

/** A first component with a dot or a port is a host, and so is localhost. */
function splitServer(given: string): { server: string | null; rest: string } {
  const match = /^(https?:\/\/[^/]+|localhost|\[[^\]/]+\](?::\d+)?|[^/@]*[.:][^/@]*)\/(.+)$/i.exec(
    given,
  );
  return { server: match?.[1] ?? null, rest: match?.[2] ?? given };
}

/** The server that was named, else the usual one. */
export function serverGiven(named: string | null): string {
  return named ?? process.env["ZOT_SERVER"] ?? serverDefault;
}

/** A server that a command asks. */
export class AskedServer {
  readonly client: RegistryClient;

  constructor(client: RegistryClient) {
    this.client = client;
  }

  /** The JSON of the answer. @throws ServerRefused for any status but 2xx. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const bytes = body === undefined ? undefined : encoded(body);
    return parsed(await this.send(method, path, bytes));
  }

  /** The answer as it came. @throws ServerRefused for any status but 2xx. */
  async send(method: string, path: string, body?: Uint8Array): Promise<Exchange> {
    const exchange = await this.client.exchange({
      method,
      url: path,
      bodyBytesMax: answerBytesMax,
      ...(body === undefined ? {} : { body, headers: [["Content-Type", "application/json"]] }),
    });
    if (exchange.status < 200 || exchange.status > 299) throw refusalOf(exchange, this.client.url);
    return exchange;
  }
}

/** Asks a server and prints what comes of it. Returns the exit status. */
export async function withServer(
  given: Given,
  output: Output,
  work: { readonly server: string | null; run(server: AskedServer): Promise<number> },
): Promise<number> {
  let client: RegistryClient | null = null;
  try {
    client = new RegistryClient({
      url: serverGiven(work.server),
      credentials: credentialsOf(given),
      tls: await tlsOf(given),
      userAgent: `zot/${packageJson.version}`,
      ...limitsOf(given),
    });
    return await work.run(new AskedServer(client));
  } catch (error) {
    return failed(error, output);
  } finally {
    client?.close();
  }
}

/** Prints a mistake or an answer that refuses as one line. Anything else is thrown on. */
export function failed(error: unknown, output: Output): number {
  const known =
    error instanceof Mistake || error instanceof ClientError || error instanceof ServerRefused;
  if (!known) throw error;
  output.error(`zot: ${printable(error.message)}\n`);
  return error instanceof Mistake ? mistakeStatus : 1;
}

/** `--format`: text for people, or JSON. @throws Mistake. */
export function wantsJson(given: Given): boolean {
  const format = text(given, "format") ?? "text";
  if (format === "text" || format === "json") return format === "json";
  throw new Mistake(`expected --format text or json, got '${format}'`);
}

/** Rows under a head, if there is one, in columns as wide as their widest cell. */
export function inColumns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [...(head.length === 0 ? [] : [head]), ...rows].map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of lines) {
    for (const [column, { length }] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, length);
    }
  }
  return lines
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** What comes from a server must not move the cursor. */
export function printable(value: string): string {
  return value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

function encoded(body: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}

function parsed(exchange: Exchange): unknown {
  const body = new TextDecoder().decode(exchange.body);
  if (body === "") return null;
  try {
    return JSON.parse(body);
  } catch {
    throw new ServerRefused(
      exchange.status,
      `expected JSON, got ${JSON.stringify(body.slice(0, 80))}`,
      null,
    );
  }
}

/** The line of an API error; a server that has no such endpoint is another registry, or an older one. */
function refusalOf(exchange: Exchange, server: string): ServerRefused {
  const { status, reason } = exchange;
  const first = firstError(exchange);
  const message = first === null ? `${status} ${reason}` : `${first.message} (${first.code})`;
  return new ServerRefused(status, `${server}: ${message}`, first?.detail ?? null);
}

function firstError({ body }: Exchange): { code: string; message: string; detail: unknown } | null {
  try {
    const parsedBody: {
      errors?: { code?: unknown; message?: unknown; detail?: unknown }[];
    } | null = JSON.parse(new TextDecoder().decode(body));
    const first = parsedBody?.errors?.[0];
    if (typeof first?.code !== "string" || typeof first.message !== "string") return null;
    return { code: first.code, message: first.message, detail: first.detail ?? null };
  } catch {
    return null;
  }
}
