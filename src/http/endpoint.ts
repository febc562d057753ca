/**
 * The type of a row in an endpoint table, and what its handler gets and returns.
 *
 * Rows are constants. Routing, authorisation, metric and log labels, the OpenAPI document, the reference page and the
 * coverage test all read the same rows. Handlers are generic in `App`, the services of the layer that defines the rows,
 * so this folder knows no endpoint.
 */
import type { ApiErrorName } from "../oci/errors.ts";
import type { Call } from "./call.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * What a caller must be allowed to do with the repository, or with the registry: `login` asks for a caller who has
 * logged in wherever callers can, `page` for the same at a browser, which can only be asked for a password, `catalog`
 * for one who may list, `metrics` for one whom the metrics policy names, `admin` for an administrator.
 */
export type Permission =
  | "none"
  | "login"
  | "page"
  | "pull"
  | "push"
  | "delete"
  | "catalog"
  | "metrics"
  | "admin";

/** How a request's body is taken: not at all, as a stream into storage, or whole within a limit. */
export type BodyPolicy = "none" | "stream" | "bytes";

/** A schema in JSON Schema 2020-12, which OpenAPI 3.1 uses as it is. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A value that travels in the path, the query or a header. */
export interface Parameter {
  readonly name: string;
  /** One or two sentences for people. */
  readonly says: string;
  readonly schema: JsonSchema;
  readonly example?: string;
  /** Always there; without it the parameter may be left out. */
  readonly required?: true;
  /** May come several times. */
  readonly repeats?: true;
}

/** A body of one of these media types. */
export interface Content {
  readonly types: readonly string[];
  readonly schema: JsonSchema;
  /** For a request: the body must be there. */
  readonly required?: true;
}

/** One way in which a row answers a request that it grants. */
export interface Answer {
  readonly status: number;
  /** One line for people. */
  readonly says: string;
  /** Beside those of every answer. */
  readonly headers?: readonly Parameter[];
  /** Absent when there is no body; HEAD never has one. Several where one status has several shapes. */
  readonly content?: readonly Content[];
}

/** Bytes to send: at hand, or opened by the runtime when they are sent. */
export type ReplyBody = string | Uint8Array | Blob | ReadableStream<Uint8Array> | null;

/** Answers smaller than this fit the socket's buffer: they are sent at once. */
export const slowBodyBytesMin = 256 * 1024;

/** Whether a body is sent after its answer began, for as long as its reader takes. */
export function isSentLater(body: ReplyBody): body is Blob | Uint8Array {
  const isKnown = body instanceof Blob || body instanceof Uint8Array;
  return isKnown && bodyBytes(body) >= slowBodyBytesMin;
}

/** Whether what became of an answer is known only after it was given to the runtime, which opens files by itself. */
export function isFollowed(body: ReplyBody): body is Blob | Uint8Array {
  return body instanceof Blob || isSentLater(body);
}

export function bodyBytes(body: Blob | Uint8Array): number {
  return body instanceof Blob ? body.size : body.length;
}

/** How the sending of a body ended. */
export type BodyEnd =
  | { readonly kind: "whole"; readonly sentBytes: number }
  /** The client went away; `sentBytes` is null where it is not known what it got. */
  | { readonly kind: "aborted"; readonly sentBytes: number | null }
  /** We broke off, for example because the disk failed. */
  | { readonly kind: "cut"; readonly sentBytes: number; readonly problem: string }
  /** The file could not be opened, and the client got another answer. */
  | { readonly kind: "replaced"; readonly sentBytes: number; readonly error: unknown }
  | { readonly kind: "unknown"; readonly sentBytes: null };

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ReplyBody;
  /** How many bytes a stream has that comes without delay: it may be gathered first (`gather_body.ts`). */
  readonly streamBytes?: number | undefined;
  /** Values of `Set-Cookie`, each of which is a header of its own (RFC 6265 §3). */
  readonly cookies?: readonly string[];
  /** To be called once when the body was sent, or was not. */
  readonly onEnd?: (end: BodyEnd) => void;
}

export interface Endpoint<App> {
  /** Stable name: the label in logs and metrics. */
  readonly name: string;
  /** The specification's id, such as `end-2`; null for what it does not define. */
  readonly spec: string | null;
  /** HEAD runs the GET handler and drops the body. */
  readonly methods: readonly Method[];
  /** `{name...}` stands for one or more segments, `{name}` for one. */
  readonly path: string;
  /** Query parameters that tell this row from another of the same method and path. */
  readonly when?: readonly string[];
  readonly needs: Permission;
  /** A permission whose lack changes the answer instead of refusing the request. */
  readonly asks?: Permission;
  readonly body: BodyPolicy;
  /** What the query and the headers may say. Handlers read them by these names. */
  readonly query?: readonly Parameter[];
  readonly headers?: readonly Parameter[];
  /** Shape of the request's body; absent with the body policy `none`. */
  readonly takes?: Content;
  readonly answers: readonly Answer[];
  readonly errors: readonly ApiErrorName[];
  /** No request rate keeps callers from it: it is how the server is watched. */
  readonly uncounted?: true;
  /** One line for the reference page. */
  readonly says: string;
  readonly run: (call: Call, app: App) => Promise<Reply>;
}
