/** Rows of the endpoint table of search, and of what zot's clients expect beside it. */
import type { App } from "../../api/app.ts";
import type { Call } from "../../http/call.ts";
import type { Answer, Content, Endpoint, Parameter, Reply } from "../../http/endpoint.ts";

const text = { type: "string" } as const;
const object = { type: "object" } as const;
const length: Parameter = {
  name: "Content-Length",
  says: "Bytes of the body.",
  schema: { type: "string", pattern: "^[0-9]+$" },
  required: true,
};
const noStore: Parameter = {
  name: "Cache-Control",
  says: "Nobody keeps this answer.",
  schema: { const: "no-store" },
  required: true,
};
const json: readonly Content[] = [{ types: ["application/json"], schema: object }];

const result: Answer = {
  status: 200,
  says: "What was found, in `data`; what went wrong, in `errors`.",
  headers: [length, noStore],
  content: json,
};
const noQuery: Answer = {
  ...result,
  status: 422,
  says: "The text is no query of this schema.",
  headers: [
    length,
    noStore,
    { name: "X-Request-Id", says: "The request's name in the log.", schema: text },
  ],
};

const queryBody: Content = {
  types: ["application/json"],
  schema: {
    type: "object",
    required: ["query"],
    properties: { query: text, variables: object, operationName: text },
  },
  required: true,
};

const preferenceQuery: readonly Parameter[] = [
  { name: "repo", says: "The repository.", schema: text, example: "team/app", required: true },
  {
    name: "action",
    says: "What is turned on where it was off, and off where it was on.",
    schema: { enum: ["toggleStar", "toggleBookmark"] },
    example: "toggleStar",
    required: true,
  },
];

/** What answers the rows. */
export interface SearchHandlers {
  readonly get: (call: Call, app: App) => Promise<Reply>;
  readonly post: (call: Call, app: App) => Promise<Reply>;
  readonly management: (call: Call, app: App) => Promise<Reply>;
  readonly progress: (call: Call, app: App) => Promise<Reply>;
  readonly prefer: (call: Call, app: App) => Promise<Reply>;
}

export const searchPaths = {
  search: "/v2/_zot/ext/search",
  management: "/v2/_zot/ext/mgmt",
  preferences: "/v2/_zot/ext/userprefs",
} as const;

const progressPath = "/v2/_zot/search/progress";
const number = { type: "integer", minimum: 0 } as const;

export function searchEndpoints(handlers: SearchHandlers): readonly Endpoint<App>[] {
  return [...queryRows(handlers), ...companionRows(handlers), progressRow(handlers)];
}

/** Ours alone: zot summarises with the push, and when it starts. */
function progressRow({ progress }: SearchHandlers): Endpoint<App> {
  return {
    name: "search.progress",
    spec: null,
    methods: ["GET", "HEAD"],
    path: progressPath,
    needs: "catalog",
    body: "none",
    answers: [
      {
        status: 200,
        says: "How far it is.",
        headers: [length, noStore],
        content: [{ types: ["application/json"], schema: progressSchema }],
      },
    ],
    errors: [],
    says: "Tell how much of what was there before search is on is found by it",
    run: progress,
  };
}

const progressSchema = {
  type: "object",
  required: ["isIndexing", "percent", "behind", "repositories"],
  additionalProperties: false,
  properties: {
    isIndexing: { type: "boolean", description: "Lists and searches may miss something." },
    percent: { ...number, maximum: 100 },
    behind: { ...number, description: "Pushes, moves and deletes that it has not taken up yet." },
    repositories: {
      type: ["object", "null"],
      description: "For administrators.",
      required: ["done", "all"],
      additionalProperties: false,
      properties: { done: number, all: number },
    },
  },
} as const;

function queryRows({ get, post }: SearchHandlers): readonly Endpoint<App>[] {
  return [
    {
      name: "search.get",
      spec: null,
      methods: ["GET", "HEAD"],
      path: searchPaths.search,
      needs: "page",
      body: "none",
      query: [
        { name: "query", says: "The query, in GraphQL.", schema: text, required: true },
        { name: "variables", says: "Its variables, as a JSON object.", schema: text },
        { name: "operationName", says: "The name of its operation.", schema: text },
      ],
      answers: [result, noQuery],
      errors: ["PARAMETER_INVALID"],
      says: "Search images and repositories",
      run: get,
    },
    {
      name: "search.post",
      spec: null,
      methods: ["POST"],
      path: searchPaths.search,
      needs: "page",
      body: "bytes",
      takes: queryBody,
      answers: [result, noQuery],
      errors: ["REQUEST_INVALID", "REQUEST_TOO_LARGE", "CONTENT_ENCODING", "SIZE_INVALID"],
      says: "The same, with the query in the body",
      run: post,
    },
  ];
}

/** What zot's clients expect beside the queries. */
function companionRows({ management, prefer }: SearchHandlers): readonly Endpoint<App>[] {
  const info = "Version, and the logins that the registry offers.";
  return [
    {
      name: "search.management",
      spec: null,
      methods: ["GET", "HEAD"],
      path: searchPaths.management,
      needs: "none",
      body: "none",
      answers: [{ ...result, says: info, headers: [length] }],
      errors: [],
      says: "Tell clients how people log in",
      run: management,
    },
    {
      name: "search.prefer",
      spec: null,
      methods: ["PUT"],
      path: searchPaths.preferences,
      needs: "page",
      body: "none",
      query: preferenceQuery,
      answers: [{ status: 200, says: "It is turned.", headers: [length, noStore] }],
      errors: ["PARAMETER_INVALID", "NAME_UNKNOWN", "DENIED"],
      says: "Star or bookmark a repository, or take that back",
      run: prefer,
    },
  ];
}
