// Sentences on lists, deletion, errors, warnings, and the rows of the table of endpoints.
//
// Quoted word for word from the OCI Distribution Specification (Apache-2.0, Open Container Initiative);
// code blocks that end a sentence follow it in backquotes. One row per sentence, named for what it asks.
import { type Clause, endpoint, spec } from "./clause.ts";

const support = ["Determining Support", "determining-support"] as const;
const tags = ["Listing Tags", "listing-tags"] as const;
const referrers = ["Listing Referrers", "listing-referrers"] as const;
const deleteTags = ["Deleting tags", "deleting-tags"] as const;
const deleteManifests = ["Deleting Manifests", "deleting-manifests"] as const;
const deleteBlobs = ["Deleting Blobs", "deleting-blobs"] as const;
const errorCodes = ["Error Codes", "error-codes"] as const;
const warnings = ["Warnings", "warnings"] as const;
const api = ["API", "api"] as const;

export const listClauses = {
  ping: spec(
    ...support,
    "If the response is `200 OK`, then the registry implements this specification.",
  ),
  pingIsForLogin: spec(
    ...support,
    "This endpoint MAY be used for authentication/authorization purposes, but this is out of the purview of this specification.",
  ),
  tags: spec(
    ...tags,
    "Assuming a repository is found, this request MUST return a `200 OK` response code.",
  ),
  tagsBody: spec(
    ...tags,
    'Upon success, the response MUST be a json body in the following format: `{"name": "<name>", "tags": ["<tag1>", "<tag2>", "<tag3>"]}`',
  ),
  tagsOrder: spec(
    ...tags,
    'If the list is not empty, the tags MUST be in lexical (i.e. case-insensitive alphanumeric order) or "ASCIIbetical" ([Go\'s `sort.Strings`](https://pkg.go.dev/sort#Strings)) order.',
  ),
  tagsCount: spec(...tags, "Otherwise, the response MUST include `<int>` results."),
  tagsFewer: spec(
    ...tags,
    "The response to such a request MAY return fewer than `<int>` results, but only when the total number of tags attached to the repository is less than `<int>` or a `Link` header is provided.",
  ),
  tagsLink: spec(
    ...tags,
    'If included, the `Link` header MUST be set according to [RFC 5988](https://www.rfc-editor.org/rfc/rfc5988) with the Relation Type `rel="next"`.',
  ),
  tagsLinkMeansMore: spec(
    ...tags,
    "A `Link` header MAY be included in the response when additional tags are available.",
  ),
  tagsZero: spec(
    ...tags,
    "When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a `Link` header.",
  ),
  tagsStart: spec(
    ...tags,
    "Without the `last` query parameter (described next), the list returned will start at the beginning of the list and include `<int>` results.",
  ),
  tagsLast: spec(
    ...tags,
    "That is to say, `<tagname>` will not be included in the results, but up to `<int>` tags *after* `<tagname>` will be returned.",
  ),
  tagsLastAlone: spec(
    ...tags,
    "When using the `last` query parameter, the `n` parameter is OPTIONAL.",
  ),
  tagsInteger: spec(
    ...tags,
    "`<name>` is the namespace of the repository, and `<int>` is an integer specifying the number of tags requested.",
  ),
  referrers: spec(
    ...referrers,
    "Assuming a repository is found, this request MUST return a `200 OK` response code.",
  ),
  referrersNever404: spec(
    ...referrers,
    "If the registry supports the referrers API, the registry MUST NOT return a `404 Not Found` to a referrers API requests.",
  ),
  referrersInvalid: spec(
    ...referrers,
    "If the request is invalid, such as a `<digest>` with an invalid syntax, a `400 Bad Request` MUST be returned.",
  ),
  referrersEntries: spec(
    ...referrers,
    "Each descriptor is of an image manifest or index in the same `<name>` namespace with a `subject` field that specifies the value of `<digest>`.",
  ),
  referrersConfigType: spec(
    ...referrers,
    "If the `artifactType` is empty or missing in the image manifest, the value of `artifactType` MUST be set to the config descriptor `mediaType` value.",
  ),
  referrersIndexType: spec(
    ...referrers,
    "If the `artifactType` is empty or missing in an index, the `artifactType` MUST be omitted.",
  ),
  referrersNone: spec(
    ...referrers,
    "If a query results in no matching referrers, an empty manifest list MUST be returned.",
  ),
  referrersLink: spec(
    ...referrers,
    "A `Link` header MUST be included in the response when the descriptor list cannot be returned in a single manifest.",
  ),
  referrersFilter: spec(...referrers, "The registry SHOULD support filtering on `artifactType`."),
  referrersFilterHeader: spec(
    ...referrers,
    "If filtering is requested and applied, the response MUST include a header `OCI-Filters-Applied: artifactType` denoting that an `artifactType` filter was applied.",
  ),
  tagDelete: spec(
    ...deleteTags,
    "Upon success, the registry MUST respond with a `202 Accepted` code.",
  ),
  tagDeleted: spec(
    ...deleteTags,
    "Once deleted, a `GET` to `/v2/<name>/manifests/<tag>` will return a 404.",
  ),
  manifestDelete: spec(
    ...deleteManifests,
    "Upon success, the registry MUST respond with a `202 Accepted` code.",
  ),
  manifestDeleted: spec(
    ...deleteManifests,
    "Once deleted, a `GET` to `/v2/<name>/manifests/<digest>` and any tag pointing to that digest will return a 404.",
  ),
  manifestDeleteUnknown: spec(
    ...deleteManifests,
    "If the repository does not exist, the response MUST return `404 Not Found`.",
  ),
  blobDelete: spec(
    ...deleteBlobs,
    "Upon success, the registry MUST respond with code `202 Accepted`.",
  ),
  blobDeleteUnknown: spec(
    ...deleteBlobs,
    "If the blob is not found, a `404 Not Found` code MUST be returned.",
  ),
  end5: endpoint("end-5", "PATCH <blob-push-location>", "202", "404/416"),
  end6: endpoint("end-6", "PUT <blob-push-location>?digest=<digest>", "201", "404/400/416"),
  end8: endpoint("end-8a", "GET /v2/<name>/tags/list", "200", "404"),
  end9: endpoint("end-9", "DELETE /v2/<name>/manifests/<tag-or-digest>", "202", "404/400/405"),
  end13: endpoint("end-13", "GET <blob-push-location>", "204", "404"),
  end14: endpoint("end-14", "DELETE <blob-push-location>", "204", "404/400"),
  errorBody: spec(
    ...errorCodes,
    'If the response body is in JSON format, it MUST have the following format: `{"errors": [{"code": "<error identifier, see below>", "message": "<message describing condition>", "detail": "<unstructured>"}, ...]}`',
  ),
  errorCode: spec(...errorCodes, "The `code` field MUST be one of the following:"),
  warnings: spec(
    ...warnings,
    "If included, `Warning` headers MUST specify a `warn-code` of `299` and a `warn-agent` of `-`, and MUST NOT specify a `warn-date` value.",
  ),
  warningsSize: spec(
    ...warnings,
    "A registry MUST NOT send more than 4096 bytes of warning data from all headers combined.",
  ),
  httpSemantics: spec(
    ...api,
    "Where this specification does not define specific behavior, implementations SHOULD follow the HTTP semantics defined in [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110).",
  ),
  redirects: spec(
    ...api,
    "The status codes documented in this specification are those returned after any redirects have been followed.",
  ),
} as const satisfies Record<string, Clause>;
