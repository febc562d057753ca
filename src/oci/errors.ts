// THE table of apiErrors: every way the registry says no, with its code, status and default text.
//
// An API error is made from a row with `apiError(name)`, thrown anywhere, and turned into a response in
// one place. In a 4xx answer `code` must be one of the codes registered in distribution-spec, "Error
// codes", so several rows share a code and differ in status. `section` says where the answer is
// defined; "ours" means that the specification leaves it to the registry. Never use MANIFEST_INVALID
// for policy or quota: some clients then push the image again in another format.

export interface ApiErrorRow {
  /** The specification's code, which clients read. */
  readonly code: string;
  readonly status: number;
  /** The default text: capital, no full stop. */
  readonly message: string;
  /** Where the API error is defined. */
  readonly section: string;
}

const codes = 'distribution-spec, "Error codes"';

export const apiErrors = {
  BLOB_UNKNOWN: {
    code: "BLOB_UNKNOWN",
    status: 404,
    message: "Blob is not known to this repository",
    section: `[end-2] [end-10], ${codes}`,
  },
  BLOB_REFERENCED: {
    code: "DENIED",
    status: 405,
    message: "Blob is in use by a manifest of this repository; delete the manifest first",
    section: "[end-10], ours",
  },
  UPLOAD_INVALID: {
    code: "BLOB_UPLOAD_INVALID",
    status: 400,
    message: "Upload request is invalid",
    section: `[end-5] [end-6], ${codes}`,
  },
  UPLOAD_RANGE: {
    code: "BLOB_UPLOAD_INVALID",
    status: 416,
    message: "Chunk does not start where the upload stands",
    section: '[end-5] [end-6], distribution-spec, "Pushing a blob in chunks"',
  },
  UPLOAD_BUSY: {
    code: "BLOB_UPLOAD_INVALID",
    status: 409,
    message: "Another request is writing to this upload; ask for its status and go on from there",
    section: "[end-5] [end-6], ours",
  },
  UPLOAD_TOO_LARGE: {
    code: "BLOB_UPLOAD_INVALID",
    status: 413,
    message: "Blob is larger than this registry accepts",
    section: "[end-5] [end-6], RFC 9110 §15.5.14",
  },
  UPLOAD_UNKNOWN: {
    code: "BLOB_UPLOAD_UNKNOWN",
    status: 404,
    message: "Upload is not known to this repository, or has expired",
    section: `[end-5] [end-6] [end-13] [end-14], ${codes}`,
  },
  DIGEST_INVALID: {
    code: "DIGEST_INVALID",
    status: 400,
    message: "Digest is missing, malformed, unsupported, or not that of the content",
    section: `[end-4b] [end-6] [end-7], ${codes}`,
  },
  MANIFEST_BLOB_UNKNOWN: {
    code: "MANIFEST_BLOB_UNKNOWN",
    status: 400,
    message: "Manifest names a manifest or blob that is not known to this repository",
    section: `[end-7], ${codes}`,
  },
  MANIFEST_INVALID: {
    code: "MANIFEST_INVALID",
    status: 400,
    message: "Manifest is invalid",
    section: `[end-7], ${codes}`,
  },
  MANIFEST_TYPE: {
    code: "MANIFEST_INVALID",
    status: 415,
    message: "Manifest media type is not supported",
    section: "[end-7], RFC 9110 §15.5.16",
  },
  MANIFEST_TOO_LARGE: {
    code: "MANIFEST_INVALID",
    status: 413,
    message: "Manifest is larger than this registry accepts",
    section: '[end-7], distribution-spec, "Pushing manifests"',
  },
  MANIFEST_UNKNOWN: {
    code: "MANIFEST_UNKNOWN",
    status: 404,
    message: "Manifest is not known to this repository",
    section: `[end-3] [end-9], ${codes}`,
  },
  NAME_INVALID: {
    code: "NAME_INVALID",
    status: 400,
    message: "Repository name is invalid",
    section: `[end-4a] [end-7], ${codes}`,
  },
  NAME_INVALID_READ: {
    code: "NAME_INVALID",
    status: 404,
    message: "Repository name is invalid, so there is no such repository",
    section: `[end-2] [end-3] [end-8], ${codes}`,
  },
  NAME_UNKNOWN: {
    code: "NAME_UNKNOWN",
    status: 404,
    message: "Repository is not known to this registry",
    section: `[end-3] [end-8], ${codes}`,
  },
  SIZE_INVALID: {
    code: "SIZE_INVALID",
    status: 400,
    message: "Content length differs from the length that was announced",
    section: `[end-5] [end-6], ${codes}`,
  },
  UNAUTHORIZED: {
    code: "UNAUTHORIZED",
    status: 401,
    message: "Authentication is required",
    section: `${codes}, RFC 9110 §15.5.2`,
  },
  DENIED: {
    code: "DENIED",
    status: 403,
    message: "Access to this resource is denied",
    section: codes,
  },
  QUOTA_EXCEEDED: {
    code: "DENIED",
    status: 403,
    message: "A quota does not allow it",
    section: "ours",
  },
  QUOTA_REPOSITORIES: {
    code: "TOOMANYREQUESTS",
    status: 429,
    message: "The registry holds as many repositories as it may",
    section: "ours",
  },
  MANIFEST_COLLISION: {
    code: "MANIFEST_INVALID",
    status: 409,
    message: "Several tags point at this manifest; delete the tags, or all but one of them first",
    section: "[end-9], ours, as in zot",
  },
  READ_ONLY: {
    code: "DENIED",
    status: 403,
    message: "Registry is read-only at present",
    section: "ours",
  },
  PRECONDITION_FAILED: {
    code: "DENIED",
    status: 412,
    message: "Condition of the request does not hold; the tag was changed by someone else",
    section: "[end-7], RFC 9110 §13",
  },
  STILL_DAMAGED: {
    code: "DENIED",
    status: 409,
    message: "Content is still damaged; push it again, or delete it, first",
    section: "ours",
  },
  NO_OBJECTS: {
    code: "UNSUPPORTED",
    status: 409,
    message: "Content of this registry lies in no store of objects",
    section: "ours",
  },
  UNSUPPORTED: {
    code: "UNSUPPORTED",
    status: 405,
    message: "Operation is not supported here",
    section: codes,
  },
  PARAMETER_INVALID: {
    code: "UNSUPPORTED",
    status: 400,
    message: "Query parameter is invalid",
    section: "[end-8b], ours",
  },
  CONTENT_ENCODING: {
    code: "UNSUPPORTED",
    status: 415,
    message: "Content-Encoding is not supported; send the bytes that the digest names",
    section: "RFC 9110 §8.4",
  },
  TOO_MANY_TAGS: {
    code: "UNSUPPORTED",
    status: 414,
    message: "Request names more tags than this registry accepts at once",
    section: "[end-7b]",
  },
  URL_TOO_LONG: {
    code: "UNSUPPORTED",
    status: 414,
    message: "URL is longer than this registry reads",
    section: "RFC 9110 §15.5.15",
  },
  RANGE_UNSATISFIABLE: {
    code: "UNSUPPORTED",
    status: 416,
    message: "Range lies outside of the blob",
    section: "[end-2], RFC 9110 §14.4",
  },
  TOO_MANY_RANGES: {
    code: "UNSUPPORTED",
    status: 400,
    message: "Request names more ranges than this registry answers at once; ask for fewer",
    section: "[end-2], RFC 9110 §14.2",
  },
  TOO_MANY_REQUESTS: {
    code: "TOOMANYREQUESTS",
    status: 429,
    message: "Too many requests; try again later",
    section: `${codes}, RFC 6585 §4`,
  },
  TOO_COSTLY: {
    code: "UNSUPPORTED",
    status: 400,
    message: "Request costs more than one may; send shorter headers, or ask for less at once",
    section: "ours",
  },
  REQUEST_INVALID: {
    code: "UNSUPPORTED",
    status: 400,
    message: "Body of the request is invalid",
    section: "ours",
  },
  REQUEST_TOO_LARGE: {
    code: "UNSUPPORTED",
    status: 413,
    message: "Body of the request is larger than this endpoint takes",
    section: "RFC 9110 §15.5.14",
  },
  NOT_FOUND: {
    code: "UNSUPPORTED",
    status: 404,
    message: "Path is not one that this registry serves",
    section: "ours",
  },
  STORAGE_FULL: {
    code: "UNKNOWN",
    status: 507,
    message: "No space left for this upload; free space and push again",
    section: "RFC 4918 §11.5",
  },
  CONTENT_DAMAGED: {
    code: "UNKNOWN",
    status: 500,
    message: "Content is damaged on the disk of this registry; a push of it repairs it",
    section: "[end-2] [end-3], RFC 9110 §15.6.1",
  },
  UNAVAILABLE: {
    code: "UNAVAILABLE",
    status: 503,
    message: "Registry cannot answer at present; try again later",
    section: "RFC 9110 §15.6.4",
  },
  UPSTREAM_BROKEN: {
    code: "UNAVAILABLE",
    status: 502,
    message:
      "Upstream of this mirror cannot be used at present, and nothing of this is cached here",
    section: "RFC 9110 §15.6.3",
  },
  UPSTREAM_SILENT: {
    code: "UNAVAILABLE",
    status: 504,
    message: "Upstream of this mirror does not answer, and nothing of this is cached here",
    section: "RFC 9110 §15.6.5",
  },
  MIRROR_LOOP: {
    code: "UNAVAILABLE",
    status: 508,
    message: "Request went through too many mirrors, which ask each other in a circle",
    section: "RFC 5842 §7.2",
  },
  UNKNOWN: {
    code: "UNKNOWN",
    status: 500,
    message: "Registry failed to answer this request",
    section: "RFC 9110 §15.6.1",
  },
} as const satisfies Record<string, ApiErrorRow>;

