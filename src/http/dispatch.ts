/**
 * The pipeline of a request, from top to bottom: target, endpoint, repository name, admission, handler, error, log
 * line.
 *
 * The path is parsed once, for routing, admission and the handler. Every request ends in exactly one answer and one log
 * line. An exception of a handler becomes an API error of the table, and only API errors of 5xx are logged with their
 * cause. Of a request only path, length and client go into a log.
 */
import type { Clock } from "../lib/clock.ts";
import type { NetworkSet } from "../lib/networks.ts";
import { BudgetSpent } from "../lib/request_budget.ts";
import { apiError, ApiError, type ApiErrorName } from "../oci/errors.ts";
import type { LocatedName, LocateName } from "../oci/located_name.ts";
import { isPastName } from "../oci/past_name.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { Admission } from "./admission.ts";
import { answerBodies, BodyMemory, type Room } from "./body_memory.ts";
import { Call, type Connection } from "./call.ts";
import type { Cors } from "./cors.ts";
import {
  bodyBytes,
  isFollowed,
  isSentLater,
  type BodyEnd,
  type Endpoint,
  type Reply,
} from "./endpoint.ts";
import { clientAddress, ForwardedConnection } from "./forwarded.ts";
import { gatherReply } from "./gather_body.ts";
import { isPageClient } from "./page_client.ts";
import type { RateLimits } from "./rate_limits.ts";
import { errorReply } from "./reply.ts";
import type { Router } from "./router.ts";

/** One line per answered request. */
export interface AccessRecord {
  readonly id: string;
  readonly client: string | null;
  readonly who: string | null;
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly repository: string | null;
  readonly status: number;
  /** Bytes of the answer's body that were sent, if known; for uploads the bytes of the request that came. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Name of the API error in the table, on answers that are one. */
  readonly reason?: ApiErrorName;
  readonly error?: string;
  /** The client went away before its body was complete; the answer was not read. */
  readonly aborted?: true;
}

/** What a changed configuration replaces while requests are answered. */
export interface DispatchSettings<App> {
  readonly app: App;
  readonly cors: Cors;
  /** Authenticates and authorises; null when every caller may do everything. */
  readonly admission?: Admission | null;
  /** Callers must show a client certificate, but for their health checks. */
  readonly certificateRequired?: boolean;
  /** Proxies that are believed who their clients are; null when there are none. */
  readonly proxies?: NetworkSet | null;
  /** How much callers may ask for; null for as much as they like. */
  readonly rates?: RateLimits | null;
}

export interface DispatchOptions<App> extends DispatchSettings<App> {
  readonly router: Router<App>;
  readonly clock: Clock;
  /** Prefix of request ids: tells processes apart. */
  readonly idPrefix: string;
  /** Maps failures of the layers below to API errors; null for what it does not know. */
  readonly explain: (error: unknown) => {
    readonly reason: ApiErrorName;
    readonly message?: string;
    readonly detail?: unknown;
  } | null;
  readonly onAnswer: (record: AccessRecord, failure: unknown) => void;
  /** Finds the repository that the name of a request means; without it each name means itself. */
  readonly locate?: LocateName | null;
  /** While true, answers ask clients to close their connection. */
  readonly isStopping: () => boolean;
}

/** Headers of every answer. */
const common = {
  "docker-distribution-api-version": "registry/2.0",
  "x-content-type-options": "nosniff",
} as const;

/** Paths with their query that are longer than this are refused before they are split. */
const urlBytesMax = 8 * 1024;

interface Handled<App> {
  readonly reply: Reply;
  readonly row: Endpoint<App> | null;
  readonly call: Call | null;
  /** What was thrown, and the API error that it became; null when nothing was. */
  readonly failure: unknown;
  readonly reason: ApiErrorName | null;
  /** The memory that the answer holds until it is sent. */
  readonly room?: Room | null;
}

/** What is known of a request when its answer begins. */
interface Done<App> {
  readonly id: string;
  readonly client: string | null;
  readonly target: Target | "too-long" | null;
  readonly handled: Handled<App>;
  readonly durationMs: number;
}

interface Target {
  readonly path: string;
  readonly query: string;
}

export class Dispatcher<App> {
  #options: DispatchOptions<App>;
  readonly #bodies: BodyMemory;
  readonly #answers: BodyMemory;
  #count = 0;

