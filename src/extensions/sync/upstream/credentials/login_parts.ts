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
import type {
  CloudParts,
  Environment,
  LoginAnswer,
  LoginRequest,
} from "../../../../lib/cloud/cloud_login.ts";

/** A login, and until when it can be used (milliseconds since 1970). */
export interface Login {
  readonly credentials: Credentials;
  readonly untilMs: number;
}

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

/** What a service of logins has to answer within, and may answer at most. */
const wholeMs = 30_000;
const answerBytesMax = 256 * KiB;

/** @throws ClientError */
async function askForLogin(
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

/** What the logins of clouds are fetched with. */
export function cloudParts(parts: LoginParts): CloudParts {
  const { clock, env } = parts;
  return { clock, env, ask: (request) => askForLogin(request, parts) };
}
