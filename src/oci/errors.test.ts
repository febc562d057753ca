// Refusals: the table keeps to the specification's codes, and every body has the specified shape.

import { describe, expect, test } from "bun:test";
import { errorBody, apiErrors, apiError, ApiError, type ApiErrorRow } from "./errors.ts";

/** distribution-spec, "Error codes": the only ones that JSON of a 4xx answer may hold. */
const registeredCodes = [
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "UNAUTHORIZED",
  "DENIED",
  "UNSUPPORTED",
  "TOOMANYREQUESTS",
];

const rows: [string, ApiErrorRow][] = Object.entries(apiErrors);

describe("the table", () => {
  test.each(rows)("%s keeps the rules of a row", (_, { code, status, message, section }) => {
    expect(status >= 400 && status <= 599).toBe(true);
    if (status < 500) expect(registeredCodes).toContain(code);
    else expect(["UNKNOWN", "UNAVAILABLE"]).toContain(code);
    expect(message).toMatch(/^[A-Z][\x20-\x7e]*[^.\s]$/);
    expect(section).not.toBe("");
  });

  test("every registered code is in use", () => {
    const used = new Set(rows.map(([, { code }]) => code));
    expect(registeredCodes.filter((code) => !used.has(code))).toEqual([]);
  });

  test.each([
    ["BLOB_UNKNOWN", "BLOB_UNKNOWN", 404],
    ["UPLOAD_INVALID", "BLOB_UPLOAD_INVALID", 400],
    ["UPLOAD_RANGE", "BLOB_UPLOAD_INVALID", 416],
    ["UPLOAD_BUSY", "BLOB_UPLOAD_INVALID", 409],
    ["UPLOAD_TOO_LARGE", "BLOB_UPLOAD_INVALID", 413],
    ["UPLOAD_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", 404],
    ["DIGEST_INVALID", "DIGEST_INVALID", 400],
    ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", 400],
    ["MANIFEST_INVALID", "MANIFEST_INVALID", 400],
    ["MANIFEST_TYPE", "MANIFEST_INVALID", 415],
    ["MANIFEST_TOO_LARGE", "MANIFEST_INVALID", 413],
    ["MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN", 404],
    ["NAME_INVALID", "NAME_INVALID", 400],
    ["NAME_INVALID_READ", "NAME_INVALID", 404],
    ["NAME_UNKNOWN", "NAME_UNKNOWN", 404],
    ["SIZE_INVALID", "SIZE_INVALID", 400],
    ["UNAUTHORIZED", "UNAUTHORIZED", 401],
    ["DENIED", "DENIED", 403],
    ["UNSUPPORTED", "UNSUPPORTED", 405],
    ["PARAMETER_INVALID", "UNSUPPORTED", 400],
    ["CONTENT_ENCODING", "UNSUPPORTED", 415],
    ["TOO_MANY_TAGS", "UNSUPPORTED", 414],
    ["PRECONDITION_FAILED", "DENIED", 412],
    ["BLOB_REFERENCED", "DENIED", 405],
    ["NOT_FOUND", "UNSUPPORTED", 404],
    ["RANGE_UNSATISFIABLE", "UNSUPPORTED", 416],
    ["TOO_MANY_RANGES", "UNSUPPORTED", 400],
    ["TOO_MANY_REQUESTS", "TOOMANYREQUESTS", 429],
    ["STORAGE_FULL", "UNKNOWN", 507],
    ["READ_ONLY", "DENIED", 403],
    ["UNAVAILABLE", "UNAVAILABLE", 503],
    ["UNKNOWN", "UNKNOWN", 500],
  ] as const)("%s answers %s with %d", (name, code, status) => {
    expect(apiErrors[name]).toMatchObject({ code, status });
  });
});

describe("apiError", () => {
  test("takes everything from the row", () => {
    const error = apiError("BLOB_UNKNOWN");
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "ApiError",
      reason: "BLOB_UNKNOWN",
      code: "BLOB_UNKNOWN",
      status: 404,
      message: apiErrors.BLOB_UNKNOWN.message,
      headers: {},
    });
    expect(JSON.parse(errorBody(error))).toEqual({
      errors: [{ code: "BLOB_UNKNOWN", message: apiErrors.BLOB_UNKNOWN.message }],
    });
  });

  test("message, detail, headers and cause are the caller's", () => {
    const cause = new Error("secret path");
    const headers = { Range: "0-9", Location: "/v2/a/blobs/uploads/x" };
    const options = { message: "Expected 10", detail: { offset: 10 }, headers, cause };
    const error = apiError("UPLOAD_RANGE", options);
    expect(error).toMatchObject({ status: 416, message: "Expected 10", headers, cause });
    expect(errorBody(error)).toBe(
      '{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"Expected 10","detail":{"offset":10}}]}',
    );
    expect(errorBody(error)).not.toContain("secret");
  });

  test("one entry per item, each with its own detail", () => {
    const errors = [
      { message: "Layer is unknown", detail: { digest: "sha256:a" } },
      { message: "Config is unknown" },
    ];
    const error = apiError("MANIFEST_BLOB_UNKNOWN", { errors });
    expect(error.message).toBe("Layer is unknown");
    expect(JSON.parse(errorBody(error))).toEqual({
      errors: [
        {
          code: "MANIFEST_BLOB_UNKNOWN",
          message: "Layer is unknown",
          detail: { digest: "sha256:a" },
        },
        { code: "MANIFEST_BLOB_UNKNOWN", message: "Config is unknown" },
      ],
    });
  });

  test("the list is never empty", () => {
    expect(apiError("MANIFEST_BLOB_UNKNOWN", { errors: [] }).errors).toHaveLength(1);
  });

  test("details that are falsy are details", () => {
    for (const detail of [null, 0, "", false]) {
      expect(JSON.parse(errorBody(apiError("DENIED", { detail }))).errors[0].detail).toBe(detail);
    }
  });
});
