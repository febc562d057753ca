/**
 * Rows of the endpoint table for the OpenAPI document and its page, at the paths of the original.
 */
import type { Answer, Endpoint } from "../http/endpoint.ts";
import type { App } from "./app.ts";
import { pageHeader, text } from "./page_answers.ts";
import { requestHeaders } from "./parameters.ts";
import { schemaOf } from "./schemas.ts";
import { getOpenApi, getSwaggerAsset, getSwaggerPage, redirectToPage } from "./swagger.ts";

const length = pageHeader("Content-Length", "Bytes of the body.");
const cacheControl = pageHeader("Cache-Control", "Asked for again each time.");
const etag = pageHeader("ETag", "Digest of the file in quotes.");

const pageAnswer: Answer = {
  status: 200,
  says: "The page.",
  headers: [
    length,
    cacheControl,
    pageHeader("Content-Security-Policy", "The page loads nothing from elsewhere."),
    pageHeader("Referrer-Policy", "Nobody is told where a link was followed."),
  ],
  content: [{ types: ["text/html"], schema: text }],
};

const pageRow = {
  name: "swagger.page",
  spec: null,
  methods: ["GET", "HEAD"],
  needs: "page",
  body: "none",
  answers: [pageAnswer],
  errors: [],
  says: "Read the HTTP API, and try requests",
  run: getSwaggerPage,
} as const satisfies Omit<Endpoint<App>, "path">;

const redirectRow = {
  name: "swagger.redirect",
  spec: null,
  methods: ["GET", "HEAD"],
  needs: "none",
  body: "none",
  answers: [
    {
      status: 308,
      says: "Where the page is.",
      headers: [pageHeader("Location", "The page."), length],
    },
  ],
  errors: [],
  says: "Find the page by a part of its path",
  run: redirectToPage,
} as const satisfies Omit<Endpoint<App>, "path">;

export const swaggerEndpoints: readonly Endpoint<App>[] = [
  { ...pageRow, path: "/swagger/v2/" },
  { ...pageRow, path: "/swagger/v2/index.html" },
  { ...redirectRow, path: "/swagger" },
  { ...redirectRow, path: "/swagger/" },
  { ...redirectRow, path: "/swagger/v2" },
  {
    name: "swagger.document",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/swagger/v2/doc.json",
    needs: "page",
    body: "none",
    answers: [
      {
        status: 200,
        says: "This document.",
        headers: [length, cacheControl],
        content: [{ types: ["application/json"], schema: schemaOf("OpenApi") }],
      },
    ],
    errors: [],
    says: "Read the HTTP API as an OpenAPI document",
    run: getOpenApi,
  },
  {
    name: "swagger.asset",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/swagger/v2/{asset}",
    needs: "page",
    body: "none",
    headers: [requestHeaders.ifNoneMatch],
    answers: [
      {
        status: 200,
        says: "The file.",
        headers: [length, cacheControl, etag],
        content: [{ types: ["text/javascript", "text/css", "image/png"], schema: text }],
      },
      { status: 304, says: "The client has the file already.", headers: [cacheControl, etag] },
    ],
    errors: ["NOT_FOUND"],
    says: "Read a file of the page",
    run: getSwaggerAsset,
  },
];
