/**
 * Reads certificate, key and authorities of a TLS listener from their files, and checks them before the server listens.
 *
 * Material that passes fits together, so that a listener can start with it. A problem is one line that names the
 * option, the file, what was expected and what was found; an unwise setting is a warning.
 */
import { createHash, createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { whyUnreadable } from "../lib/why_unreadable.ts";

/** Paths as the section `http.tls` has them, certificate and key given. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates; null when none are asked for. */
  readonly cacert: string | null;
}

/** PEM text that fits together. Holds a private key: never log it. */
export interface TlsMaterial {
  /** The server's certificate, then the chain above it. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string | null;
  /** SHA-256 of the server's certificate, lower-case hex: tells one from the next in logs. */
  readonly fingerprint: string;
  readonly expiresAtMs: number;
}

/** What the files hold, or why one could not be read. */
export interface TlsFileTexts {
  readonly cert: FileText;
  readonly key: FileText;
  readonly cacert: FileText | null;
}

export interface FileText {
  /** The option, for messages: `http.tls.cert`. */
  readonly option: string;
  readonly path: string;
  /** Null when it could not be read; `problem` says why. */
  readonly text: string | null;
  readonly problem: string;
  /** Whether users of this machine other than its owner and group may read it. */
  readonly readableByAll: boolean;
}

export interface CheckedTls {
  readonly material: TlsMaterial;
  readonly warnings: readonly string[];
}

/**
 * Suites with forward secrecy and authenticated encryption; those of TLS 1.3 are all sound and always on. The
 * runtime's default has CBC and RSA key exchange besides. It speaks TLS 1.2 and 1.3 only (tested).
 */
export const tlsCiphers = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** RFC 9325 §4.5. */
const rsaBitsMin = 2048;

/** A bundle of every public authority has a quarter of this. */
const fileBytesMax = 1024 * 1024;

/** Reads the files as they are now. Never rejects. */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsFileTexts> {
  const [cert, key, cacert] = await Promise.all([
    readText("http.tls.cert", paths.cert),
    readText("http.tls.key", paths.key),
    paths.cacert === null ? null : readText("http.tls.cacert", paths.cacert),
  ]);
  return { cert, key, cacert };
}

/**
 * Checks what the files hold, each for itself and together.
 * @throws with one line for the operator.
 */
export function checkTls(files: TlsFileTexts, nowMs: number): CheckedTls {
  const chain = certificatesOf(files.cert, "the server's certificate");
  const [leaf] = chain;
  const key = privateKeyOf(files.key);
  if (leaf === undefined || !leaf.checkPrivateKey(key)) throw mismatch(files, chain, key);
  const authorities =
    files.cacert === null ? null : certificatesOf(files.cacert, "certificates of authorities");
  const material: TlsMaterial = {
    cert: pemOf(chain),
    key: key.export({ type: "pkcs8", format: "pem" }),
    ca: authorities === null ? null : pemOf(authorities),
    fingerprint: createHash("sha256").update(leaf.raw).digest("hex"),
    expiresAtMs: Date.parse(leaf.validTo),
  };
  tryOut(material, files);
  const warnings = [...warningsOf(files, leaf, nowMs), ...authorityWarnings(files, authorities)];
  return { material, warnings };
}

/** What both kinds of listener hand to the runtime. */
export function runtimeTls({ cert, key }: TlsMaterial) {
  return { cert, key, ciphers: tlsCiphers };
}

async function readText(option: string, path: string): Promise<FileText> {
  const unread = { option, path, text: null, readableByAll: false };
  try {
    await using file = await open(path, "r");
    const { size, mode } = await file.stat();
    if (size > fileBytesMax) {
      return { ...unread, problem: `a file of ${size} bytes, where ${fileBytesMax} are plenty` };
    }
    const readableByAll = (mode & 0o004) !== 0;
    return { option, path, text: await file.readFile("utf8"), problem: "", readableByAll };
  } catch (error) {
    return { ...unread, problem: whyUnreadable(error) };
  }
}

function problemOf(file: FileText, expected: string, got: string): Error {
  return new Error(`${file.option}: expected ${expected} in ${file.path}, got ${got}`);
}

function textOf(file: FileText, expected: string): string {
  if (file.text !== null) return file.text;
  throw problemOf(file, expected, file.problem);
}

