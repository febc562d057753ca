// Sentences on manifests: pulling and pushing them, tags given with them, subjects.
//
// Quoted word for word from the OCI Distribution Specification (Apache-2.0, Open Container Initiative);
// code blocks that end a sentence follow it in backquotes. One row per sentence, named for what it asks.
import { type Clause, spec } from "./clause.ts";

const pullManifests = ["Pulling manifests", "pulling-manifests"] as const;
const push = ["Push", "push"] as const;
const pushManifests = ["Pushing Manifests", "pushing-manifests"] as const;
const subject = ["Pushing Manifests with Subject", "pushing-manifests-with-subject"] as const;

export const manifestClauses = {
  nameGrammar: spec(
    ...pullManifests,
    "Throughout this document, `<name>` MUST match the following regular expression: `[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*`",
  ),
  tagGrammar: spec(
    ...pullManifests,
    "Throughout this document, `<tag-or-digest>` as a tag MUST be at most 128 characters in length and MUST match the following regular expression: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`",
  ),
  referenceGrammar: spec(
    ...pullManifests,
    "The `<tag-or-digest>` MUST NOT be in any other format.",
  ),
  manifestGet: spec(
    ...pullManifests,
    "A GET request to an existing manifest URL MUST provide the expected manifest, with a response code that MUST be `200 OK`.",
  ),
  manifestDigestHeader: spec(
    ...pullManifests,
    "A successful response MUST contain the digest of the uploaded blob in the header `Docker-Content-Digest`.",
  ),
  manifestContentType: spec(
    ...pullManifests,
    "The `Content-Type` header SHOULD match what the client [pushed as the manifest's `Content-Type`](#pushing-manifests).",
  ),
  manifestTypeParameters: spec(
    ...pullManifests,
    "The registry SHOULD NOT include parameters on the `Content-Type` header.",
  ),
  manifestMissing: spec(
    ...pullManifests,
    "If the manifest is not found in the repository, the response code MUST be `404 Not Found`.",
  ),
  subjectMayBeMissing: spec(
    ...push,
    "A registry MUST initially accept an otherwise valid manifest with a `subject` field that references a manifest that does not exist in the repository, allowing clients to push a manifest and referrers to that manifest in either order.",
  ),
  missingReferencesCode: spec(
    ...push,
    "When a manifest is rejected for this reason, it MUST result in one or more `MANIFEST_BLOB_UNKNOWN` errors <sup>[code-1](#error-codes)</sup>.",
  ),
  manifestBytes: spec(
    ...pushManifests,
    "The registry MUST store the manifest in the exact byte representation provided by the client.",
  ),
  manifestPut: spec(
    ...pushManifests,
    "Upon a successful upload, the registry MUST return response code `201 Created`, and MUST have the following header: `Location: <location>`",
  ),
  manifestPutDigest: spec(
    ...pushManifests,
    "The Docker-Content-Digest header returns the digest of the uploaded blob, and MUST be equal to the client provided digest.",
  ),
  manifestPutParameters: spec(
    ...pushManifests,
    "The registry SHOULD ignore parameters on the `Content-Type` header.",
  ),
  manifestMediaType: spec(
    ...pushManifests,
    "If a manifest includes a `mediaType` field, clients MUST set the `Content-Type` header to the value specified by the `mediaType` field.",
  ),
  manifestMediaTypeMissing: spec(
    ...pushManifests,
    "All manifests SHOULD include a `mediaType` field declaring the type of the manifest being pushed.",
  ),
  manifestNoBlobs: spec(...pushManifests, "However, the list of blobs MAY be empty."),
  manifestTagParametersTen: spec(
    ...pushManifests,
    "SHOULD support pushing at least 10 tags per request.",
  ),
  manifestTagParametersMany: spec(
    ...pushManifests,
    "MAY return a `414 Request-URI Too Long` status if too many tags are included in the request.",
  ),
  manifestTagHeader: spec(
    ...pushManifests,
    "MUST include an `OCI-Tag` response header, in accordance with [RFC 9110 (section 5)](https://www.rfc-editor.org/rfc/rfc9110#section-5) semantics, for each accepted tag.",
  ),
  repositoryMissing: spec(
    ...pushManifests,
    "An attempt to pull a nonexistent repository MUST return response code `404 Not Found`.",
  ),
  manifestTooLarge: spec(
    ...pushManifests,
    "A registry that enforces this limit SHOULD respond to a request to push a manifest over this limit with a response code `413 Payload Too Large`.",
  ),
  manifestLarge: spec(
    ...pushManifests,
    "Client and registry implementations SHOULD expect to be able to support manifest pushes of at least 4 megabytes.",
  ),
  subjectHeader: spec(
    ...subject,
    "When processing a request for an image manifest with the `subject` field, a registry implementation that supports the [referrers API](#listing-referrers) MUST respond with the response header `OCI-Subject: <subject digest>` to indicate to the client that the registry processed the request's `subject`.",
  ),
} as const satisfies Record<string, Clause>;
