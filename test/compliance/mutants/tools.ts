// What mutants are made of: tests of what a request is about, and ways to be wrong.
//
// `changing` changes answers, `rewriting` requests, `instead` answers by itself; `status`, `header`,
// `body` and `json` are short for common changes. Faults are made anew for each run, so their state
// is their own.

import { createHash } from "node:crypto";
import {
  type Answer,
  type Fault,
  type Forward,
  type Request,
  withBody,
  withHeader,
} from "../fault_proxy.ts";

export interface Mutant {
  /** What is broken. */
  breaks: string;
  /** The case that has to notice: `<scenario>/<case>`. */
  names: string;
  fault: () => Fault;
  /** Run with the login of login_gate.ts. */
  login?: true;
}

export const isUploadStart = (q: Request): boolean =>
  q.method === "POST" && /\/blobs\/uploads\/?$/.test(q.path);
export const isSession = (q: Request): boolean => /\/blobs\/uploads\/[^/]+$/.test(q.path);
export const isPatch = (q: Request): boolean => q.method === "PATCH" && isSession(q);
export const isPut = (q: Request): boolean => q.method === "PUT" && isSession(q);
export const isStatus = (q: Request): boolean => q.method === "GET" && isSession(q);
export const isCancel = (q: Request): boolean => q.method === "DELETE" && isSession(q);
export const isBlob = (q: Request): boolean => /\/blobs\/[^/]*(:|%3A)[^/]*$/.test(q.path);
export const isBlobGet = (q: Request): boolean => q.method === "GET" && isBlob(q);
export const isBlobHead = (q: Request): boolean => q.method === "HEAD" && isBlob(q);
export const isManifest = (q: Request): boolean => /\/manifests\/[^/]+$/.test(q.path);
export const isManifestPut = (q: Request): boolean => q.method === "PUT" && isManifest(q);
export const isManifestGet = (q: Request): boolean => q.method === "GET" && isManifest(q);
export const isManifestHead = (q: Request): boolean => q.method === "HEAD" && isManifest(q);
export const isTags = (q: Request): boolean => q.path.endsWith("/tags/list");
export const isReferrers = (q: Request): boolean => q.path.includes("/referrers/");
export const isCatalog = (q: Request): boolean => q.path === "/v2/_catalog";
export const isPing = (q: Request): boolean => /^\/v2\/?$/.test(q.path);
export const isDelete = (q: Request): boolean =>
  q.method === "DELETE" && (isBlob(q) || isManifest(q));
export const isMount = (q: Request): boolean => isUploadStart(q) && q.query.includes("mount=");
export const parameter = (q: Request, name: string): string | null =>
  new URLSearchParams(q.query).get(name);
export const referenceOf = (q: Request): string =>
  decodeURIComponent(q.path.slice(q.path.lastIndexOf("/") + 1));
export const isTagReference = (q: Request): boolean =>
  isManifest(q) && !referenceOf(q).includes(":");

export type Test = (request: Request) => boolean;

/** Changes the answers to some requests. */
export const changing =
  (test: Test, change: (answer: Answer, request: Request) => Answer): (() => Fault) =>
  () =>
  async (request, forward) => {
    const answer = await forward(request);
    return test(request) ? change(answer, request) : answer;
  };

/** Changes some requests before the registry sees them. */
export const rewriting =
  (test: Test, change: (request: Request) => Request): (() => Fault) =>
  () =>
  (request, forward) =>
    forward(test(request) ? change(request) : request);

/** Answers some requests by itself. */
export const instead =
  (test: Test, answer: (request: Request) => Answer): (() => Fault) =>
  () =>
  async (request, forward) =>
    test(request) ? answer(request) : forward(request);

export const ok = (answer: Answer): boolean => answer.status >= 200 && answer.status < 300;
/** Another status, for answers that were successful (or had one of `from`). */
export const status = (
  test: Test,
  to: number,
  from: readonly number[] | null = null,
): (() => Fault) =>
  changing(test, (answer) =>
    (from === null ? ok(answer) : from.includes(answer.status))
      ? { ...answer, status: to }
      : answer,
  );
export const header = (test: Test, name: string, value: string | null): (() => Fault) =>
  changing(test, (answer) =>
    ok(answer) ? { ...answer, headers: withHeader(answer.headers, name, value) } : answer,
  );
export const body = (
  test: Test,
  change: (bytes: Buffer, request: Request) => Uint8Array | string,
): (() => Fault) =>
  changing(test, (answer, request) =>
    ok(answer) ? withBody(answer, change(Buffer.from(answer.body), request)) : answer,
  );
/** The members of the JSON bodies that mutants change. */
export interface Parsed {
  name: string;
  tags: string[];
  repositories: string[];
  manifests: Entry[];
  errors: { code: string; message?: unknown }[];
  [member: string]: unknown;
}
export interface Entry {
  mediaType: string;
  digest: string;
  size: number;
  [member: string]: unknown;
}
export const parse = (bytes: Uint8Array): Parsed => {
  const parsed: Parsed = JSON.parse(Buffer.from(bytes).toString());
  return parsed;
};
export const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
export const json = (
  test: Test,
  change: (value: Parsed, request: Request) => object,
): (() => Fault) => body(test, (bytes, request) => JSON.stringify(change(parse(bytes), request)));

export const plain = (code: number, content = "", headers: [string, string][] = []): Answer => ({
  status: code,
  headers: [...headers, ["Content-Length", String(Buffer.byteLength(content))]],
  body: Buffer.from(content),
});

export const flip = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  const at = Math.floor(copy.length / 2);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
export const otherDigest = `sha256:${"b".repeat(64)}`;
export const withQuery = (q: Request, change: (query: URLSearchParams) => void): Request => {
  const query = new URLSearchParams(q.query);
  change(query);
  return { ...q, query: query.toString() };
};
export const withoutHeader = (q: Request, name: string): Request => ({
  ...q,
  headers: withHeader(q.headers, name, null),
});

/** The first answer to a request is given for ever. */
export const staleAnswers =
  (test: Test, keep: (answer: Answer) => boolean = ok): (() => Fault) =>
  () => {
    const kept = new Map<string, Answer>();
    return async (request, forward) => {
      const key = `${request.method} ${request.path}?${request.query}`;
      const before = kept.get(key);
      if (test(request) && before !== undefined) return before;
      const answer = await forward(request);
      if (test(request) && keep(answer)) kept.set(key, answer);
      return answer;
    };
  };

export const again = (
  request: Request,
  forward: Forward,
  method: string,
  path: string,
): Promise<Answer> =>
  forward({
    ...request,
    method,
    path,
    query: "",
    body: new Uint8Array(0),
    headers: request.headers.filter(([name]) => !/^(content-|transfer-)/i.test(name)),
  });

export function errorJson(change: (errors: Parsed["errors"]) => unknown[]): () => Fault {
  return changing(
    () => true,
    (answer) => {
      if (answer.status < 400 || answer.body.length === 0) return answer;
      const parsed = parse(answer.body);
      return withBody(answer, JSON.stringify({ ...parsed, errors: change(parsed.errors) }));
    },
  );
}

export function errorCode(from: string, to: string): () => Fault {
  return errorJson((errors) =>
    errors.map((error) => (error.code === from ? { ...error, code: to } : error)),
  );
}

export function deletingEverywhere(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    if (isDelete(request) && isBlob(request)) {
      for (const [from, to] of [
        ["/first/", "/second/"],
        ["/second/", "/first/"],
      ] as const) {
        await again(request, forward, "DELETE", request.path.replace(from, to));
      }
    }
    return answer;
  };
}
