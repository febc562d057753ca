/** Rows of the endpoint table about what happened lately, and who asks. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { getActivity, getCaller } from "./activity.ts";
import { query, requestHeaders } from "./parameters.ts";

export const activityEndpoints: readonly Endpoint<App>[] = [
  {
    name: "activity.list",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/activity",
    needs: "catalog",
    body: "none",
    query: [query.n, query.last, query.ofRepository],
    headers: [requestHeaders.ifNoneMatch],
    answers: [answers.activity, answers.activityUnchanged],
    errors: ["PARAMETER_INVALID"],
    says: "Tell which tags were set and removed lately, newest first",
    run: getActivity,
  },
  {
    name: "auth.caller",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/me",
    needs: "login",
    body: "none",
    answers: [answers.caller],
    errors: [],
    says: "Tell who the caller is",
    run: getCaller,
  },
];
