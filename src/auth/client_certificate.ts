/**
 * From a client's certificate to a user: the first of the configured attributes that the certificate has.
 *
 * The names were split into lists before (`http/peer_certificate.ts`), so that no value can pass for two. A certificate
 * without any of the attributes identifies nobody; whether it verifies is checked in `http/listen_mutual_tls.ts`.
 */
import { isUserName, type Identity } from "./identity.ts";
import type { MtlsOptions } from "./options.ts";

/** The part of a certificate that names its holder. */
export interface CertificateNames {
  /** Attributes of the subject in the order of the certificate: country first, common name last. */
  readonly subject: readonly { readonly type: string; readonly value: string }[];
  /** Subject alternative names. */
  readonly san: readonly { readonly kind: string; readonly value: string }[];
}

type Attribute = (names: CertificateNames, options: MtlsOptions) => string | null;

/** What counts where the list is empty, as where there is none. */
const standard = ["CommonName"];

/** By name in lower case, with zot's other spellings. */
const attributes: Readonly<Record<string, Attribute>> = {
  commonname: commonName,
  cn: commonName,
  subject: distinguishedName,
  dn: distinguishedName,
  email,
  rfc822name: email,
  uri,
  url: uri,
  dnsname: dns,
  dns,
};

/** The holder of a certificate; null when none of the attributes is there. */
export function certificateIdentity(
  names: CertificateNames,
  options: MtlsOptions,
): Identity | null {
  const { identityAttributes } = options;
  for (const attribute of identityAttributes.length === 0 ? standard : identityAttributes) {
    const name = attributes[attribute.toLowerCase()]?.(names, options) ?? null;
    if (name !== null && isUserName(name)) {
      return { name, groups: [], provenBy: "certificate", scope: null };
    }
  }
  return null;
}

function commonName({ subject }: CertificateNames): string | null {
  return subject.findLast(({ type }) => type === "CN")?.value ?? null;
}

/** As zot writes it: the most specific attribute first (RFC 2253 §2.1), with its special characters escaped. */
function distinguishedName({ subject }: CertificateNames): string | null {
  const parts = subject.toReversed().map(({ type, value }) => `${type}=${escaped(value)}`);
  return parts.length === 0 ? null : parts.join(",");
}

function escaped(value: string): string {
  return value.replace(/^[ #]|[,+"\\<>;]| $/g, (char) => `\\${char}`);
}

function email(names: CertificateNames, { emailSanIndex }: MtlsOptions): string | null {
  return alternative(names, "email", emailSanIndex);
}

function dns(names: CertificateNames, { dnsSanIndex }: MtlsOptions): string | null {
  return alternative(names, "dns", dnsSanIndex);
}

/** The URI, or the first group of the pattern in it. One that does not fit the pattern is no name. */
function uri(names: CertificateNames, options: MtlsOptions): string | null {
  const value = alternative(names, "uri", options.uriSanIndex);
  if (value === null || options.uriSanPattern === null) return value;
  const match = new RegExp(`^(?:${options.uriSanPattern})$`, "u").exec(value);
  return match === null ? null : (match[1] ?? match[0]);
}

function alternative({ san }: CertificateNames, kind: string, index: number): string | null {
  return san.filter((name) => name.kind === kind)[index]?.value ?? null;
}
