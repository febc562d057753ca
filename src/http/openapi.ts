/**
 * The OpenAPI 3.1 document of an endpoint table: a pure function from rows to JSON.
 *
 * The document holds every row, method, parameter, header, body, answer and API error of the table, and nothing else.
 * Rows with the same path and method differ in their query, which OpenAPI cannot express: they become one operation
 * with everything that any of them accepts and returns. A header is required where each of them returns it. `{name...}`
 * becomes `{name}`; its description says that slashes are sent as they are. Source: OpenAPI Specification 3.1.1.
 */
import { apiErrors as apiErrorTable, type ApiErrorName } from "../oci/errors.ts";
import { must } from "../lib/assert.ts";
import type { Answer, Content, Endpoint, JsonSchema, Method, Parameter } from "./endpoint.ts";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** What rows refer to by name, and what is the same for all. */
export interface OpenApiParts {
  readonly info: Json;
  /** What a group of rows is about, by the part of their names before the dot. */
  readonly groups: Readonly<Record<string, string>>;
  readonly pathParameters: Readonly<Record<string, Parameter>>;
  readonly schemas: Readonly<Record<string, JsonSchema>>;
  /** Schema of the body of every reason. */
  readonly errorSchema: JsonSchema;
  readonly commonHeaders: readonly Parameter[];
  /** Of every reason, and what some errors add. */
  readonly errorHeaders: readonly Parameter[];
  readonly headersByError: Readonly<Partial<Record<ApiErrorName, readonly Parameter[]>>>;
  /** API errors of any request, of any request that needs a permission, and of those that write to a repository. */
  readonly always: readonly ApiErrorName[];
  readonly unpermitted: readonly ApiErrorName[];
  readonly unwritable: readonly ApiErrorName[];
}

type Row = Endpoint<never>;

/** Answers to a Range, which only GET has (RFC 9110 §14.2). */
const ofRanges: readonly number[] = [206, 416];

/** One operation: the rows of a path that serve a method. */
interface Operation {
  readonly path: string;
  readonly method: Method;
  readonly rows: readonly Row[];
}

/** The document, ready for `JSON.stringify`. */
export function openApiDocument<App>(rows: readonly Endpoint<App>[], parts: OpenApiParts): Json {
  const operations = operationsOf(rows);
  const ids = new Set<string>();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = operation.path.replaceAll("...}", "}").replaceAll("{=", "{");
    const item = (paths[path] ??= {});
    item[operation.method.toLowerCase()] = operationOf(operation, parts, freeId(operation, ids));
  }
  const groups = new Set(operations.map(groupOf));
  const responses = shareResponses(paths);
  return {
    openapi: "3.1.1",
    info: parts.info,
    servers: [{ url: "/", description: "The registry that serves this document" }],
    tags: [...groups].map((name) => ({ name, description: parts.groups[name] ?? name })),
    paths,
    components: {
      schemas: parts.schemas,
      headers: Object.fromEntries(
        sharedHeaders(parts).map((header) => [header.name, headerOf(header)]),
      ),
      responses,
      securitySchemes: {
        basic: { type: "http", scheme: "basic", description: "User and password, or an API key." },
        bearer: { type: "http", scheme: "bearer", description: "A token of the token service." },
      },
    },
  };
}

function operationsOf(rows: readonly Row[]): Operation[] {
  const found = new Map<string, { path: string; method: Method; rows: Row[] }>();
  for (const row of rows) {
    for (const method of row.methods) {
      const key = `${method} ${row.path}`;
      const operation = found.get(key) ?? { path: row.path, method, rows: [] };
      found.set(key, operation);
      operation.rows.push(row);
    }
  }
  return [...found.values()];
}

/** The row that serves what no other does: the last one, whose `when` asks for least. */
function plainest({ rows }: Operation): Row {
  return must(rows.at(-1), "an operation has a row");
}

function groupOf(operation: Operation): string {
  return plainest(operation).name.split(".")[0] ?? "";
}

/**
 * The row's name as one word, which generators of clients make a function of; with the method where HEAD repeats
 * GET, with a number where two paths are one endpoint.
 */
function freeId(operation: Operation, taken: Set<string>): string {
  const row = plainest(operation);
  const name = operation.method === row.methods[0] ? row.name : `${row.name}.head`;
  const base = name.replace(/[.-](\w)/g, (_, first: string) => first.toUpperCase());
  let id = base;
  for (let count = 2; taken.has(id); count += 1) id = `${base}${count}`;
  taken.add(id);
  return id;
}

