// Signed URLs of Google Cloud Storage: what is signed, against Google's own published cases, and that it is signed.

import { expect, test } from "bun:test";
import { createHash, createVerify, generateKeyPairSync } from "node:crypto";
import { signedUrl, textToSign } from "./gcs_signed_url.ts";

const email = "test-iam-credentials@dummy-project-id.iam.gserviceaccount.com";
const at = (time: string): number => Date.parse(time);

/** Queries of https://github.com/googleapis/conformance-tests, storage/v1/v4_signatures.json. */
for (const [says, url, seconds, time, query] of [
  [
    "a simple GET",
    "https://storage.googleapis.com/test-bucket/test-object",
    10,
    "2019-02-01T09:00:00Z",
    "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=test-iam-credentials%40dummy-project-id.iam.gserviceaccount.com%2F20190201%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20190201T090000Z&X-Goog-Expires=10&X-Goog-SignedHeaders=host",
  ],
  [
    "another time",
    "https://storage.googleapis.com/test-bucket/test-object",
    20,
    "2019-03-01T09:00:00Z",
    "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=test-iam-credentials%40dummy-project-id.iam.gserviceaccount.com%2F20190301%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20190301T090000Z&X-Goog-Expires=20&X-Goog-SignedHeaders=host",
  ],
] as const) {
  test(says, () => {
    const { query: made, text } = textToSign({ url, seconds, nowMs: at(time) }, email);
    expect(made).toBe(query);
    const request = `GET\n${new URL(url).pathname}\n${query}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD`;
    const hash = createHash("sha256").update(request).digest("hex");
    const day = time.slice(0, 10).replaceAll("-", "");
    expect(text.split("\n")).toEqual([
      "GOOG4-RSA-SHA256",
      `${day}T090000Z`,
      `${day}/auto/storage/goog4_request`,
      hash,
    ]);
  });
}

test("the signature is that of the account's key, and the type is a part of what is signed", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  const wanted = {
    url: "https://storage.googleapis.com/bucket/a%20b",
    seconds: 60,
    nowMs: 0,
    contentType: "text/plain; a=b",
  };
  const url = signedUrl(wanted, { email, privateKey: pem });
  const [, query, signature] = /\?(.*)&X-Goog-Signature=([0-9a-f]{512})$/.exec(url) ?? [];
  expect(query).toEndWith("&response-content-type=text%2Fplain%3B%20a%3Db");
  const { text } = textToSign(wanted, email);
  const isRight = createVerify("RSA-SHA256")
    .update(text)
    .verify(publicKey, signature ?? "", "hex");
  expect(isRight).toBe(true);
});
