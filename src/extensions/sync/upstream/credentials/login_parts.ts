/**
 * What every source of logins has: a login with its end, the way to fetch one over HTTP, and the error that says in one
 * line, without secrets, why there is none.
 */
import { ClientError } from "../../../../client/client_error.ts";
import type { Credentials } from "../../../../client/client_auth.ts";
import type { TlsOptions } from "../../../../client/connection.ts";
import type { HeaderLine } from "../../../../client/http_message.ts";
import { RegistryClient } from "../../../../client/registry_client.ts";
import { formatOrigin, type Origin, parseAbsolute } from "../../../../client/registry_url.ts";
import type { Route } from "../../../../client/route.ts";
import { KiB } from "../../../../lib/bytes.ts";
import type { Clock } from "../../../../lib/clock.ts";
import { isJsonObject, type JsonObject } from "../../../../lib/strict_json.ts";
import { jsonOf } from "../answers.ts";
import { readFile } from "../operator_files.ts";

/** A login, and until when it can be used (milliseconds since 1970). */
export interface Login {
  readonly credentials: Credentials;
  readonly untilMs: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What sources are made with. */
export interface LoginParts {
  readonly clock: Clock;
  readonly env: Environment;
  readonly tls: TlsOptions;
  /** The way to services of the operator's choice: through his proxy. */
  readonly routeTo: (origin: Origin) => Route;
}

/** A login that should be there and cannot be had. */
export function loginProblem(host: string, detail: string, cause?: unknown): ClientError {
  return new ClientError("credentials", host, { detail, cause });
}

/** The text of a secret's file, without blanks around it. @throws ClientError */
export function readSecret(path: string, host = path): string {
  try {
    return readFile(path).trim();
  } catch (error) {
    throw loginProblem(host, `${path} cannot be read`, error);
  }
}

/** What a service of logins has to answer within, and may answer at most. */
const wholeMs = 30_000;
const answerBytesMax = 256 * KiB;

export interface LoginRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers?: readonly HeaderLine[];
  /** A form where it is an object. */
  readonly body?: string | Readonly<Record<string, string>>;
  /** Not through a proxy: services of the machine itself. */
  readonly isLocal?: boolean;
  readonly wholeMs?: number;
}

export interface LoginAnswer {
  readonly status: number;
  readonly text: string;
}

/** @throws ClientError */
export async function askForLogin(
  request: LoginRequest,
  { clock, tls, routeTo }: LoginParts,
): Promise<LoginAnswer> {
  const address = parseAbsolute(request.url);
  if (address === null) throw loginProblem("the login", "expected an http or https URL");
  const client = new RegistryClient({
    url: formatOrigin(address.origin),
    tls,
    clock,
    userAgent: "zot",
    ...(request.isLocal === true ? {} : { route: routeTo(address.origin) }),
  });
  const late = new AbortController();
  const over = new AbortController();
  void clock.sleep(request.wholeMs ?? wholeMs, over.signal).then(() => {
    if (!over.signal.aborted) late.abort();
  });
  const { body } = request;
  const isForm = typeof body === "object";
  const text = isForm ? new URLSearchParams(body).toString() : (body ?? null);
  const type: HeaderLine[] = isForm ? [["Content-Type", "application/x-www-form-urlencoded"]] : [];
  try {
    const answer = await client.exchange({
      method: request.method,
      url: address,
      headers: [...type, ...(request.headers ?? [])],
      ...(text === null ? {} : { body: new TextEncoder().encode(text) }),
      login: "none",
      redirectsMax: 0,
      bodyBytesMax: answerBytesMax,
      secretBodies: true,
      signal: late.signal,
    });
    return { status: answer.status, text: Buffer.from(answer.body).toString("utf8") };
  } finally {
    over.abort();
    client.close();
  }
}

/** The JSON object that a service answers with success. @throws ClientError, without what the answer says beside its error code. */
export async function askForJson(request: LoginRequest, parts: LoginParts): Promise<JsonObject> {
  const { status, text } = await askForLogin(request, parts);
  const body = jsonOf(new TextEncoder().encode(text));
  const { host } = new URL(request.url);
  if (status === 200 && isJsonObject(body)) return body;
  const code = isJsonObject(body) ? (body["error"] ?? body["__type"]) : null;
  const said = typeof code === "string" && /^[\w.#:-]{1,80}$/.test(code) ? ` (${code})` : "";
  throw loginProblem(host, `it answered ${status}${said} where a login was asked for`);
}

/** A member that is text and not empty. @throws ClientError */
export function textIn(object: JsonObject, name: string, host: string): string {
  const value = object[name];
  if (typeof value === "string" && value !== "" && !/[\r\n]/.test(value)) return value;
  throw loginProblem(host, `its answer has no ${name}`);
}

/** `expires_in` of an answer as the moment of its end. */
export function endOf(answer: JsonObject, clock: Clock, defaultS: number): number {
  const seconds = Number(answer["expires_in"]);
  return clock.now() + (Number.isFinite(seconds) && seconds > 0 ? seconds : defaultS) * 1000;
}
