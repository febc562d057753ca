/**
 * Requests to the registry that served the page: same origin, below the same base.
 *
 * The name and password of who signed in stand in this module's memory, for as long as the page is open, and nowhere
 * else. Every request says that a page asks, so that the server sends no challenge that the browser would answer.
 */
import { Store } from "./store.ts";

/** An answer that is an error, in the registry's own words. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Raised each time that the server wants a login. */
export const refusals = new Store(0);

const held: { authorization: string | null } = { authorization: null };

export function holdCredentials(name: string, password: string): void {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  held.authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

export function dropCredentials(): void {
  held.authorization = null;
}

export const hasCredentials = (): boolean => held.authorization !== null;

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Paths are from the root of the registry, without a slash: `v2/team/app/tags/list`. */
export function urlOf(path: string): URL {
  return new URL(`../${path}`, document.baseURI);
}

/** The answer, whatever its status. @throws Problem where there is none. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", json, signal } = asked;
  const headers: Record<string, string> = { "X-ZOT-API-CLIENT": "zot-ui", ...asked.headers };
  if (held.authorization !== null) headers["Authorization"] = held.authorization;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(urlOf(path), {
      method,
      headers,
      // What the browser remembers of a login elsewhere must not decide who is asking.
      credentials: "omit",
      cache: "no-store",
      ...(signal === undefined ? {} : { signal }),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "The registry cannot be reached. Is it running?");
  }
}

/** An answer of 2xx. @throws Problem. */
export async function request(path: string, asked: Asked = {}): Promise<Response> {
  const response = await ask(path, asked);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401) refusals.set(refusals.value + 1);
  throw problem;
}

/** The JSON of an answer, as far as it is an object or a list. @throws Problem. */
export async function requestJson<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await request(path, asked);
  try {
    return (await response.json()) as T;
  } catch {
    throw new Problem(response.status, "The answer is not the JSON that was expected");
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const fallback = `The registry answered ${response.status}`;
  try {
    const { errors } = (await response.json()) as { errors?: { message?: string }[] };
    return new Problem(response.status, errors?.[0]?.message ?? fallback);
  } catch {
    return new Problem(response.status, fallback);
  }
}

/** An answer of GraphQL. @throws Problem; with status 404 where the server has no search. */
export async function query<T>(text: string, variables: object, signal?: AbortSignal): Promise<T> {
  // Reading is by GET: whoever may not write from this page, or by this name of the server, may read.
  const parameters = new URLSearchParams({
    query: text.replaceAll(/\s+/g, " "),
    variables: JSON.stringify(variables),
  });
  const response = await ask(`v2/_zot/ext/search?${parameters.toString()}`, { signal });
  if (response.status === 401) refusals.set(refusals.value + 1);
  if (!response.ok && response.status !== 422) throw await problemOf(response);
  const { data, errors } = (await response.json()) as {
    data?: T | null;
    errors?: { message: string }[];
  };
  if (data === undefined || data === null) {
    throw new Problem(response.status, errors?.[0]?.message ?? "Nothing was found");
  }
  return data;
}
