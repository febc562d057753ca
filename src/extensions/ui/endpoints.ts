/**
 * Rows of the endpoint table for the web interface: its page at every address below `/ui/`, its files, and the
 * addresses of zot's interface, which lead to ours.
 */
import type { App } from "../../api/app.ts";
import { pageHeader, text } from "../../api/page_answers.ts";
import { requestHeaders } from "../../api/parameters.ts";
import type { Call } from "../../http/call.ts";
import type { Answer, Endpoint, JsonSchema } from "../../http/endpoint.ts";
import { getAsset, getPage, getSettings, redirectTo, type Interface } from "./page.ts";

const length = pageHeader("Content-Length", "Bytes of the body.");
const cacheControl = pageHeader("Cache-Control", "How long the answer stays true.");
const etag = pageHeader("ETag", "Digest of the page in quotes.");
const pageHeaders = [
  cacheControl,
  etag,
  pageHeader("Content-Security-Policy", "The page loads nothing from elsewhere."),
  pageHeader("Referrer-Policy", "Nobody is told where a link was followed."),
  pageHeader("Cross-Origin-Opener-Policy", "No other page can reach this one."),
];

/** Addresses of zot's interface, and the page that has taken the place of each. */
const oldPages: readonly (readonly [path: string, page: (call: Call) => string])[] = [
  ["/home", () => ""],
  ["/explore", ({ query }) => searchOf(query)],
  ["/login", () => "signin"],
  ["/user/apikey", () => "keys"],
  ["/image/{=name}", ({ params }) => `r/${pathOf(params["name"])}`],
  [
    "/image/{=name}/tag/{=reference}",
    ({ params }) => `r/${pathOf(params["name"])}:${pathOf(params["reference"])}`,
  ],
];

function searchOf(query: URLSearchParams): string {
  const text = query.get("search");
  return text === null ? "" : `?q=${encodeURIComponent(text)}`;
}

/** What an encoded segment says, with its slashes as they are. */
function pathOf(segment = ""): string {
  try {
    return decodeURIComponent(segment).split("/").map(encodeURIComponent).join("/");
  } catch {
    return "";
  }
}

const settingsSchema: JsonSchema = {
  type: "object",
  required: ["version", "login", "undoWindowMs", "hasKeys", "hasMirrors", "hasSearch"],
  additionalProperties: false,
  properties: {
    version: text,
    login: { enum: ["none", "password", "certificate"] },
    undoWindowMs: { type: "integer", description: "How long what is deleted can be taken back." },
    hasKeys: { type: "boolean" },
    hasMirrors: { type: "boolean" },
    hasSearch: { type: "boolean" },
  },
};

const page: Answer = {
  status: 200,
  says: "The page.",
  headers: [length, ...pageHeaders],
  content: [{ types: ["text/html"], schema: text }],
};

const common = {
  spec: null,
  methods: ["GET", "HEAD"],
  needs: "none",
  body: "none",
} as const satisfies Partial<Endpoint<App>>;

function redirectRow(path: string, target: (call: Call) => string): Endpoint<App> {
  return {
    ...common,
    name: "ui.redirect",
    path,
    answers: [
      {
        status: 307,
        says: "Where the page is.",
        headers: [pageHeader("Location", "The page."), length, cacheControl],
      },
    ],
    errors: [],
    says: "Find a page of the interface by another address",
    run: async (call, app) => redirectTo(call, app, target(call)),
  };
}

export function interfaceEndpoints(served: Interface): readonly Endpoint<App>[] {
  return [
    redirectRow("/ui", () => ""),
    ...oldPages.map(([path, target]) => redirectRow(path, target)),
    {
      ...common,
      name: "ui.settings",
      path: "/ui/settings.json",
      answers: [
        {
          status: 200,
          says: "What pages must know of the server.",
          headers: [length, cacheControl],
          content: [{ types: ["application/json"], schema: settingsSchema }],
        },
      ],
      errors: [],
      says: "Tell the interface what this server has",
      run: (_call, app) => getSettings(app, served),
    },
    {
      ...common,
      name: "ui.asset",
      path: "/ui/assets/{asset}",
      answers: [
        {
          status: 200,
          says: "The file.",
          headers: [
            length,
            cacheControl,
            pageHeader("Vary", "Compressed as the client takes it."),
            { name: "Content-Encoding", says: "How it is compressed.", schema: text },
          ],
          content: [{ types: ["text/javascript", "text/css", "image/svg+xml"], schema: text }],
        },
      ],
      errors: ["NOT_FOUND"],
      says: "Read a file of the interface",
      run: (call) => getAsset(call, served),
    },
    {
      ...common,
      name: "ui.page",
      path: "/ui/{page...}",
      headers: [requestHeaders.ifNoneMatch],
      answers: [page, { status: 304, says: "The client has the page.", headers: pageHeaders }],
      errors: [],
      says: "Open the interface",
      run: (call, app) => getPage(call, app, served),
    },
  ];
}