  constructor(options: DispatchOptions<App>) {
    this.#options = options;
    this.#bodies = new BodyMemory(options.clock);
    this.#answers = new BodyMemory(options.clock, answerBodies);
  }

  /** Requests from now on are answered by these; those in flight go on as they began. */
  replace(settings: DispatchSettings<App>): void {
    this.#options = { ...this.#options, ...settings };
  }

  /** Answers one request. Never rejects. */
  async dispatch(request: Request, from: Connection): Promise<Reply> {
    const { clock, proxies } = this.#options;
    const connection = proxies ? forwarded(from, request, proxies) : from;
    const startedMs = clock.monotonicMs();
    const id = `${this.#options.idPrefix}${(++this.#count).toString(36)}`;
    const target = targetOf(request.url);
    const handled = await this.#handle(request, connection, id, target);
    handled.call?.end();
    const reply = this.#finish(request, id, handled.reply);
    const durationMs = clock.monotonicMs() - startedMs;
    const done: Done<App> = { id, client: connection.address, target, handled, durationMs };
    if (!isFollowed(reply.body)) {
      this.#record(request, done, null);
      return reply;
    }
    // Its line waits for what came of it.
    const onEnd = (end: BodyEnd): void => {
      handled.room?.leave();
      this.#record(request, done, end);
    };
    return { ...reply, onEnd };
  }

  async #handle(
    request: Request,
    connection: Connection,
    id: string,
    target: Target | "too-long" | null,
  ): Promise<Handled<App>> {
    const { router, cors, app } = this.#options;
    let row: Endpoint<App> | null = null;
    let call: Call | null = null;
    try {
      checkCertificate(connection);
      if (target === null) throw apiError("NOT_FOUND");
      if (target === "too-long") throw urlTooLong();
      const { path, query } = target;
      const has = (name: string): boolean => query !== "" && hasParameter(query, name);
      const match = router.match(request.method, path, has);
      if (match.kind === "matched") ({ row } = match);
      if (row?.uncounted !== true) this.#checkRate(request, connection);
      checkPage(cors, request, connection);
      if (match.kind === "no-path") throw noPath(path);
      if (match.kind === "no-method") {
        if (request.method !== "OPTIONS") throw wrongMethod(request.method, match.allow);
        const reply = cors.preflight(request.headers.get("origin"), match.allow);
        return { reply, row, call, failure: null, reason: null };
      }
      ({ row } = match);
      checkRepository(row, match.params);
      const locating = this.#locate(row, match.params, query);
      const located = locating instanceof Promise ? await locating : locating;
      call = new Call({
        id,
        method: request.method,
        path,
        queryText: query,
        params: located === null ? match.params : named(match.params, located),
        located,
        request,
        connection,
        bodies: this.#bodies,
      });
      if (this.#options.certificateRequired === true) requireCertificate(row, connection);
      // A promise only where credentials must be verified: a remembered caller needs none.
      const admitted = this.#options.admission?.admit(call, row);
      if (admitted !== undefined) await admitted;
      if (located?.refused !== undefined) throw located.refused;
      checkPresent(row, call);
      checkEncoding(row, call);
      const made = await row.run(call, app);
      const answer = (await gatherReply(this.#answers, call, made)) ?? this.#held(call, made);
      return { ...answer, row, call, failure: null, reason: null };
    } catch (error) {
      const refused = this.#errorOf(error);
      const reply = withAllow(errorReply(refused), row, request.method, router);
      return { reply, row, call, failure: error, reason: refused.reason };
    }
  }

  /** Before anybody is asked whether the caller may: policies are about names of this registry. */
  #locate(
    { needs }: Endpoint<App>,
    { repository }: Readonly<Record<string, string>>,
    query: string,
  ): null | LocatedName | Promise<LocatedName> {
    const { locate = null } = this.#options;
    if (locate === null || repository === undefined || isPastName(repository)) return null;
    const namespace = query === "" ? null : new URLSearchParams(query).get("ns");
    return locate(repository, namespace, needs === "push" || needs === "delete" ? needs : "pull");
  }

  /** What lies in memory for a reader who may be slow. @throws TOO_MANY_REQUESTS, UNAVAILABLE. */
  #held(call: Call, reply: Reply): { readonly reply: Reply; readonly room: Room | null } {
    const { body } = reply;
    const isLarge = call.method !== "HEAD" && body instanceof Uint8Array && isSentLater(body);
    return { reply, room: isLarge ? this.#answers.hold(call.counted, body.length) : null };
  }

  #checkRate(request: Request, connection: Connection): void {
    const { rates, admission } = this.#options;
    if (!rates) return;
    const name = (): string | null => admission?.knownName(request, connection) ?? null;
    const denied = rates.check(request.method, connection.address, name);
    if (denied !== null) throw denied;
  }

  #errorOf(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    if (error instanceof BudgetSpent) return apiError("TOO_COSTLY", { cause: error });
    const known = this.#options.explain(error);
    if (known === null) return apiError("UNKNOWN", { cause: error });
    const { reason, ...says } = known;
    return apiError(reason, { cause: error, ...says });
  }

  /** Adds what every answer carries. */
  #finish(request: Request, id: string, reply: Reply): Reply {
    const origin = request.headers.get("origin");
    const headers: Record<string, string> = {
      ...common,
      ...reply.headers,
      ...this.#options.cors.headers(origin),
    };
    if (reply.status >= 400) headers["x-request-id"] = id;
    if (isPageClient(request.headers)) delete headers["www-authenticate"];
    if (this.#options.isStopping()) headers["connection"] = "close";
    const body = request.method === "HEAD" ? null : reply.body;
    return { ...reply, headers, body };
  }

  #record(request: Request, done: Done<App>, end: BodyEnd | null): void {
    const { row, call, reply } = done.handled;
    const failure = failureOf(done.handled, end);
    const instead = end?.kind === "replaced" ? this.#errorOf(end.error) : null;
    const status = instead?.status ?? reply.status;
    const reason = instead?.reason ?? done.handled.reason;
    this.#options.onAnswer(
      {
        id: done.id,
        client: done.client,
        who: call?.by ?? null,
        what: row?.name ?? "none",
        method: request.method,
        path: pathOf(done.target),
        repository: call === null || call.repository === "" ? null : call.repository,
        status,
        bytes: end?.sentBytes ?? bytesOf(request, row, call, reply),
        durationMs: Math.round(done.durationMs * 1000) / 1000,
        ...(reason === null ? {} : { reason }),
        ...(failure instanceof Error ? { error: failure.message } : {}),
        ...(end?.kind === "aborted" || isAborted(request, row, call) ? { aborted: true } : {}),
      },
      status >= 500 || end?.kind === "cut" ? failure : null,
    );
  }
}