function operationOf(operation: Operation, parts: OpenApiParts, id: string): Json {
  const { rows, method } = operation;
  const row = plainest(operation);
  const body = requestBody(rows);
  const description = descriptionOf(operation);
  return {
    operationId: id,
    tags: [groupOf(operation)],
    summary: row.says,
    ...(description === null ? {} : { description }),
    ...(row.needs === "none"
      ? { security: [] }
      : { security: [{}, { basic: [] }, { bearer: [] }] }),
    parameters: parametersOf(operation, parts),
    ...(body === null ? {} : { requestBody: body }),
    responses: responsesOf(rows, method, parts),
    "x-zot-rows": rows.map(({ name }) => name),
    "x-zot-needs": row.needs,
    ...(row.spec === null ? {} : { "x-oci-endpoint": rows.map(({ spec }) => spec).join(", ") }),
  };
}

/** How the rows of one operation are told apart. */
function descriptionOf({ rows, method }: Operation): string | null {
  if (method === "HEAD") return "As GET, without the body.";
  if (rows.length === 1) return null;
  return rows
    .map(({ when, says, name }) => {
      const names = (when ?? []).map((parameter) => `\`${parameter}\``).join(" and ");
      return `- ${names === "" ? "otherwise" : `with ${names}`}: ${says} (\`${name}\`)`;
    })
    .join("\n");
}

function parametersOf({ path, rows }: Operation, parts: OpenApiParts): Json[] {
  const inPath = [...path.matchAll(/\{=?(\w+)(?:\.\.\.)?\}/g)].map(([, name = ""]) =>
    parameterOf(must(parts.pathParameters[name], `no parameter is named ${name}`), "path"),
  );
  const inQuery = merged(rows.map(({ query }) => query ?? []));
  const inHeaders = merged(rows.map(({ headers }) => headers ?? []));
  return [
    ...inPath,
    ...inQuery.map((parameter) => parameterOf(parameter, "query")),
    ...inHeaders.map((parameter) => parameterOf(parameter, "header")),
  ];
}

/**
 * Each name once; required where every list requires it. Viewers fill examples in, so only what is required keeps
 * its own.
 */
function merged(lists: readonly (readonly Parameter[])[]): Parameter[] {
  const found = new Map<string, Parameter>();
  for (const parameter of lists.flat()) {
    if (!found.has(parameter.name)) found.set(parameter.name, parameter);
  }
  return [...found.values()].map((parameter) => {
    const { required: _required, example: _example, ...rest } = parameter;
    const always = lists.every((list) =>
      list.some((other) => other.name === parameter.name && other.required === true),
    );
    return always ? { ...parameter, required: true } : rest;
  });
}

function parameterOf(parameter: Parameter, place: "path" | "query" | "header"): Json {
  const { name, says, schema, example, required, repeats } = parameter;
  return {
    name,
    in: place,
    description: says,
    ...(required === true ? { required: true } : {}),
    schema: repeats === true ? { type: "array", items: schema } : schema,
    ...(example === undefined ? {} : { example }),
  };
}

function requestBody(rows: readonly Row[]): Json | null {
  const bodies = rows.flatMap(({ takes }) => (takes === undefined ? [] : [takes]));
  if (bodies.length === 0) return null;
  const required = bodies.length === rows.length && bodies.every((body) => body.required === true);
  return { required, content: contentOf(bodies) };
}

/** By media type; several shapes of one type stand side by side. */
function contentOf(contents: readonly Content[]): Json {
  const byType = new Map<string, Map<string, JsonSchema>>();
  for (const { types, schema } of contents) {
    for (const type of types) {
      const schemas = byType.get(type) ?? new Map<string, JsonSchema>();
      byType.set(type, schemas.set(JSON.stringify(schema), schema));
    }
  }
  const entries = [...byType].map(([type, schemas]) => {
    const [only, ...others] = schemas.values();
    return [type, { schema: others.length === 0 ? only : { anyOf: [...schemas.values()] } }];
  });
  return Object.fromEntries(entries) as Json;
}

