/**
 * What logins of clouds are fetched with: a request to a service of logins, its answer, and the error that says in one
 * line, without secrets, why there is no login. Who uses it brings the way to send requests.
 */
import type { Clock } from "../clock.ts";
import { readFile } from "../operator_files.ts";
import { isJsonObject, type JsonObject } from "../strict_json.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoginRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers?: readonly (readonly [string, string])[];
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

/** What sources of logins are made with. */
export interface CloudParts {
  readonly clock: Clock;
  readonly env: Environment;
  /** Within a time and a size; redirects are not followed. @throws what says that no answer came. */
  readonly ask: (request: LoginRequest) => Promise<LoginAnswer>;
}

/** A login that should be there and cannot be had: who did not give it, and why, in one line. */
export class CloudLoginError extends Error {
  override readonly name: string = "CloudLoginError";
  readonly host: string;

  constructor(host: string, detail: string, cause?: unknown) {
    super(detail, { cause });
    this.host = host;
  }
}

/** None of the places where a login could be has any. */
export class CloudLoginMissing extends CloudLoginError {}

/** The text of a secret's file, without blanks around it. @throws CloudLoginError */
export function readLoginFile(path: string, host = path): string {
  try {
    return readFile(path).trim();
  } catch (error) {
    throw new CloudLoginError(host, `${path} cannot be read`, error);
  }
}

/** The body of an answer as JSON; null for what is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The JSON object that a service answers with success. @throws CloudLoginError, without what it says beside its error code. */
export async function askForObject(
  request: LoginRequest,
  { ask }: Pick<CloudParts, "ask">,
): Promise<JsonObject> {
  const { status, text } = await ask(request);
  const body = jsonOf(text);
  if (status === 200 && isJsonObject(body)) return body;
  const code = isJsonObject(body) ? (body["error"] ?? body["__type"]) : null;
  const said = typeof code === "string" && /^[\w.#:-]{1,80}$/.test(code) ? ` (${code})` : "";
  const { host } = new URL(request.url);
  throw new CloudLoginError(host, `it answered ${status}${said} where a login was asked for`);
}

/** A member that is text and not empty. @throws CloudLoginError */
export function memberOf(object: JsonObject, name: string, host: string): string {
  const value = object[name];
  if (typeof value === "string" && value !== "" && !/[\r\n]/.test(value)) return value;
  throw new CloudLoginError(host, `its answer has no ${name}`);
}

/** `expires_in` of an answer as the moment of its end, in milliseconds since 1970. */
export function endOf(answer: JsonObject, clock: Clock, defaultS: number): number {
  const seconds = Number(answer["expires_in"]);
  return clock.now() + (Number.isFinite(seconds) && seconds > 0 ? seconds : defaultS) * 1000;
}
