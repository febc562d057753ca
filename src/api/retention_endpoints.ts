/** Rows of the endpoint table about what stays, what goes, and why. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { jsonBody, query } from "./parameters.ts";
import { getPlan, getRetention, getUntagged, getWhy, postApply } from "./retention.ts";

export const retentionEndpoints: readonly Endpoint<App>[] = [
  {
    name: "retention.explain",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_zot/retention",
    needs: "pull",
    body: "none",
    query: [query.ofTag],
    answers: [answers.retention],
    errors: ["NAME_INVALID_READ", "NAME_UNKNOWN", "MANIFEST_UNKNOWN", "MANIFEST_INVALID"],
    says: "Tell what retention decides about tags, and why",
    run: getRetention,
  },
  {
    name: "retention.untagged",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_zot/untagged",
    needs: "pull",
    body: "none",
    answers: [answers.untagged],
    errors: ["NAME_INVALID_READ", "NAME_UNKNOWN"],
    says: "List manifests that nothing names, what becomes of each, and why",
    run: getUntagged,
  },
  {
    name: "retention.why",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/{repository...}/_zot/why/{reference}",
    needs: "pull",
    body: "none",
    answers: [answers.why],
    errors: ["NAME_INVALID_READ", "NAME_UNKNOWN", "MANIFEST_UNKNOWN", "DIGEST_INVALID"],
    says: "Tell what keeps a manifest or a blob",
    run: getWhy,
  },
  {
    name: "retention.plan",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/gc/plan",
    needs: "admin",
    body: "none",
    answers: [answers.gcPlan],
    errors: [],
    says: "List what retention and collection would remove now",
    run: getPlan,
  },
  {
    name: "retention.apply",
    spec: null,
    methods: ["POST"],
    path: "/v2/_zot/gc/apply",
    needs: "admin",
    body: "bytes",
    takes: jsonBody("PlanLines"),
    answers: [answers.gcApplied],
    errors: ["REQUEST_INVALID", "REQUEST_TOO_LARGE", "CONTENT_ENCODING", "SIZE_INVALID"],
    says: "Remove what lines of such a list name, as far as they still hold",
    run: postApply,
  },
];
