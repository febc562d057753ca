/** URLs of Google Cloud Storage that need no login: Signature Version 4, by the key of a service account. */
import { createHash, createSign } from "node:crypto";
import { encodeStrictly } from "../object_key.ts";
import type { SignedUrl } from "../object_store.ts";

/** A service account that can sign by itself. */
export interface SigningAccount {
  readonly email: string;
  /** PEM. */
  readonly privateKey: string;
}

export interface UrlToSign extends Partial<Pick<SignedUrl, "contentType">> {
  /** Without a query, the key in its path encoded already. */
  readonly url: string;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

const algorithm = "GOOG4-RSA-SHA256";

export function signedUrl(wanted: UrlToSign, { email, privateKey }: SigningAccount): string {
  const { query, text } = textToSign(wanted, email);
  const signature = createSign("RSA-SHA256").update(text).sign(privateKey, "hex");
  return `${wanted.url}?${query}&X-Goog-Signature=${signature}`;
}

/** What the signature is of, and the query that it stands behind. */
export function textToSign({ url, seconds, nowMs, contentType }: UrlToSign, email: string) {
  const time = new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/auto/storage/goog4_request`;
  const { host, pathname } = new URL(url);
  const query = [
    ["X-Goog-Algorithm", algorithm],
    ["X-Goog-Credential", `${email}/${scope}`],
    ["X-Goog-Date", time],
    ["X-Goog-Expires", String(seconds)],
    ["X-Goog-SignedHeaders", "host"],
    ...(contentType === undefined ? [] : [["response-content-type", contentType]]),
  ]
    .map((pair) => pair.map(encodeStrictly).join("="))
    .join("&");
  const request = ["GET", pathname, query, `host:${host}\n`, "host", "UNSIGNED-PAYLOAD"].join("\n");
  const hash = createHash("sha256").update(request).digest("hex");
  return { query, text: [algorithm, time, scope, hash].join("\n") };
}
