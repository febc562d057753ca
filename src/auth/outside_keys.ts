/**
 * Keys of outside issuers: from a file (PEM or JSON Web Key Set) that is read again when it changes, from a URL, or
 * found by OpenID discovery.
 *
 * Only public keys are accepted, and each only for its own algorithms: an RSA key never verifies an HMAC. A key that a
 * token carries is ignored. Keys are fetched over TLS (or from this machine), with limits of time and size and without
 * following redirects; they are kept, and fetched again as the issuer rotates them.
 */
import { createPublicKey, X509Certificate } from "node:crypto";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  importJWK,
  type JWK,
  type JWTVerifyGetKey,
} from "jose";
import type { Clock } from "../lib/clock.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { isSafeUrl } from "./safe_url.ts";

/** The issuer's keys cannot be had now. Never means that a token is wrong. */
export class IssuerUnavailable extends Error {
  override readonly name = "IssuerUnavailable";
}

const fetchTimeoutMs = 3_000;
const fetchBytesMax = 1024 * 1024;
/** Keys are fetched again after this, and when an unknown one is named, but not more often than the pause. */
const keysAgeMsMax = 10 * 60_000;
const fetchPauseMs = 30_000;
/** So long after a failure the issuer is not asked again. */
const failurePauseMs = 2_000;

const algorithmsByType: Readonly<Record<string, readonly string[]>> = {
  RSA: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  "EC P-256": ["ES256"],
  "EC P-384": ["ES384"],
  "EC P-521": ["ES512"],
  "OKP Ed25519": ["EdDSA"],
};
export const allAlgorithms = Object.values(algorithmsByType).flat();

/** Keys of one file in PEM: a token may have been signed by any of them, and each is tried. */
const pemKeysMax = 32;

/** Keys of a file, as jose takes them: what one does not verify, the next may. */
export interface KeySource {
  readonly getKeys: readonly JWTVerifyGetKey[];
  /** What tokens may be signed with. */
  readonly algorithms: readonly string[];
}

/** Reads keys and certificates in PEM, or a key set. @throws with one line for the operator. */
export function parseKeyFile(bytes: Uint8Array, path: string): KeySource {
  const text = new TextDecoder().decode(bytes);
  const isPem = text.includes("-----BEGIN");
  const keys = isPem ? pemKeys(text, path) : keySet(bytes, path);
  const usable = keys.filter((key) => algorithmsOf(key).length > 0);
  if (usable.length === 0) {
    throw new Error(`${path}: expected a public RSA, elliptic curve or Ed25519 key, got none`);
  }
  const algorithms = [...new Set(usable.flatMap(algorithmsOf))];
  // Keys without names, and an only one, verify whatever name the token gives its key.
  if (!isPem && usable.length > 1) {
    return { getKeys: [createLocalJWKSet({ keys: usable })], algorithms };
  }
  return { getKeys: usable.map(keyGetter), algorithms };
}

function keyGetter(key: JWK): JWTVerifyGetKey {
  const algorithms = algorithmsOf(key);
  return ({ alg }) => {
    if (!algorithms.includes(alg)) throw new errors.JWKSNoMatchingKey();
    return importJWK(key, alg);
  };
}

/** Every key and certificate of the file. What is neither is named, so that nothing is passed over. */
function pemKeys(text: string, path: string): JWK[] {
  const blocks = [...text.matchAll(/-----BEGIN ([^\n-]+)-----[^]*?-----END \1-----/g)];
  const begun = text.match(/-----BEGIN /g)?.length ?? 0;
  if (begun !== blocks.length) {
    throw new Error(`${path}: expected PEM, got a block without its end`);
  }
  if (blocks.length > pemKeysMax) {
    throw new Error(`${path}: expected up to ${pemKeysMax} keys, got ${blocks.length}`);
  }
  return blocks.map(([block, label = ""], index) => {
    const where = blocks.length === 1 ? path : `${path}: block ${index + 1}`;
    if (label.endsWith("PRIVATE KEY")) {
      throw new Error(`${where}: expected a public key or certificate, got a private key`);
    }
    return pemKey(block, label, where);
  });
}

function pemKey(block: string, label: string, where: string): JWK {
  try {
    const isCertificate = label === "CERTIFICATE";
    const key = isCertificate ? new X509Certificate(block).publicKey : createPublicKey(block);
    return key.export({ format: "jwk" }) as JWK;
  } catch (cause) {
    throw new Error(`${where}: expected a public key or certificate in PEM, got ${label}`, {
      cause,
    });
  }
}

