// Real answers against the OpenAPI document: status, headers and body must be as the operation says.
//
// An answer is looked up by the name of its row, the method and the path. A header that the document does not name, a
// required one that is missing, and a body of another type or shape are errors. `http/world.ts` makes the requests.

import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { Exchange } from "../src/client/exchange.ts";

type Json = Record<string, unknown>;

export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operationId: string;
  readonly rows: readonly string[];
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response {
  readonly headers: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}

interface Header {
  readonly required?: true;
  readonly schema: Json;
}

/** Of any answer, whatever the row: framing, and what pages of other origins are told. */
const unnamed =
  /^(date|connection|content-type|content-length|transfer-encoding|vary|access-control-.*)$/;

export class Description {
  readonly operations: readonly Operation[];
  /** `<operationId> <status>` of every answer that was compared. */
  readonly seen = new Set<string>();
  readonly #components: Json;
  readonly #ajv = withFormats(new Ajv2020({ strict: false, allErrors: true }));
  readonly #checks = new Map<string, ValidateFunction>();

  constructor(document: unknown) {
    const { paths, components } = document as {
      paths: Record<string, Record<string, Json>>;
      components: Json;
    };
    this.#components = components;
    this.operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        path,
        method: method.toUpperCase(),
        operationId: String(operation["operationId"]),
        rows: operation["x-zot-rows"] as string[],
        responses: this.#resolved(operation["responses"]),
      })),
    );
  }

  /** What is wrong with the answer that a row gave; empty when it is as described. */
  problems(row: string, method: string, target: string, answer: Exchange): string[] {
    const path = target.split("?")[0] ?? "";
    const operation = this.operations.find(
      (each) => each.method === method && each.rows.includes(row) && fits(each.path, path),
    );
    if (operation === undefined) return [`no operation for ${method} ${path} by ${row}`];
    const response = operation.responses[answer.status];
    if (response === undefined) return [`${operation.operationId} has no ${answer.status}`];
    this.seen.add(`${operation.operationId} ${answer.status}`);
    return [...this.#headerProblems(response, answer), ...this.#bodyProblems(response, answer)].map(
      (problem) => `${operation.operationId} ${answer.status}: ${problem}`,
    );
  }

  /** `<operationId> <status>` of the answers that these rows grant and that nobody compared. */
  unseen(
    endpoints: readonly { name: string; answers: readonly { status: number }[] }[],
    isAsked: (row: string) => boolean,
  ): string[] {
    const granted = this.operations
      .filter(({ rows }) => isAsked(rows[0] ?? ""))
      .flatMap(({ operationId, rows, responses }) => {
        const statuses = endpoints
          .filter(({ name }) => rows.includes(name))
          .flatMap(({ answers }) => answers.map(({ status }) => String(status)));
        return Object.keys(responses)
          .filter((status) => statuses.includes(status))
          .map((status) => `${operationId} ${status}`);
      });
    return granted.filter((answer) => !this.seen.has(answer));
  }

  #headerProblems(response: Response, answer: Exchange): string[] {
    const described = new Map(
      Object.entries(response.headers).map(([name, header]) => [name.toLowerCase(), header]),
    );
    const problems: string[] = [];
    for (const [name, { required, schema }] of described) {
      const value = answer.headers.get(name);
      if (value === null) {
        if (required === true) problems.push(`${name} is missing`);
      } else problems.push(...this.#schemaProblems(schema, value, name));
    }
    for (const [name] of answer.headers.lines) {
      const key = name.toLowerCase();
      if (!described.has(key) && !unnamed.test(key)) problems.push(`${key} is not described`);
    }
    return problems;
  }

  #bodyProblems({ content }: Response, answer: Exchange): string[] {
    if (answer.body.length === 0) return [];
    // Case does not matter in a media type (RFC 9110 §8.3.1), and a manifest's is sent back as it came.
    const type = answer.headers.get("content-type")?.split(";")[0]?.toLowerCase() ?? "none";
    const described = content?.[type];
    if (described === undefined) return [`a body of type ${type} is not described`];
    if (!/[/+]json$/.test(type)) return [];
    const value: unknown = JSON.parse(Buffer.from(answer.body).toString());
    return this.#schemaProblems(described.schema, value, "body");
  }

  #schemaProblems(schema: Json, value: unknown, what: string): string[] {
    const key = JSON.stringify(schema);
    const known = this.#checks.get(key);
    const check = known ?? this.#ajv.compile({ ...schema, components: this.#components });
    this.#checks.set(key, check);
    if (check(value)) return [];
    return (check.errors ?? []).map(
      ({ instancePath, message }: ErrorObject) =>
        `${what}${instancePath} ${message} (${JSON.stringify(value)})`,
    );
  }

  /** Responses with references to answers and headers replaced by what they refer to. */
  #resolved(responses: unknown): Record<string, Response> {
    const resolve = (value: unknown): unknown => {
      const ref = (value as { $ref?: unknown } | null)?.$ref;
      const [, kind = "", name = ""] =
        /^#\/components\/(headers|responses)\/(.+)$/.exec(String(ref)) ?? [];
      if (name === "") return value;
      const found = (this.#components[kind] as Record<string, unknown>)[name];
      return JSON.parse(JSON.stringify(found), (_key, inner: unknown) => resolve(inner));
    };
    return JSON.parse(JSON.stringify(responses), (_key, value: unknown) =>
      resolve(value),
    ) as Record<string, Response>;
  }
}

const known = new Map<string, Description>();

/** One for each document, whoever asks: its checks are compiled once. */
export function descriptionOf(text: string): Description {
  const description = known.get(text) ?? new Description(JSON.parse(text));
  known.set(text, description);
  return description;
}

function withFormats(ajv: Ajv2020): Ajv2020 {
  addFormats(ajv);
  return ajv;
}

function fits(template: string, path: string): boolean {
  const pattern = template
    .replaceAll(/[.]/g, "\\.")
    .replaceAll("{repository}", ".+")
    .replaceAll("{page}", ".*")
    .replaceAll(/\{\w+\}/g, "[^/]*");
  return new RegExp(`^${pattern}$`).test(path);
}
