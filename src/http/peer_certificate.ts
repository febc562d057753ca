/**
 * A client's certificate as a value: the runtime's text, parsed once per connection.
 *
 * The runtime prints names unambiguously: a subject with one attribute a line and RFC 2253 escapes, alternative names
 * with JSON quotes where a value could be taken for two. Code that splits such text at its commas lets the holder of a
 * certificate choose its names (CVE-2021-44532), so it is parsed only here, and all other code gets lists.
 */
import { createHash, type X509Certificate } from "node:crypto";
import type { PeerCertificate, SubjectAlternativeName } from "./call.ts";

export function peerCertificate(certificate: X509Certificate): PeerCertificate {
  const { raw, subjectAltName, validTo } = certificate;
  // An empty one, as SPIFFE has it, is undefined in the runtime, whatever its types say.
  const subject: string | undefined = certificate.subject;
  return {
    subject: subjectAttributes(subject ?? ""),
    san: alternativeNames(subjectAltName ?? ""),
    raw,
    fingerprint: createHash("sha256").update(raw).digest("hex"),
    expiresAtMs: Date.parse(validTo),
  };
}

/** `O=Example\, Inc\nCN=alice + UID=7` as its attributes. */
export function subjectAttributes(text: string): { type: string; value: string }[] {
  const attributes: { type: string; value: string }[] = [];
  for (const line of text.split("\n")) {
    // A plus between attributes is never escaped; one in a value always is.
    for (const part of line.split(/(?<=(?<!\\)(?:\\\\)*) \+ /)) {
      const equals = part.indexOf("=");
      if (equals <= 0) continue;
      attributes.push({ type: part.slice(0, equals), value: unescaped(part.slice(equals + 1)) });
    }
  }
  return attributes;
}

/** RFC 2253 §2.4: a backslash before the character itself, or before two hex digits of a UTF-8 byte. */
function unescaped(value: string): string {
  const bytes: Buffer[] = [];
  for (const [all, hex, character] of value.matchAll(/\\([0-9A-Fa-f]{2})|\\(.)|[^\\]+/gsu)) {
    bytes.push(hex === undefined ? Buffer.from(character ?? all) : Buffer.from(hex, "hex"));
  }
  return Buffer.concat(bytes).toString("utf8");
}

const kinds: Readonly<Record<string, SubjectAlternativeName["kind"]>> = {
  DNS: "dns",
  email: "email",
  URI: "uri",
  "IP Address": "ip",
};

/** `DNS:a.example.com, URI:"spiffe://x/a\u002c b"` as its names; kinds that no code uses are left out. */
export function alternativeNames(text: string): SubjectAlternativeName[] {
  const names: SubjectAlternativeName[] = [];
  for (const match of text.matchAll(/([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gs)) {
    const [, label = "", value = ""] = match;
    const kind = kinds[label];
    if (kind !== undefined) names.push({ kind, value: unquoted(value) });
  }
  return names;
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  const text: unknown = JSON.parse(value);
  return String(text);
}
