// Sentences on blobs: pulling, checking, pushing whole and in chunks, cancelling, mounting.
//
// Quoted word for word from the OCI Distribution Specification (Apache-2.0, Open Container Initiative);
// code blocks that end a sentence follow it in backquotes. One row per sentence, named for what it asks.
import { type Clause, spec } from "./clause.ts";

const pullBlobs = ["Pulling blobs", "pulling-blobs"] as const;
const exists = [
  "Checking if content exists in the registry",
  "checking-if-content-exists-in-the-registry",
] as const;
const pushBlobs = ["Pushing blobs", "pushing-blobs"] as const;
const postPut = ["POST then PUT", "post-then-put"] as const;
const singlePost = ["Single POST", "single-post"] as const;
const chunks = ["Pushing a blob in chunks", "pushing-a-blob-in-chunks"] as const;
const cancel = ["Cancel a blob upload", "cancel-a-blob-upload"] as const;
const mount = [
  "Mounting a blob from another repository",
  "mounting-a-blob-from-another-repository",
] as const;

export const blobClauses = {
  blobGet: spec(
    ...pullBlobs,
    "A GET request to an existing blob URL MUST provide the expected blob, with a response code that MUST be `200 OK`.",
  ),
  blobDigestHeader: spec(
    ...pullBlobs,
    "A successful response MUST contain the digest of the uploaded blob in the header `Docker-Content-Digest`.",
  ),
  blobMissing: spec(
    ...pullBlobs,
    "If the blob is not found in the repository, the response code MUST be `404 Not Found`.",
  ),
  blobRange: spec(
    ...pullBlobs,
    "A registry SHOULD support the `Range` request header in accordance with [RFC 9110 (section 14)](https://www.rfc-editor.org/rfc/rfc9110#section-14).",
  ),
  headExists: spec(
    ...exists,
    "A HEAD request to an existing blob or manifest URL MUST return `200 OK`.",
  ),
  headDigest: spec(
    ...exists,
    "A successful response MUST contain the digest of the uploaded blob or manifest in the header `Docker-Content-Digest`.",
  ),
  headLength: spec(
    ...exists,
    "A successful response MUST contain the size in bytes of the uploaded blob or manifest in the header `Content-Length`.",
  ),
  headMissing: spec(
    ...exists,
    "If the blob or manifest is not found in the repository, the response code MUST be `404 Not Found`.",
  ),
  badBlobDigest: spec(
    ...pushBlobs,
    "In each implementation, if the client provided digest is invalid or uses an unsupported algorithm, the registry SHOULD respond with a response code `400 Bad Request`.",
  ),
  uploadStart: spec(
    ...postPut,
    "Upon success, the response MUST have a code of `202 Accepted`, and MUST include the following header: `Location: <blob-push-location>`",
  ),
  uploadId: spec(
    ...postPut,
    "The `<blob-push-location>` MUST contain a UUID representing a unique session ID for the upload to follow.",
  ),
  uploadPut: spec(
    ...postPut,
    "Upon successful completion of the request, the response MUST have code `201 Created` and MUST have the following header: `Location: <blob-location>`",
  ),
  singlePost: spec(
    ...singlePost,
    "Successful completion of the request MUST return a `201 Created` and MUST include the following header: `Location: <blob-location>`",
  ),
  singlePostLength: spec(
    ...singlePost,
    "The `Content-Length` header MUST match the blob's actual content length.",
  ),
  digestAlgorithm: spec(
    ...chunks,
    "When pushing a blob with a digest algorithm other than `sha256`, the post request SHOULD include the `digest-algorithm` parameter: `/v2/<name>/blobs/uploads/?digest-algorithm=<algorithm>`",
  ),
  chunkAccepted: spec(
    ...chunks,
    "The response for each successful chunk upload MUST be `202 Accepted`, and MUST have the following headers: `Location: <blob-push-location>`, `Range: 0-<end-of-range>`",
  ),
  chunkRange: spec(
    ...chunks,
    "The `<end-of-range>` value is the position of the last uploaded byte of the blob, matching the end value of the `Content-Range` in the request.",
  ),
  chunkRangeGrammar: spec(
    ...chunks,
    "It MUST match the following regular expression: `^[0-9]+-[0-9]+$`",
  ),
  chunkOrder: spec(
    ...chunks,
    "If a chunk is uploaded out of order, the registry MUST respond with a `416 Requested Range Not Satisfiable` code.",
  ),
  chunkLength: spec(
    ...chunks,
    "The `<length>` is the content-length, in bytes, of the current chunk.",
  ),
  chunkMinimum: spec(
    ...chunks,
    "If the registry has a minimum chunk size, the `POST` response SHOULD include the following header, where `<size>` is the size in bytes (see the blob `PATCH` definition for usage): `OCI-Chunk-Min-Length: <size>`",
  ),
  chunkClose: spec(
    ...chunks,
    "The response to a successful closing of the session MUST be `201 Created`, and MUST contain the following header: `Location: <blob-location>`",
  ),
  chunkCloseDigest: spec(
    ...chunks,
    "The closing `PUT` request MUST include the `<digest>` of the whole blob (not the final chunk) as a query parameter.",
  ),
  chunkLastInPut: spec(
    ...chunks,
    "The final chunk MAY be uploaded using a `PATCH` request or it MAY be uploaded in the closing `PUT` request.",
  ),
  chunkLastOrder: spec(
    ...chunks,
    "If the final chunk is uploaded out of order, the registry MUST respond with a `416 Requested Range Not Satisfiable` code.",
  ),
  uploadStatus: spec(
    ...chunks,
    "The response to an active upload `<blob-push-location>` MUST be a `204 No Content` response code, and MUST have the following headers: `Location: <blob-push-location>`, `Range: 0-<end-of-range>`",
  ),
  uploadStatusAnyLocation: spec(
    ...chunks,
    "The `<blob-push-location>` refers to the URL obtained from any preceding `POST` or `PATCH` request.",
  ),
  uploadStatusRange: spec(
    ...chunks,
    "The `<end-of-range>` value is the position of the last uploaded byte of the blob.",
  ),
  uploadCancel: spec(
    ...cancel,
    "If successful, the response SHOULD be a `204 No Content` response code.",
  ),
  mount: spec(
    ...mount,
    "The response to a successful mount MUST be `201 Created`, and MUST contain the following header: `Location: <blob-location>`",
  ),
  mountLocation: spec(
    ...mount,
    "The Location header will contain the registry URL to access the accepted layer file.",
  ),
  mountFallback: spec(
    ...mount,
    "Alternatively, if a registry does not support cross-repository mounting or is unable to mount the requested blob, it SHOULD return a `202`.",
  ),
  mountAnonymous: spec(
    ...mount,
    "The registry MAY treat the `from` parameter as optional, and it MAY cross-mount the blob if it can be found.",
  ),
} as const satisfies Record<string, Clause>;