function failureOf<App>({ failure, reply }: Handled<App>, end: BodyEnd | null): unknown {
  if (end?.kind === "replaced") return end.error;
  if (end?.kind !== "cut") return failure;
  const { sentBytes, problem } = end;
  const size = isFollowed(reply.body) ? bodyBytes(reply.body) : sentBytes;
  return new Error(`the answer was cut after ${sentBytes} of ${size} bytes: ${problem}`);
}

function forwarded(from: Connection, request: Request, proxies: NetworkSet): Connection {
  const { address } = from;
  const client = clientAddress(address, request.headers.get("x-forwarded-for"), proxies);
  return client === address ? from : new ForwardedConnection(from, client);
}

/** Path and query of a request's URL; null when it is not one that we can read. */
function targetOf(url: string): Target | "too-long" | null {
  // The URL is built from the Host header, which may be anything: it is never parsed as a whole.
  const start = url.startsWith("http") ? url.indexOf("/", 8) : 0;
  if (start === -1 || url.charCodeAt(start) !== 0x2f) return null;
  const hash = url.indexOf("#", start);
  const end = hash === -1 ? url.length : hash;
  const mark = url.indexOf("?", start);
  const pathEnd = mark === -1 || mark > end ? end : mark;
  if (end - start > urlBytesMax) return "too-long";
  return {
    path: url.slice(start, pathEnd),
    query: pathEnd === end ? "" : url.slice(pathEnd + 1, end),
  };
}

function pathOf(target: Target | "too-long" | null): string {
  return target === null || target === "too-long" ? "" : target.path;
}

/** Nothing is served there; a proxy that leaves its own path in the request is the usual reason below `/v2/`. */
function noPath(path: string): ApiError {
  const prefix = /^(\/[\w.~-]{1,60}){1,3}(?=\/v2\/)/.exec(path)?.[0];
  if (prefix === undefined || /^\/v2(\/|$)/.test(prefix)) return apiError("NOT_FOUND");
  return apiError("NOT_FOUND", {
    message: `Expected a path that begins with /v2/; a proxy in front must take ${prefix} away`,
  });
}

