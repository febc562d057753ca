/** Packages that an SBOM lists: SPDX, CycloneDX and Syft in JSON, bare or in an attestation. */
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { listIn, objectIn, textIn } from "./read_members.ts";

/** Of an SBOM that is read. */
export const sbomBytesMax = 32 * MiB;
/** Packages of an SBOM that are read. */
export const packagesMax = 50_000;
const depthMax = 64;
/** Envelopes in envelopes. */
const wrappersMax = 3;

export interface PackageName {
  readonly name: string;
  /** Of its package URL, such as `deb` or `npm`; null where it has none. */
  readonly type: string | null;
}

export interface ListedPackage extends PackageName {
  readonly version: string;
}

/** Null for what is no SBOM that can be read. */
export function packagesIn(bytes: Uint8Array): ListedPackage[] | null {
  const parsed = parseStrictJson(bytes, { depthMax });
  return "value" in parsed ? packagesOf(parsed.value, 0) : null;
}

function packagesOf(document: unknown, wrappers: number): ListedPackage[] | null {
  if (!isJsonObject(document)) return null;
  const inner = unwrapped(document);
  if (inner !== null) return wrappers < wrappersMax ? packagesOf(inner, wrappers + 1) : null;
  if (textIn(document, "spdxVersion") !== null) return read(listIn(document, "packages"), spdx);
  if (textIn(document, "bomFormat") === "CycloneDX") {
    return read(listIn(document, "components"), cycloneDx);
  }
  if (Array.isArray(document["artifacts"])) return read(document["artifacts"], syft);
  return null;
}

/** What a statement, an envelope (DSSE) or a bundle holds; null for anything else. */
function unwrapped(document: Readonly<Record<string, unknown>>): unknown {
  if (isJsonObject(document["dsseEnvelope"])) return document["dsseEnvelope"];
  const payload = textIn(document, "payload");
  if (payload !== null && textIn(document, "payloadType") !== null) {
    const parsed = parseStrictJson(Buffer.from(payload, "base64"), { depthMax });
    return "value" in parsed ? parsed.value : {};
  }
  return textIn(document, "predicateType") === null ? null : objectIn(document, "predicate");
}

function read(
  entries: readonly unknown[],
  of: (entry: unknown) => ListedPackage | null,
): ListedPackage[] {
  return entries.slice(0, packagesMax).flatMap((entry) => of(entry) ?? []);
}

function spdx(entry: unknown): ListedPackage | null {
  const name = textIn(entry, "name");
  const purl = listIn(entry, "externalRefs").find(
    (each) => textIn(each, "referenceType") === "purl",
  );
  const type = typeOf(textIn(purl, "referenceLocator"));
  return name === null ? null : { name, type, version: textIn(entry, "versionInfo") ?? "" };
}

function cycloneDx(entry: unknown): ListedPackage | null {
  const [name, group] = [textIn(entry, "name"), textIn(entry, "group")];
  // A file is no package.
  if (name === null || textIn(entry, "type") === "file") return null;
  return {
    name: group === null ? name : `${group}/${name}`,
    type: typeOf(textIn(entry, "purl")),
    version: textIn(entry, "version") ?? "",
  };
}

function syft(entry: unknown): ListedPackage | null {
  const name = textIn(entry, "name");
  const type = typeOf(textIn(entry, "purl")) ?? textIn(entry, "type");
  return name === null ? null : { name, type, version: textIn(entry, "version") ?? "" };
}

/** https://github.com/package-url/purl-spec */
function typeOf(purl: string | null): string | null {
  return /^pkg:([a-z0-9.+-]+)\//i.exec(purl ?? "")?.[1]?.toLowerCase() ?? null;
}
