/**
 * What a row of an endpoint table says, and what its handler gets and returns.
 *
 * Promises: rows are constants. Routing, authorisation, metric and log labels, the reference page and the
 * coverage test all read the same rows. Handlers are generic in `App`, the services of the layer that
 * defines the rows, so this folder knows no endpoint.
 */
import type { RefusalName } from "../oci/errors.ts";
import type { Call } from "./call.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What a caller must be allowed to do with the repository (or, for `catalog`, with the registry). */
export type Permission = "none" | "pull" | "push" | "delete" | "catalog";

/** How a request's body is taken: not at all, as a stream into storage, or whole within a limit. */
export type BodyPolicy = "none" | "stream" | "bytes";

/** Bytes to send: at hand, or opened by the runtime when they are sent. */
export type ReplyBody = string | Uint8Array | Blob | ReadableStream<Uint8Array> | null;

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ReplyBody;
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
  readonly answers: readonly number[];
  readonly refusals: readonly RefusalName[];
  /** One line for the reference page. */
  readonly says: string;
  readonly run: (call: Call, app: App) => Promise<Reply>;
}