function urlTooLong(): ApiError {
  return apiError("URL_TOO_LONG", {
    message: `URL is longer than the ${urlBytesMax} bytes that this registry reads`,
  });
}

/** Whether a raw query has a parameter, without parsing all of it. */
function hasParameter(query: string, name: string): boolean {
  return `&${query}`.includes(`&${name}=`) || `&${query}&`.includes(`&${name}&`);
}

/** A 405 says what is allowed, also where a handler refused what the path serves at other times. */
function withAllow<App>(
  reply: Reply,
  row: Endpoint<App> | null,
  method: string,
  router: Router<App>,
): Reply {
  if (reply.status !== 405 || row === null || "allow" in reply.headers) return reply;
  const allow = router.methodsOf(row.path).filter((served) => served !== method);
  return { ...reply, headers: { ...reply.headers, allow: allow.join(", ") } };
}

/** A certificate that does not verify is an error: a client that shows one wants to be identified by it. */
function checkCertificate({ certificateProblem }: Connection): void {
  if (!certificateProblem) return;
  const message = `The client certificate is not accepted: ${certificateProblem}`;
  throw apiError("DENIED", { message });
}

const pageProblems = {
  "foreign-page":
    "Pages of other origins may not write here; http.allowOrigin would have to name theirs",
  "foreign-host":
    "Browsers reach this registry by its address or its own name; for another, http.externalUrl would have to be the URL",
} as const;

function checkPage(cors: Cors, { method, headers }: Request, { tlsVersion }: Connection): void {
  const problem = cors.problemOf(method, headers, tlsVersion !== null);
  if (problem !== null) throw apiError("DENIED", { message: pageProblems[problem] });
}

function requireCertificate<App>({ name }: Endpoint<App>, { certificate }: Connection): void {
  if (certificate !== null || name.startsWith("health.")) return;
  throw apiError("UNAUTHORIZED", {
    message:
      "Authentication is required: show a client certificate of an authority of this registry",
  });
}

function wrongMethod(method: string, allow: string): ApiError {
  return apiError("UNSUPPORTED", {
    message: `This path serves ${allow}; the request was ${method}`,
    headers: { allow },
  });
}

/** A name outside the grammar is a client's mistake on a push, and simply not there on a pull. */
function checkRepository<App>(row: Endpoint<App>, params: Readonly<Record<string, string>>): void {
  const repository = params["repository"];
  if (repository === undefined || isRepositoryName(repository)) return;
  throw apiError(row.needs === "pull" ? "NAME_INVALID_READ" : "NAME_INVALID");
}

function named(
  params: Readonly<Record<string, string>>,
  { repository }: LocatedName,
): Readonly<Record<string, string>> {
  return { ...params, repository };
}

/** Nobody writes to the past. */
function checkPresent<App>({ needs }: Endpoint<App>, call: Call): void {
  if (needs !== "push" && needs !== "delete") return;
  if (call.header("zot-at") === null && !isPastName(call.repository)) return;
  throw apiError("UNSUPPORTED", {
    message: "The past can be read, not written; push to the repository itself, without Zot-At",
  });
}

/** The digest is that of the bytes as sent, so an encoded body cannot be what the client means. */
function checkEncoding<App>(row: Endpoint<App>, call: Call): void {
  if (row.body === "none") return;
  const encoding = call.header("content-encoding");
  if (encoding !== null && encoding !== "" && encoding.toLowerCase() !== "identity") {
    throw apiError("CONTENT_ENCODING");
  }
}

/** Asked only where a body is taken and did not come whole: a signal costs every request that is asked for it. */
function isAborted<App>(request: Request, row: Endpoint<App> | null, call: Call | null): boolean {
  if (row === null || row.body === "none" || call?.hasWholeBody === true) return false;
  return request.signal.aborted;
}

function bytesOf<App>(
  request: Request,
  row: Endpoint<App> | null,
  call: Call | null,
  reply: Reply,
): number {
  if (call !== null && call.takenBytes !== null) return call.takenBytes;
  const header =
    row !== null && row.body !== "none"
      ? request.headers.get("content-length")
      : reply.headers["content-length"];
  return Number.parseInt(header ?? "0", 10) || 0;
}
