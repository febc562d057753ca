/** Rows of the endpoint table about checks of content. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { query } from "./parameters.ts";
import { deleteKept, getScrub } from "./scrub.ts";

export const scrubEndpoints: readonly Endpoint<App>[] = [
  {
    name: "scrub.status",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/scrub",
    needs: "admin",
    body: "none",
    query: [query.n, query.last],
    answers: [answers.scrub],
    errors: ["PARAMETER_INVALID"],
    says: "Tell what checks have found, how much was checked when, and what is damaged",
    run: getScrub,
  },
  {
    name: "scrub.forget",
    spec: null,
    methods: ["DELETE"],
    path: "/v2/_zot/scrub/kept/{digest}",
    needs: "admin",
    body: "none",
    query: [],
    answers: [answers.keptForgotten],
    errors: ["DIGEST_INVALID", "BLOB_UNKNOWN", "STILL_DAMAGED"],
    says: "Remove for good what is kept of damaged content, once it is right again or gone",
    run: deleteKept,
  },
];