const certificateBlocks = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const keyBlock = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/;

function certificatesOf(file: FileText, role: string): X509Certificate[] {
  const expected = `${role} (PEM)`;
  const text = textOf(file, expected);
  const blocks = text.match(certificateBlocks);
  if (blocks === null) throw problemOf(file, expected, whatIsIn(text));
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      const which = blocks.length === 1 ? "one" : `number ${index + 1} of ${blocks.length}`;
      throw problemOf(file, expected, `${which} that cannot be parsed (${lineOf(cause)})`);
    }
  });
}

function privateKeyOf(file: FileText): KeyObject {
  const expected = "the private key of the server's certificate (PEM, not encrypted)";
  const text = textOf(file, expected);
  const block = keyBlock.exec(text)?.[0];
  if (block === undefined) throw problemOf(file, expected, whatIsIn(text));
  try {
    return createPrivateKey(block);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    const got =
      code === "ERR_MISSING_PASSPHRASE"
        ? "an encrypted one; decrypt it with 'openssl pkey'"
        : `one that cannot be parsed (${lineOf(cause)})`;
    throw problemOf(file, expected, got);
  }
}

function mismatch(files: TlsFileTexts, chain: readonly X509Certificate[], key: KeyObject): Error {
  const index = chain.findIndex((each) => each.checkPrivateKey(key));
  if (index > 0) {
    const got = `it as number ${index + 1} of ${chain.length}; put it before the chain above it`;
    return problemOf(files.cert, "the server's certificate as the first", got);
  }
  const expected = `the private key of the certificate of ${subjectOf(chain[0])} in ${files.cert.path}`;
  return new Error(
    `${files.key.option}: expected ${expected}, got that of another certificate in ${files.key.path}`,
  );
}

/** The library that will serve has the last word, on algorithms and sizes that it does not take. */
function tryOut(material: TlsMaterial, files: TlsFileTexts): void {
  const { cert, key, ca } = material;
  try {
    createSecureContext({ cert, key, ciphers: tlsCiphers, ...(ca === null ? {} : { ca }) });
  } catch (cause) {
    throw problemOf(
      files.cert,
      "a certificate that can be served",
      `one that is refused (${lineOf(cause)})`,
    );
  }
}

function warningsOf(files: TlsFileTexts, leaf: X509Certificate, nowMs: number): string[] {
  const { cert, key } = files;
  const warnings: string[] = [];
  if (Date.parse(leaf.validTo) < nowMs) {
    warnings.push(
      `${cert.option}: the certificate in ${cert.path} expired on ${leaf.validTo}; clients will refuse it`,
    );
  }
  if (Date.parse(leaf.validFrom) > nowMs) {
    warnings.push(
      `${cert.option}: the certificate in ${cert.path} is not valid before ${leaf.validFrom}; clients will refuse it`,
    );
  }
  const { modulusLength } = leaf.publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < rsaBitsMin) {
    warnings.push(
      `${cert.option}: the certificate in ${cert.path} has an RSA key of ${modulusLength} bits; ` +
        `clients will refuse less than ${rsaBitsMin}`,
    );
  }
  if (key.readableByAll) {
    warnings.push(
      `${key.option}: every user of this machine may read ${key.path}; take that right away with chmod o-r`,
    );
  }
  return warnings;
}

/** A certificate that may sign nothing is no mistake when it is the client's own, and self-signed. */
function authorityWarnings(
  { cacert }: TlsFileTexts,
  authorities: readonly X509Certificate[] | null,
): string[] {
  if (cacert === null || authorities === null || authorities.some((each) => each.ca)) return [];
  return [
    `${cacert.option}: no certificate in ${cacert.path} is that of an authority; ` +
      "only clients that show one of them, self-signed, are let in",
  ];
}

function whatIsIn(text: string): string {
  if (text.trim() === "") return "an empty file";
  const found = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  return found === undefined ? "no PEM text" : `a ${found}`;
}

function subjectOf(certificate: X509Certificate | undefined): string {
  const subject = certificate?.subject.replaceAll("\n", ",") ?? "";
  return subject === "" ? "a certificate without a subject" : subject;
}

function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((each) => each.toString()).join("");
}

function lineOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? "";
}