function responsesOf(rows: readonly Row[], method: Method, parts: OpenApiParts): Json {
  const all = rows.flatMap((row) => [...row.answers, ...errorAnswers(row, parts)]);
  const possible = all.filter(({ status }) => method !== "HEAD" || !ofRanges.includes(status));
  const byStatus = [...Map.groupBy(possible, ({ status }) => status)].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    byStatus.map(([status, answers]) => [String(status), responseOf(answers, method, parts)]),
  );
}

function responseOf(answers: readonly Answer[], method: Method, parts: OpenApiParts): Json {
  const headers = merged(
    answers.map((answer) => [...parts.commonHeaders, ...(answer.headers ?? [])]),
  );
  const content = contentOf(answers.flatMap((answer) => answer.content ?? []));
  const hasBody = method !== "HEAD" && Object.keys(content).length > 0;
  return {
    description: [...new Set(answers.map(({ says }) => says))].join("\n\n"),
    headers: Object.fromEntries(
      headers.map((header) => [
        header.name,
        isShared(header, parts) ? refTo(header) : headerOf(header),
      ]),
    ),
    ...(hasBody ? { content } : {}),
  };
}

/** Uses from which on an answer stands once, in the components. */
const sharedUsesMin = 3;

/**
 * Takes answers that many operations give out of `paths`, which gets references to them. They are named by their
 * status, `Headers` where they have no body, and a number from the second of that name on.
 */
function shareResponses(paths: Record<string, Record<string, unknown>>): Record<string, Json> {
  const operations = Object.values(paths).flatMap((item) => Object.values(item)) as {
    responses: Record<string, Json>;
  }[];
  const uses = new Map<string, number>();
  for (const response of operations.flatMap(({ responses }) => Object.values(responses))) {
    const text = JSON.stringify(response);
    uses.set(text, (uses.get(text) ?? 0) + 1);
  }
  const names = new Map<string, string>();
  const shared: Record<string, Json> = {};
  for (const { responses } of operations) {
    for (const [status, response] of Object.entries(responses)) {
      const text = JSON.stringify(response);
      if ((uses.get(text) ?? 0) < sharedUsesMin) continue;
      const base = "content" in response ? status : `${status}Headers`;
      const name = names.get(text) ?? freeName(base, shared);
      names.set(text, name);
      shared[name] = response;
      responses[status] = { $ref: `#/components/responses/${name}` };
    }
  }
  return shared;
}

function freeName(base: string, taken: Readonly<Record<string, unknown>>): string {
  let name = base;
  for (let count = 2; Object.hasOwn(taken, name); count += 1) name = `${base}-${count}`;
  return name;
}

/** Headers that stand once, in the components. */
function sharedHeaders(parts: OpenApiParts): readonly Parameter[] {
  return [...parts.commonHeaders, ...parts.errorHeaders];
}

function isShared(header: Parameter, parts: OpenApiParts): boolean {
  return sharedHeaders(parts).some(
    ({ name, required }) => name === header.name && required === header.required,
  );
}

function refTo({ name }: Parameter): Json {
  return { $ref: `#/components/headers/${name}` };
}

function headerOf({ says, schema, required }: Parameter): Json {
  return { description: says, ...(required === true ? { required: true } : {}), schema };
}

/** The errors of a row as answers: one for each status. */
function errorAnswers(row: Row, parts: OpenApiParts): Answer[] {
  const names = new Set([
    ...row.errors,
    ...parts.always,
    ...(row.needs === "none" ? [] : parts.unpermitted),
    ...(row.needs === "push" || row.needs === "delete" ? parts.unwritable : []),
  ]);
  const byStatus = Map.groupBy(names, (name) => apiErrorTable[name].status);
  return [...byStatus].map(([status, errors]) => ({
    status,
    says: errors.map((name) => `- \`${name}\`: ${apiErrorTable[name].message}`).join("\n"),
    headers: merged(
      errors.map((name) => [...parts.errorHeaders, ...(parts.headersByError[name] ?? [])]),
    ),
    content: [{ types: ["application/json"], schema: errorsWith(errors, parts) }],
  }));
}

/** The body of an API error with one of these codes. */
function errorsWith(errors: readonly ApiErrorName[], { errorSchema }: OpenApiParts): JsonSchema {
  const codes = [...new Set(errors.map((name) => apiErrorTable[name].code))];
  const code = codes.length === 1 ? { const: codes[0] } : { enum: codes };
  return { ...errorSchema, properties: { errors: { items: { properties: { code } } } } };
}
