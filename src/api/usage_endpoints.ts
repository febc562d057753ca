/** Rows of the endpoint table about what content takes. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { query } from "./parameters.ts";
import { getRepositoryUsage, getUsage } from "./usage.ts";

export const usageEndpoints: readonly Endpoint<App>[] = [
  {
    name: "usage.repository",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_zot/usage",
    needs: "pull",
    body: "none",
    query: [query.ofTags],
    answers: [answers.repositoryUsage],
    errors: [
      "NAME_INVALID_READ",
      "NAME_UNKNOWN",
      "MANIFEST_UNKNOWN",
      "MANIFEST_INVALID",
      "PARAMETER_INVALID",
    ],
    says: "Tell what a repository takes, and what goes with some of its tags",
    run: getRepositoryUsage,
  },
  {
    name: "usage.list",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/usage",
    needs: "catalog",
    body: "none",
    query: [query.below, query.n, query.last],
    answers: [answers.usage],
    errors: ["PARAMETER_INVALID"],
    says: "Tell what repositories take, one by one and together",
    run: getUsage,
  },
];
