// Transcripts are published: no secret passes, whatever its place.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { redactHeaders, redactUrl, showBody } from "./transcript.ts";

describe("redactHeaders", () => {
  test("keeps the scheme of a login and blanks the rest", () => {
    expect(redactHeaders([["authorization", "Basic dXNlcjpwYXNz"]])).toEqual([
      ["authorization", "Basic (hidden)"],
    ]);
    expect(redactHeaders([["Authorization", "Bearer abc.def"]])).toEqual([
      ["Authorization", "Bearer (hidden)"],
    ]);
    expect(redactHeaders([["Set-Cookie", "session=1"]])).toEqual([["Set-Cookie", "(hidden)"]]);
    expect(redactHeaders([["Accept", "a/b"]])).toEqual([["Accept", "a/b"]]);
  });

  test("no value of a login survives", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,30}$/);
    fc.assert(
      fc.property(secret, fc.constantFrom("Basic ", "Bearer ", "", "Custom "), (text, scheme) => {
        expect(JSON.stringify(redactHeaders([["Authorization", scheme + text]]))).not.toContain(
          text,
        );
      }),
    );
  });
});

test("redactUrl blanks passwords and signed parameters, and nothing else", () => {
  expect(redactUrl("https://user:pass@h/x?_state=abc&digest=sha256:1")).toBe(
    "https://(hidden)@h/x?_state=(hidden)&digest=sha256:1",
  );
  expect(redactUrl("/x?X-Amz-Signature=abc&X-Amz-Credential=k&n=2")).toBe(
    "/x?X-Amz-Signature=(hidden)&X-Amz-Credential=(hidden)&n=2",
  );
  expect(redactUrl("/v2/a/tags/list?n=2&last=b")).toBe("/v2/a/tags/list?n=2&last=b");
});

describe("showBody", () => {
  test("shows text, counts bytes, hides secrets, cuts what is long", () => {
    expect(showBody(new TextEncoder().encode('{"a":1}'))).toBe('{"a":1}');
    expect(showBody(new Uint8Array(0))).toBe("");
    expect(showBody(new Uint8Array([0, 1, 255]))).toBe("(3 bytes)");
    expect(showBody(new TextEncoder().encode("secret"), { secret: true })).not.toContain("secret");
    const long = showBody(new TextEncoder().encode("ä".repeat(9000)));
    expect(long.length).toBeLessThan(1600);
    expect(long).toEndWith("... (18000 bytes)");
  });
});