export type ApiErrorName = keyof typeof apiErrors;

/** One entry of the error body. `detail` is any JSON value. */
export interface ErrorEntry {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

/** An API error on its way to the client. Made by `apiError`. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly reason: ApiErrorName;
  readonly code: string;
  readonly status: number;
  /** What the body lists; never empty. */
  readonly errors: readonly ErrorEntry[];
  /** Headers that the response must carry, such as Location and Range of an upload. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(reason: ApiErrorName, options: ApiErrorOptions) {
    const row = apiErrors[reason];
    const errors = entriesOf(row, options);
    super(errors[0]?.message ?? row.message, { cause: options.cause });
    this.reason = reason;
    this.code = row.code;
    this.status = row.status;
    this.errors = errors;
    this.headers = options.headers ?? {};
  }
}

export interface ApiErrorOptions {
  /** Replaces the row's text: what was expected, what came, what to do. */
  message?: string;
  detail?: unknown;
  headers?: Record<string, string>;
  /** Makes one entry per item, such as each missing blob; an empty list counts as none. */
  errors?: { message: string; detail?: unknown }[];
  /** What led to the reason; logged, never shown to the client. */
  cause?: unknown;
}

/** Makes the API error of this name. Returns it: the caller throws, so that control flow stays visible. */
export function apiError(name: ApiErrorName, options: ApiErrorOptions = {}): ApiError {
  return new ApiError(name, options);
}

function entriesOf(row: ApiErrorRow, options: ApiErrorOptions): ErrorEntry[] {
  const { message = row.message, detail, errors = [] } = options;
  const items = errors.length > 0 ? errors : [{ message, detail }];
  return items.map((item) => {
    const entry = { code: row.code, message: item.message };
    return item.detail === undefined ? entry : { ...entry, detail: item.detail };
  });
}

/** The JSON body of distribution-spec, "Error codes", to be sent as `application/json`. */
export function errorBody(error: ApiError): string {
  return JSON.stringify({ errors: error.errors });
}
