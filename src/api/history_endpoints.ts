/** Rows of the endpoint table about the past of tags and content, and taking things back. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { query } from "./parameters.ts";
import { getTagHistory } from "./tag_history.ts";

export const historyEndpoints: readonly Endpoint<App>[] = [
  {
    name: "history.tag",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_oci/tag-history/{tag}",
    needs: "pull",
    body: "none",
    query: [query.n, query.before, query.since, query.ofDigest, query.last],
    answers: [answers.tagHistory],
    errors: ["NAME_INVALID_READ", "MANIFEST_INVALID", "DIGEST_INVALID", "PARAMETER_INVALID"],
    says: "Tell what a tag pointed at, newest first",
    run: getTagHistory,
  },
];
