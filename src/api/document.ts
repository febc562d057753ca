/**
 * The OpenAPI document of this registry: the endpoint table joined with the tables that its rows pick from.
 */
import type { Endpoint } from "../http/endpoint.ts";
import { openApiDocument, type Json } from "../http/openapi.ts";
import { commonHeaders, headersByError, errorHeaders } from "./answers.ts";
import { pathParameters } from "./parameters.ts";
import { schemaOf, schemas } from "./schemas.ts";

/** What the first part of a row's name stands for. */
const groups: Readonly<Record<string, string>> = {
  base: "Is this a registry, and am I welcome",
  catalog: "Repositories",
  extension: "What the registry serves beyond the specification",
  blob: "Content by digest",
  upload: "Blobs on their way in",
  manifest: "Images, indexes and artifacts",
  tag: "Names of manifests",
  activity: "What happened lately",
  history: "What tags pointed at",
  undo: "Taking things back, and taking them away for good",
  retention: "What stays, what goes, and why",
  scrub: "Checks of content, and damage",
  audit: "A store of objects, compared with what is known of it",
  image: "What differs between images",
  usage: "What content takes",
  referrer: "Manifests that refer to others",
  auth: "Tokens, API keys for programs, and who is asking",
  health: "For supervisors and load balancers",
  home: "For people with a browser",
  ui: "The web interface",
  swagger: "This document and its page",
  metrics: "For Prometheus",
  search: "Search, and what its clients expect beside it",
};

const description = `An OCI registry: it speaks the distribution specification and stores what it is given as OCI image
layouts. Where callers must log in, \`GET /v2/\` says how. Names of repositories hold slashes, which stand in paths
as they are: \`/v2/team/app/tags/list\`.`;

/** The document for these rows. `version` is the program's. */
export function apiDocument<App>(rows: readonly Endpoint<App>[], version: string): Json {
  return openApiDocument(rows, {
    info: {
      title: "zot",
      version,
      description,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    groups,
    pathParameters,
    schemas,
    errorSchema: schemaOf("Errors"),
    commonHeaders,
    errorHeaders,
    headersByError,
    always: ["UNKNOWN", "UNAVAILABLE", "TOO_MANY_REQUESTS", "URL_TOO_LONG", "TOO_COSTLY"],
    unpermitted: ["UNAUTHORIZED", "DENIED"],
    // What was, is not written to (`oci/past_name.ts`).
    unwritable: ["UNSUPPORTED"],
  });
}
