/**
 * Finds the endpoint of a request by method, path and query.
 *
 * A path is split and checked while still encoded, and each segment is decoded once, so that an encoded slash never
 * separates. Patterns are anchored at their tail, since a repository name may hold any component
 * (`/v2/a/blobs/manifests/latest` is the tag `latest` of `a/blobs`). Rows of one path are one resource: a known path
 * with another method is told apart from an unknown path.
 */
import type { Endpoint, Method } from "./endpoint.ts";

export interface Matched<App> {
  readonly kind: "matched";
  readonly row: Endpoint<App>;
  readonly params: Readonly<Record<string, string>>;
}

export type Match<App> =
  | Matched<App>
  | { readonly kind: "no-path" }
  | { readonly kind: "no-method"; readonly allow: string };

type Segment = { readonly literal: string } | { readonly name: string };

interface Resource<App> {
  readonly head: readonly Segment[];
  /** Name of the parameter that takes several segments; null when the pattern has none. */
  readonly many: string | null;
  readonly tail: readonly Segment[];
  readonly rows: Endpoint<App>[];
}

export class Router<App> {
  readonly #byPath = new Map<string, Resource<App>>();
  /** In the order of the table. */
  readonly #resources: readonly Resource<App>[];

  constructor(rows: readonly Endpoint<App>[]) {
    for (const row of rows) {
      const resource = this.#byPath.get(row.path) ?? compile<App>(row.path);
      this.#byPath.set(row.path, resource);
      resource.rows.push(row);
    }
    this.#resources = [...this.#byPath.values()];
  }

  /** `path` is the raw path of the request, `hasQuery` tells whether a parameter is present. */
  match(method: string, path: string, hasQuery: (name: string) => boolean): Match<App> {
    const segments = path.split("/");
    for (const resource of this.#resources) {
      const raw = capture(resource, segments);
      if (raw === null) continue;
      const params = decodeAll(raw);
      if (params === null) return { kind: "no-path" };
      const row = resource.rows.find((candidate) => serves(candidate, method, hasQuery));
      if (row === undefined)
        return { kind: "no-method", allow: allowedBy(resource.rows).join(", ") };
      return { kind: "matched", row, params };
    }
    return { kind: "no-path" };
  }

  /** The methods of a pattern of the table, with OPTIONS, for `Allow`. */
  methodsOf(path: string): string[] {
    const rows = this.#byPath.get(path)?.rows ?? [];
    return allowedBy(rows);
  }
}

function serves<App>(
  row: Endpoint<App>,
  method: string,
  hasQuery: (name: string) => boolean,
): boolean {
  if (!row.methods.includes(method as Method)) return false;
  return row.when === undefined || row.when.every((name) => hasQuery(name));
}

function allowedBy<App>(rows: readonly Endpoint<App>[]): string[] {
  return [...new Set<string>(rows.flatMap((row) => row.methods)), "OPTIONS"];
}

function compile<App>(path: string): Resource<App> {
  const segments = path.split("/");
  const manyAt = segments.findIndex((segment) => segment.endsWith("...}"));
  if (manyAt === -1) return { head: segments.map(segmentOf), many: null, tail: [], rows: [] };
  return {
    head: segments.slice(0, manyAt).map(segmentOf),
    many: (segments[manyAt] ?? "").slice(1, -"...}".length),
    tail: segments.slice(manyAt + 1).map(segmentOf),
    rows: [],
  };
}

function segmentOf(text: string): Segment {
  return text.startsWith("{") ? { name: text.slice(1, -1) } : { literal: text };
}

/** The raw values of a resource's parameters, or null when the path is not of its shape. */
function capture<App>(
  { head, many, tail }: Resource<App>,
  segments: readonly string[],
): [string, string][] | null {
  const middle = segments.length - head.length - tail.length;
  if (many === null ? middle !== 0 : middle < 1) return null;
  const params: [string, string][] = [];
  // The tail decides most often, so it is compared first.
  if (!captureRun(tail, segments, segments.length - tail.length, params)) return null;
  if (!captureRun(head, segments, 0, params)) return null;
  if (many !== null) {
    params.push([many, segments.slice(head.length, head.length + middle).join("/")]);
  }
  return params;
}

function captureRun(
  run: readonly Segment[],
  segments: readonly string[],
  start: number,
  params: [string, string][],
): boolean {
  for (let index = 0; index < run.length; index += 1) {
    const expected = run[index];
    const actual = segments[start + index];
    if (expected === undefined || actual === undefined) return false;
    if ("literal" in expected) {
      if (expected.literal !== actual) return false;
    } else {
      params.push([expected.name, actual]);
    }
  }
  return true;
}

/** Decoded values; null when one is badly encoded or hides a slash. */
function decodeAll(raw: readonly [string, string][]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [name, value] of raw) {
    const decoded = value.includes("%") ? decode(value) : value;
    if (decoded === null) return null;
    params[name] = decoded;
  }
  return params;
}

function decode(value: string): string | null {
  try {
    const decoded = value.split("/").map(decodeURIComponent);
    return decoded.some((segment) => segment.includes("/")) ? null : decoded.join("/");
  } catch {
    return null;
  }
}
