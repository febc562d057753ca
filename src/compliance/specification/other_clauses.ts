// Rules from outside the distribution specification: image-spec, RFC 9110, and practice, in our words.
//
// What a rule of practice asks is what clients rely on; a registry that does otherwise is told so, and
// does not fail for it.
import { type Clause, imageSpec, practice, rfc } from "./clause.ts";

export const otherClauses = {
  digestGrammar: imageSpec(
    "Descriptor, Digests",
    "The encoded portion of a SHA-256 digest is 64 lower-case hexadecimal digits, that of SHA-512 is 128; algorithm and encoded portion are separated by a colon.",
  ),
  unknownFields: imageSpec(
    "Considerations, Extensibility",
    "Readers of manifests must ignore properties they do not know and must not fail because of an unknown media type.",
  ),
  nonDistributable: imageSpec(
    "Layer, Non-Distributable Layers",
    "Layers of these types need not be uploaded to a registry; their URLs say where they are.",
  ),
  dataField: imageSpec(
    "Descriptor, Embedded Content",
    "The decoded data field must be identical to the content that the descriptor names.",
  ),
  rangeSingle: rfc(
    "14.1.2 Byte Ranges",
    "A byte range is first-last, first-, or -suffix; a last position beyond the end means the end, a suffix longer than the content means all of it.",
  ),
  rangeUnsatisfiable: rfc(
    "15.5.17 416 Range Not Satisfiable",
    "A range set of which no range overlaps the content is answered with 416 and a Content-Range that gives the current length.",
  ),
  rangeMultiple: rfc(
    "14.6 Media Type multipart/byteranges",
    "Several ranges are answered with multipart/byteranges, one part per range; a server may also ignore the header or refuse many small ranges.",
  ),
  rangeUnknownUnit: rfc(
    "14.2 Range",
    "A server must ignore a Range header with a range unit it does not understand.",
  ),
  rangeOnHead: rfc(
    "14.2 Range",
    "Range is defined for GET only; for other methods the header is ignored.",
  ),
  ifRange: rfc(
    "13.1.5 If-Range",
    "The range is applied only if the entity tag of If-Range matches strongly; otherwise the whole content is sent.",
  ),
  ifNoneMatch: rfc(
    "13.1.2 If-None-Match",
    "When a listed entity tag matches, GET and HEAD are answered with 304 and without a body.",
  ),
  acceptRanges: rfc(
    "14.3 Accept-Ranges",
    "A server that answers byte ranges may say so with Accept-Ranges: bytes.",
  ),
  contentCoding: rfc(
    "8.4 Content-Encoding",
    "Content-Encoding tells clients to decode; the digest is that of the bytes as stored, so blobs and manifests go out unencoded.",
  ),
  contentLength: rfc(
    "8.6 Content-Length",
    "Content-Length equals the number of bytes of the body, and for HEAD what GET would have sent.",
  ),
  headParity: rfc(
    "9.3.2 HEAD",
    "HEAD is answered with the header fields that GET would have, and never with a body.",
  ),
  headRequired: rfc("9.1 Methods", "A server must support GET and HEAD."),
  methodNotAllowed: rfc(
    "15.5.6 405 Method Not Allowed",
    "A method that the resource does not support is answered with 405 and an Allow header.",
  ),
  unauthorized: rfc(
    "15.5.2 401 Unauthorized",
    "A 401 answer has a WWW-Authenticate header with at least one challenge that applies.",
  ),
  challengeGrammar: rfc(
    "11.6.1 WWW-Authenticate",
    "A challenge is a scheme followed by comma-separated parameters, whose values are tokens or quoted strings.",
  ),
  sessionSafety: practice(
    "Uploads",
    "An upload is bound to its repository, and requests on it never interleave their bytes.",
  ),
  uploadStream: practice(
    "Uploads",
    "A PATCH without Content-Range is a stream: its bytes go where the session stands.",
  ),
  uploadResume: practice(
    "Uploads",
    "After a cut connection the status of an upload tells the truth, and the upload can go on from there.",
  ),
  uploadLengthMismatch: practice(
    "Uploads",
    "A body whose length differs from what was announced is not stored.",
  ),
  concurrentPush: practice(
    "Uploads",
    "Several clients may push the same or other content at the same time.",
  ),
  isolation: practice("Repositories", "Content of one repository is not visible in another."),
  apiVersionHeader: practice(
    "Headers",
    "Docker-Distribution-Api-Version: registry/2.0 tells older clients that they talk to a registry.",
  ),
  jsonType: practice("Headers", "JSON answers are sent as application/json."),
  octetStream: practice("Headers", "Blobs are sent as application/octet-stream."),
  nosniff: practice(
    "Headers",
    "X-Content-Type-Options: nosniff keeps browsers from running pushed content.",
  ),
  noReflection: practice("Headers", "Input is never reflected into a header without encoding."),
  sameOrigin: practice(
    "Headers",
    "Location and Link are relative, or name the registry as the client reached it.",
  ),
  strictManifest: practice(
    "Manifests",
    "A manifest that readers would understand differently is refused when it is pushed.",
  ),
  atomicTag: practice("Manifests", "A tag moves at once; readers see the old or the new manifest."),
  tagDeleteKeeps: practice(
    "Deletion",
    "Deleting a tag leaves the manifest and its other tags alone.",
  ),
  deleteIsLocal: practice("Deletion", "Deletion in one repository leaves others alone."),
  deleteThenPush: practice("Deletion", "What was deleted can be pushed again."),
  catalog: practice(
    "Catalog",
    'GET /v2/_catalog lists the repositories as {"repositories": [...]} with n, last and Link as tags have.',
  ),
  extensions: practice(
    "Extensions",
    "GET /v2/_oci/ext/discover lists extensions, or is answered with a clean 404.",
  ),
  tokenService: practice(
    "Login",
    "A Bearer challenge names realm, service and scope; the realm gives a token for a login by GET or POST.",
  ),
  emptyBasic: practice("Login", "An empty Basic login means nobody, not a failed login."),
  integrity: practice("Content", "What is pulled is byte for byte what was pushed, at any size."),
} as const satisfies Record<string, Clause>;
