/**
 * The key that signs the registry's own tokens: made on the first start, kept beside the metadata, and shared by every
 * process and server on the root; servers that share a database have it there. A key file that other users can read is
 * rejected. A registry in memory has a key of its own.
 *
 * The file is a JSON Web Key Set. The first key signs and all keys verify, so that an administrator can put a new one
 * in front while tokens of the old one are still valid. Two processes that start together agree on one key.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";

export interface TokenKeys {
  readonly signing: { readonly kid: string; readonly key: CryptoKey };
  /** By key id. */
  readonly verifying: ReadonlyMap<string, CryptoKey>;
}

export const tokenAlgorithm = "EdDSA";

export type TokenKeyPlace =
  | { readonly path: string }
  /** What all servers of a registry have in common: keeps what the first one makes. A file of before is taken over. */
  | {
      readonly path: string;
      readonly shared: (make: () => Promise<Uint8Array>) => Promise<Uint8Array>;
    }
  /** Of this process alone: what they sign is worth nothing after it. */
  | "memory";

/** Opens the keys, making them where there are none. @throws with one line for the operator. */
export async function openTokenKeys(at: TokenKeyPlace): Promise<TokenKeys> {
  if (at === "memory") return await readKeys(await newKeySet(), "a new key");
  const { path } = at;
  if (!("shared" in at)) return await readKeys(readOrNull(path) ?? (await makeFile(path)), path);
  const bytes = await at.shared(async () => readOrNull(path) ?? (await newKeySet()));
  return await readKeys(bytes, "the key of tokens in the database");
}

function readOrNull(path: string): Uint8Array | null {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) {
      throw new Error(
        `${path}: expected a file that only its owner can read, got mode ${(mode & 0o777).toString(8)}; ` +
          "remove it (a new key is made, and clients log in again) or make it 600",
      );
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** A JSON Web Key Set with a key that nobody has seen. */
async function newKeySet(): Promise<Uint8Array> {
  const { privateKey } = await generateKeyPair(tokenAlgorithm, { extractable: true });
  const jwk: JWK = { ...(await exportJWK(privateKey)), alg: tokenAlgorithm, use: "sig" };
  jwk.kid = await calculateJwkThumbprint(jwk);
  return Buffer.from(`${JSON.stringify({ keys: [jwk] })}\n`);
}

/** Writes a new key beside its place and links it there: the first of several wins. */
async function makeFile(path: string): Promise<Uint8Array> {
  const bytes = await newKeySet();
  const temporary = `${path}.${process.pid}.${crypto.randomUUID()}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(temporary, bytes, { mode: 0o600, flag: "wx", flush: true });
  try {
    linkSync(temporary, path);
    flushDirectory(dirname(path));
    return bytes;
  } catch (error) {
    const others = readOrNull(path);
    if (others === null) throw error;
    return others;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** The key's name survives a power cut: tokens signed with it would be void after it otherwise. */
function flushDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function readKeys(bytes: Uint8Array, path: string): Promise<TokenKeys> {
  const parsed = parseStrictJson(bytes, { depthMax: 8 });
  const list = "value" in parsed && isJsonObject(parsed.value) ? parsed.value["keys"] : null;
  const verifying = new Map<string, CryptoKey>();
  let signing: TokenKeys["signing"] | null = null;
  for (const jwk of Array.isArray(list) ? list : []) {
    const read = await readKey(jwk);
    if (read === null) continue;
    signing ??= { kid: read.kid, key: read.privateKey };
    verifying.set(read.kid, read.publicKey);
  }
  if (signing === null) {
    throw new Error(
      `${path}: expected a JSON Web Key Set with a private Ed25519 key that has a kid; remove the file to get a new one`,
    );
  }
  return { signing, verifying };
}

async function readKey(
  value: unknown,
): Promise<{ kid: string; privateKey: CryptoKey; publicKey: CryptoKey } | null> {
  if (!isJsonObject(value)) return null;
  const { kty, crv, kid, d, x } = value;
  if (kty !== "OKP" || crv !== "Ed25519" || typeof kid !== "string") return null;
  if (typeof d !== "string" || typeof x !== "string") return null;
  const shared = { kty, crv, x };
  const [privateKey, publicKey] = await Promise.all([
    importJWK({ ...shared, d }, tokenAlgorithm),
    importJWK(shared, tokenAlgorithm),
  ]);
  if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array) return null;
  return { kid, privateKey, publicKey };
}
