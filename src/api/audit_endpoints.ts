/** Rows of the endpoint table about audits of stores of objects. */
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import type { App } from "./app.ts";
import { getAudit, postAudit } from "./audit.ts";
import { jsonBody } from "./parameters.ts";

export const auditEndpoints: readonly Endpoint<App>[] = [
  {
    name: "audit.status",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/v2/_zot/audit",
    needs: "admin",
    body: "none",
    answers: [answers.audit],
    errors: [],
    says: "Tell what the last audit of the store of objects has found, or how far it is",
    run: getAudit,
  },
  {
    name: "audit.run",
    spec: null,
    methods: ["POST"],
    path: "/v2/_zot/audit",
    needs: "admin",
    body: "bytes",
    takes: jsonBody("AuditWish"),
    answers: [answers.auditAsked],
    errors: [
      "REQUEST_INVALID",
      "REQUEST_TOO_LARGE",
      "CONTENT_ENCODING",
      "SIZE_INVALID",
      "NO_OBJECTS",
    ],
    says: "Ask for an audit of the store of objects, and say what becomes of objects that nothing knows",
    run: postAudit,
  },
];
