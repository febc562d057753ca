/** Packages of an SBOM, in the two forms that the field has. */
import { listOf, membersOf, textOf } from "./shapes.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  /** `apk`, `npm`, `golang`; empty where it is not said. */
  readonly kind: string;
  readonly license: string;
}

export interface Sbom {
  readonly form: "SPDX" | "CycloneDX";
  readonly tool: string;
  readonly packages: readonly Package[];
}

/** Packages that are taken from one document. */
const packagesMax = 50_000;

/** Null for a document of another form. An attestation may have it as its predicate. */
export function sbomOf(value: unknown): Sbom | null {
  const document = membersOf(value);
  const { predicate } = document;
  if (predicate !== undefined) return sbomOf(predicate);
  if (Array.isArray(document["packages"]) || textOf(document["spdxVersion"]) !== "") {
    return spdxOf(document);
  }
  return textOf(document["bomFormat"]) === "CycloneDX" ? cycloneDxOf(document) : null;
}

function spdxOf(document: Readonly<Record<string, unknown>>): Sbom {
  const { creators } = membersOf(document["creationInfo"]);
  const tool = listOf(creators)
    .map((each) => textOf(each))
    .find((each) => each.startsWith("Tool: "));
  const packages = listOf(document["packages"])
    .slice(0, packagesMax)
    .map((each): Package => {
      const members = membersOf(each);
      const purl = listOf(members["externalRefs"])
        .map((reference) => textOf(membersOf(reference)["referenceLocator"]))
        .find((locator) => locator.startsWith("pkg:"));
      const license = textOf(members["licenseDeclared"]) || textOf(members["licenseConcluded"]);
      return {
        name: textOf(members["name"]),
        version: textOf(members["versionInfo"]),
        kind: kindOf(purl ?? ""),
        license: license === "NOASSERTION" ? "" : license,
      };
    });
  return { form: "SPDX", tool: tool?.slice("Tool: ".length) ?? "", packages: named(packages) };
}

function cycloneDxOf(document: Readonly<Record<string, unknown>>): Sbom {
  const { tools } = membersOf(document["metadata"]);
  const [first] = Array.isArray(tools) ? listOf(tools) : listOf(membersOf(tools)["components"]);
  const packages = listOf(document["components"])
    .slice(0, packagesMax)
    .map((each): Package => {
      const members = membersOf(each);
      const licenses = listOf(members["licenses"]).map((license) => {
        const { license: inner, expression } = membersOf(license);
        return (
          textOf(expression) || textOf(membersOf(inner)["id"]) || textOf(membersOf(inner)["name"])
        );
      });
      return {
        name: textOf(members["name"]),
        version: textOf(members["version"]),
        kind: kindOf(textOf(members["purl"])) || textOf(members["type"]),
        license: licenses.filter((text) => text !== "").join(", "),
      };
    });
  return { form: "CycloneDX", tool: textOf(membersOf(first)["name"]), packages: named(packages) };
}

function named(packages: readonly Package[]): Package[] {
  return packages
    .filter(({ name }) => name !== "")
    .toSorted((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)));
}

function kindOf(purl: string): string {
  return /^pkg:([a-z0-9.+-]+)\//i.exec(purl)?.[1] ?? "";
}