function keySet(bytes: Uint8Array, path: string): JWK[] {
  const parsed = parseStrictJson(bytes, { depthMax: 8 });
  const value = "value" in parsed ? parsed.value : null;
  const list = isJsonObject(value) ? (value["keys"] ?? [value]) : null;
  if (!Array.isArray(list) || !list.every(isJsonObject)) {
    throw new Error(`${path}: expected a key in PEM or a JSON Web Key Set`);
  }
  if (list.some((key) => "d" in key || key["kty"] === "oct")) {
    throw new Error(`${path}: expected public keys only, got a secret one`);
  }
  return list;
}

function algorithmsOf({ kty, crv, alg, use }: JWK): readonly string[] {
  if (use !== undefined && use !== "sig") return [];
  const known = algorithmsByType[kty === "RSA" ? "RSA" : `${kty} ${crv}`] ?? [];
  return alg === undefined ? known : known.filter((each) => each === alg);
}

export type Fetch = (url: string) => Promise<unknown>;

/** Fetches JSON as described at the top. `authorities` is PEM, null for the system's. */
export function limitedFetch(authorities: () => string | null): Fetch {
  return async (url) => {
    const ca = authorities();
    try {
      const response = await fetch(url, {
        redirect: "error",
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(fetchTimeoutMs),
        ...(ca === null ? {} : { tls: { ca } }),
      });
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      const parsed = parseStrictJson(await limitedBody(response), { depthMax: 16 });
      if ("problem" in parsed) throw new Error(parsed.problem);
      return parsed.value;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new IssuerUnavailable(`${url}: ${reason}`, { cause });
    }
  };
}

async function limitedBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body ?? []) {
    total += chunk.length;
    if (total > fetchBytesMax) throw new Error(`more than ${fetchBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total);
}

/** After a failure the issuer is not asked again before a pause is over: unknown callers can make us ask. */
function pausing<T>(ask: () => Promise<T>, clock: Clock): () => Promise<T> {
  let failed: { readonly error: unknown; readonly atMs: number } | null = null;
  return async () => {
    if (failed !== null && clock.monotonicMs() - failed.atMs < failurePauseMs) throw failed.error;
    try {
      return await ask();
    } catch (error) {
      failed = { error, atMs: clock.monotonicMs() };
      throw error;
    }
  };
}

/** Keys at a URL. */
export function remoteKeys(url: string, fetchJson: Fetch, clock: Clock): JWTVerifyGetKey {
  const ask = pausing(async () => {
    const published = await fetchJson(url);
    // An answer of another kind (a page of maintenance) tells nothing of the keys, least of all that there are none.
    if (!isJsonObject(published) || !Array.isArray(published["keys"])) {
      throw new IssuerUnavailable(`${url}: expected a JSON Web Key Set`);
    }
    return publicKeys(published);
  }, clock);
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: fetchTimeoutMs,
    cooldownDuration: fetchPauseMs,
    cacheMaxAge: keysAgeMsMax,
    [customFetch]: async () => Response.json(await ask()),
  });
}

/** What is published as a key set without what must not be in it. */
function publicKeys(value: unknown): { keys: JWK[] } {
  const list = isJsonObject(value) && Array.isArray(value["keys"]) ? value["keys"] : [];
  const keys: JWK[] = list.filter(isJsonObject);
  return { keys: keys.filter((key) => algorithmsOf(key).length > 0) };
}

/**
 * Keys of an OpenID issuer, found through its discovery document (OpenID Connect Discovery 1.0 §4) when they are first
 * asked for.
 */
export function discoveredKeys(
  issuer: string,
  options: { readonly fetchJson: Fetch; readonly checkIssuer: boolean; readonly clock: Clock },
): JWTVerifyGetKey {
  const { clock } = options;
  let keys: Promise<JWTVerifyGetKey> | null = null;
  const discover = pausing(async (): Promise<JWTVerifyGetKey> => {
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const document = await options.fetchJson(url);
    const uri = isJsonObject(document) ? document["jwks_uri"] : null;
    if (!isJsonObject(document) || typeof uri !== "string" || !isSafeUrl(uri)) {
      throw new IssuerUnavailable(`${url}: expected a document with a jwks_uri over https`);
    }
    if (options.checkIssuer && document["issuer"] !== issuer) {
      throw new IssuerUnavailable(`${url}: expected the issuer ${issuer} in its document`);
    }
    return remoteKeys(uri, options.fetchJson, clock);
  }, clock);
  return async (header, token) => {
    keys ??= discover().catch((error: unknown) => {
      keys = null;
      throw error;
    });
    const getKey = await keys;
    return await getKey(header, token);
  };
}
