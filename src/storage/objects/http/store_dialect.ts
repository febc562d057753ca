/** What a kind of store adds to requests over HTTP: how they are signed, and what its answers mean. */
import type { ObjectBody } from "../object_store.ts";
import type { StoreName } from "../store_advice.ts";

/** A kind of request: a row of the table of a driver. */
export interface Operation {
  /** As messages call it: `PUT of an object`. */
  readonly says: string;
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Which places it takes, and how long it may be silent (`store_requests.ts`). */
  readonly pace: Pace;
  /** What a person has to allow for it. */
  readonly permission: string;
}

/** `read`: a body that comes; `write`: one that goes; `small`: little of both; `slow`: little, and the store has to copy. */
export type Pace = "read" | "write" | "small" | "slow";

export interface StoreRequest {
  readonly operation: Operation;
  /** Null for the bucket itself. */
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ObjectBody;
}

export interface SignedRequest {
  readonly url: string;
  readonly headers: Headers;
}

/** An answer whose body was read, or is not needed. */
export interface StoreAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What an answer means. Where it is not `fine`, `says` is a part of a line: `503 (SlowDown)`. */
export type Verdict =
  | { readonly kind: "fine" | "absent" }
  /** It may go well later. */
  | { readonly kind: "again"; readonly says: string }
  /** It may go well at once, with what `StoreDialect` has learned by it: the login, the time, the region, the host. */
  | { readonly kind: "learned"; readonly what: Lesson; readonly says: string }
  | { readonly kind: "refused"; readonly says: string };

export type Lesson = "login" | "time" | "place";

export interface StoreDialect {
  readonly store: StoreName;
  /** For messages: `s3 bucket images at https://s3.example.com`. */
  readonly name: string;
  /** `lessons`: what was learned since the request was first tried. */
  sign(request: StoreRequest, lessons: ReadonlySet<Lesson>): Promise<SignedRequest>;
  /** Looks at every answer. */
  verdict(request: StoreRequest, answer: StoreAnswer): Verdict;
}
