/**
 * Runs a query in GraphQL. Its library is loaded by the first one. Texts that were parsed and validated are remembered:
 * the interface sends the same ones again and again.
 */
import type * as Graphql from "graphql";
import type { DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema } from "graphql";
import { Gate } from "../../lib/gate.ts";
import { Lru } from "../../lib/lru.ts";
import { schemaText } from "./graphql_schema.ts";
import { queries } from "./queries.ts";
import { costProblem } from "./query_cost.ts";
import { SearchError } from "./search_error.ts";
import type { Searching } from "./searching.ts";

type Library = typeof Graphql;

const documentsMax = 200;
/** Characters of texts that are remembered. */
const documentsLengthMax = 1024 * 1024;
/** Words and signs of a text that are read. */
const tokensMax = 8_000;
/** Queries that a process runs at once, and that wait to be; others are answered 429. */
const runningMax = 8;
const waitingMax = 256;

export interface QueryRequest {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>> | null;
  readonly operationName: string | null;
}

export interface QueryAnswer {
  /** 200 for what was run, with errors of its own or not; 422 for what is no query. */
  readonly status: 200 | 422;
  readonly text: string;
}

interface Prepared {
  readonly document: DocumentNode;
  readonly length: number;
}

export class QueryEngine {
  readonly #onFailure: (error: unknown) => void;
  readonly #documents = new Lru<string, Prepared>({
    entriesMax: documentsMax,
    weightMax: documentsLengthMax,
    weigh: ({ length }) => length,
  });
  readonly #gate = new Gate({ runningMax, waitingMax });
  #loading: Promise<{ readonly library: Library; readonly schema: GraphQLSchema }> | null = null;

  /** `onFailure` hears of what went wrong on our side, which clients are not told. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** @throws GateFull. */
  run(request: QueryRequest, searching: () => Promise<Searching>): Promise<QueryAnswer> {
    return this.#gate.run(() => this.#run(request, searching));
  }

  async #run(request: QueryRequest, searching: () => Promise<Searching>): Promise<QueryAnswer> {
    this.#loading ??= load();
    const { library, schema } = await this.#loading;
    const prepared = this.#prepare(library, schema, request.query);
    if ("errors" in prepared) return refused(prepared.errors, prepared.code);
    const result = await library.execute({
      schema,
      document: prepared.document,
      rootValue: queries,
      contextValue: await searching(),
      variableValues: request.variables,
      operationName: request.operationName,
    });
    return { status: 200, text: this.#textOf(result) };
  }

  #prepare(library: Library, schema: GraphQLSchema, query: string): Prepared | Refused {
    const known = this.#documents.get(query);
    if (known !== null) return known;
    const read = parse(library, query);
    if ("errors" in read) return read;
    const costly = costProblem(read.document);
    if (costly !== null) return { code: validationFailed, errors: [{ message: costly }] };
    const errors = library.validate(schema, read.document, library.specifiedRules, {
      maxErrors: 5,
    });
    if (errors.length > 0) return { code: validationFailed, errors };
    const prepared = { document: read.document, length: query.length };
    this.#documents.set(query, prepared);
    return prepared;
  }

  /** Errors first, as zot writes them. */
  #textOf({ errors, data }: ExecutionResult): string {
    if (errors === undefined) return JSON.stringify({ data });
    return JSON.stringify({ errors: errors.map((error) => this.#told(error)), data: data ?? null });
  }

  #told(error: GraphQLError): object {
    const { originalError, message, path, locations } = error;
    const isOurs = originalError !== undefined && !(originalError instanceof SearchError);
    if (isOurs) this.#onFailure(originalError);
    return { message: isOurs ? "internal error: the log says more" : message, path, locations };
  }
}

interface Refused {
  readonly code: string;
  readonly errors: readonly { readonly message: string }[];
}

const parseFailed = "GRAPHQL_PARSE_FAILED";
const validationFailed = "GRAPHQL_VALIDATION_FAILED";

async function load(): Promise<{ readonly library: Library; readonly schema: GraphQLSchema }> {
  const library = await import("graphql");
  return { library, schema: library.buildSchema(schemaText) };
}

function parse(library: Library, query: string): { document: DocumentNode } | Refused {
  try {
    return { document: library.parse(query, { maxTokens: tokensMax }) };
  } catch (error) {
    if (!(error instanceof library.GraphQLError)) throw error;
    return { code: parseFailed, errors: [error] };
  }
}

function refused(errors: Refused["errors"], code: string): QueryAnswer {
  const told = errors.map((error) => ({
    message: error.message,
    ...("locations" in error ? { locations: error.locations } : {}),
    extensions: { code },
  }));
  return { status: 422, text: JSON.stringify({ errors: told, data: null }) };
}
