/** The row of the endpoint table about what differs between two images. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { getDiff } from "./diff.ts";
import { query, requestHeaders } from "./parameters.ts";

export const diffEndpoints: readonly Endpoint<App>[] = [
  {
    name: "image.diff",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_zot/diff",
    needs: "pull",
    body: "none",
    query: [query.diffA, query.diffB, query.platform, query.files, query.at],
    headers: [requestHeaders.zotAt],
    answers: [answers.diff],
    errors: [
      "NAME_INVALID_READ",
      "MANIFEST_UNKNOWN",
      "PARAMETER_INVALID",
      "CONTENT_DAMAGED",
      "TOO_MANY_REQUESTS",
      "STORAGE_FULL",
    ],
    says: "Tell what differs between two images: config, layers, packages, and files",
    run: getDiff,
  },
];
