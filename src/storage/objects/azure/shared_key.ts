/** Signatures by the key of a storage account: of requests (Shared Key), and of URLs for one blob (service SAS). */
import { createHmac } from "node:crypto";
import type { SignedUrl } from "../object_store.ts";
import { encodeStrictly } from "../object_key.ts";

export interface AccountKey {
  readonly account: string;
  /** In base64. */
  readonly key: string;
}

/** In the order that they are signed in. */
const signedHeaders = [
  "Content-Encoding",
  "Content-Language",
  "Content-Length",
  "Content-MD5",
  "Content-Type",
  "Date",
  "If-Modified-Since",
  "If-Match",
  "If-None-Match",
  "If-Unmodified-Since",
  "Range",
];

/** The version of the rules for URLs. */
const urlVersion = "2022-11-02";

/** The header `Authorization` of a request with these headers, all of which are sent. */
export function sharedKey(
  method: string,
  url: URL,
  headers: Headers,
  { account, key }: AccountKey,
): string {
  const lines = signedHeaders.map((name) => {
    const value = headers.get(name) ?? "";
    return name === "Content-Length" && value === "0" ? "" : value;
  });
  const own = [...headers]
    .filter(([name]) => name.startsWith("x-ms-"))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}:${value.trim()}`);
  const query = [...url.searchParams]
    .map(([name, value]) => `${name.toLowerCase()}:${value}`)
    .sort();
  const resource = [`/${account}${url.pathname}`, ...query].join("\n");
  const text = [method, ...lines, ...own, resource].join("\n");
  return `SharedKey ${account}:${signatureOf(text, key)}`;
}

export interface UrlToSign extends SignedUrl {
  /** Of the blob, without a query. */
  readonly url: string;
  readonly container: string;
  /** The blob's name as it is, not encoded. */
  readonly blob: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

export function sharedAccessUrl(wanted: UrlToSign, { account, key }: AccountKey): string {
  const { url, container, blob, seconds, contentType, nowMs } = wanted;
  const until = new Date(nowMs + seconds * 1000).toISOString().replace(/\.\d{3}/, "");
  const resource = `/blob/${account}/${container}/${blob}`;
  const fields = {
    permissions: "r",
    start: "",
    until,
    resource,
    identifier: "",
    addresses: "",
    protocol: "",
    version: urlVersion,
    kind: "b",
    snapshot: "",
    encryption: "",
    cacheControl: "",
    disposition: "",
    encoding: "",
    language: "",
    type: contentType,
  };
  const signature = signatureOf(Object.values(fields).join("\n"), key);
  const query = { sv: urlVersion, se: until, sr: "b", sp: "r", rsct: contentType, sig: signature };
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeStrictly(value)}`);
  return `${url}?${pairs.join("&")}`;
}

function signatureOf(text: string, key: string): string {
  return createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");
}
