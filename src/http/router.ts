/**
 * Finds the endpoint of a request by method, path and query.
 *
 * A path is split and checked while still encoded, and each segment is decoded once, so that an encoded slash never
 * separates. Patterns are anchored at their tail, since a repository name may hold any component
 * (`/v2/a/blobs/manifests/latest` is the tag `latest` of `a/blobs`). `{=name}` takes a segment as it came, for old
 * addresses of other programs in which an encoded slash stands. Rows of one path are one resource: a known path
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

/** A segment of a pattern, by its place: from the end of the path where that is negative. */
interface Literal {
  readonly at: number;
  readonly text: string;
}

interface Parameter {
  readonly at: number;
  readonly name: string;
  /** As it stands in the path: still encoded, and a slash may hide in it. */
  readonly isRaw: boolean;
}

interface Resource<App> {
  /** Those of the tail first: they decide most often. */
  readonly literals: readonly Literal[];
  readonly parameters: readonly Parameter[];
  /** Segments of the pattern beside those of `many`. */
  readonly fixed: number;
  /** The parameter that takes several segments, up to so many from the end; null when the pattern has none. */
  readonly many: { readonly name: string; readonly from: number; readonly after: number } | null;
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
      if (!fits(resource, segments)) continue;
      const params = capture(resource, segments);
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
  const headEnd = manyAt === -1 ? segments.length : manyAt;
  const placed = segments.map((text, index) => ({
    at: index < headEnd ? index : index - segments.length,
    text,
  }));
  const ofTail = placed.filter(({ at }) => at < 0 && at !== manyAt - segments.length);
  const inOrder = [...ofTail, ...placed.slice(0, headEnd)];
  return {
    literals: inOrder.filter(({ text }) => !text.startsWith("{")),
    parameters: inOrder
      .filter(({ text }) => text.startsWith("{"))
      .map(({ at, text }) => ({
        at,
        name: text.slice(text.startsWith("{=") ? 2 : 1, -1),
        isRaw: text.startsWith("{="),
      })),
    fixed: inOrder.length,
    many:
      manyAt === -1
        ? null
        : {
            name: (segments[manyAt] ?? "").slice(1, -"...}".length),
            from: manyAt,
            after: ofTail.length,
          },
    rows: [],
  };
}

/** Whether a path is of the shape of a resource. Asked of many, so it makes nothing. */
function fits<App>({ literals, fixed, many }: Resource<App>, segments: readonly string[]): boolean {
  const { length } = segments;
  if (many === null ? length !== fixed : length <= fixed) return false;
  for (let index = 0; index < literals.length; index += 1) {
    const literal = literals[index];
    if (literal === undefined) break;
    const { at, text } = literal;
    if (segments[at < 0 ? length + at : at] !== text) return false;
  }
  return true;
}

/** The decoded values of a resource's parameters; null when one is badly encoded or hides a slash. */
function capture<App>(
  { parameters, many }: Resource<App>,
  segments: readonly string[],
): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const { at, name, isRaw } of parameters) {
    const segment = segments.at(at) ?? "";
    const value = isRaw ? segment : decode(segment);
    if (value === null) return null;
    params[name] = value;
  }
  if (many === null) return params;
  const value = decode(segments.slice(many.from, segments.length - many.after).join("/"));
  if (value === null) return null;
  params[many.name] = value;
  return params;
}

function decode(value: string): string | null {
  if (!value.includes("%")) return value;
  try {
    const decoded = value.split("/").map(decodeURIComponent);
    return decoded.some((segment) => segment.includes("/")) ? null : decoded.join("/");
  } catch {
    return null;
  }
}
