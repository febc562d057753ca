/**
 * Findings of reports about vulnerabilities, and statements about them, in the forms that the field has: SARIF, the JSON
 * of Trivy and of Grype, CycloneDX, and OpenVEX.
 */
import { listOf, membersOf, textOf } from "./shapes.ts";

type Members = Readonly<Record<string, unknown>>;

export const severities = ["Critical", "High", "Medium", "Low", "Unknown"] as const;
export type Severity = (typeof severities)[number];

export interface Finding {
  /** `CVE-2026-1234`, or the rule's name. */
  readonly id: string;
  /** Null where a document states something else: whether one is affected. */
  readonly severity: Severity | null;
  /** Of VEX: `not_affected`, `fixed` and the like; else empty. */
  readonly status: string;
  readonly package: string;
  readonly installed: string;
  readonly fixed: string;
  readonly title: string;
}

export interface Report {
  readonly form: "SARIF" | "Trivy" | "Grype" | "CycloneDX" | "OpenVEX";
  readonly tool: string;
  /** When it was made; empty where it does not say. */
  readonly at: string;
  /** The worst come first. */
  readonly findings: readonly Finding[];
}

/** Findings that are taken from one document. */
const findingsMax = 20_000;

/** Null for a document of another form. */
export function reportOf(value: unknown): Report | null {
  const document = membersOf(value);
  // An attestation of cosign has the report of a scanner in it.
  const scanner = membersOf(membersOf(document["scanner"])["result"]);
  const found = Object.keys(scanner).length > 0 ? scanner : document;
  const reader = readers.find(({ fits }) => fits(found));
  if (reader === undefined) return null;
  const report = reader.read(found);
  const rank = ({ severity }: Finding): number =>
    severity === null ? severities.length : severities.indexOf(severity);
  const findings = report.findings.slice(0, findingsMax);
  return { ...report, findings: findings.toSorted((a, b) => rank(a) - rank(b)) };
}

/** How many there are of each severity, without those of which there are none. */
export function countsOf({ findings }: Report): (readonly [Severity, number])[] {
  const counts = severities.map(
    (severity) => [severity, findings.filter((each) => each.severity === severity).length] as const,
  );
  return counts.filter(([, count]) => count > 0);
}

const readers: readonly {
  readonly fits: (document: Members) => boolean;
  readonly read: (document: Members) => Report;
}[] = [
  { fits: ({ runs }) => Array.isArray(runs), read: sarifOf },
  {
    fits: ({ SchemaVersion, Results }) => SchemaVersion !== undefined && Array.isArray(Results),
    read: trivyOf,
  },
  {
    fits: ({ matches, descriptor }) => Array.isArray(matches) && descriptor !== undefined,
    read: grypeOf,
  },
  {
    fits: ({ bomFormat, vulnerabilities }) =>
      bomFormat === "CycloneDX" && Array.isArray(vulnerabilities),
    read: cycloneDxOf,
  },
  {
    fits: ({ statements, "@context": context }) =>
      Array.isArray(statements) && textOf(context).includes("openvex"),
    read: openVexOf,
  },
];

const nothing: Finding = {
  id: "",
  severity: "Unknown",
  status: "",
  package: "",
  installed: "",
  fixed: "",
  title: "",
};

function severityOf(text: string): Severity {
  const word = text.toLowerCase();
  const found = severities.find((each) => each.toLowerCase() === word);
  return found ?? (word === "negligible" || word === "info" || word === "none" ? "Low" : "Unknown");
}

function severityOfScore(score: number): Severity {
  if (score >= 9) return "Critical";
  if (score >= 7) return "High";
  if (score >= 4) return "Medium";
  return score > 0 ? "Low" : "Unknown";
}

const levels: Readonly<Record<string, Severity>> = {
  error: "High",
  warning: "Medium",
  note: "Low",
};

function sarifOf({ runs }: Members): Report {
  const all = listOf(runs).map(membersOf);
  const driverOf = (run: Members): Members => membersOf(membersOf(run["tool"])["driver"]);
  const findings = all.flatMap((run) => {
    const rules = new Map(
      listOf(driverOf(run)["rules"])
        .map(membersOf)
        .map((rule) => [textOf(rule["id"]), rule]),
    );
    return listOf(run["results"])
      .slice(0, findingsMax)
      .map((each) => sarifFinding(membersOf(each), rules));
  });
  const [first = {}] = all;
  const [invocation] = listOf(first["invocations"]);
  return {
    form: "SARIF",
    tool: textOf(driverOf(first)["name"]),
    at: textOf(membersOf(invocation)["endTimeUtc"]),
    findings,
  };
}

function sarifFinding(result: Members, rules: ReadonlyMap<string, Members>): Finding {
  const id = textOf(result["ruleId"]);
  const rule = rules.get(id) ?? {};
  const score = Number(membersOf(rule["properties"])["security-severity"]);
  const level = textOf(result["level"]) || textOf(membersOf(rule["defaultConfiguration"])["level"]);
  const [place] = listOf(result["locations"]);
  const artifact = membersOf(membersOf(membersOf(place)["physicalLocation"])["artifactLocation"]);
  const [line = ""] = textOf(membersOf(result["message"])["text"]).split("\n", 1);
  return {
    ...nothing,
    id,
    severity: Number.isFinite(score) ? severityOfScore(score) : (levels[level] ?? "Unknown"),
    package: textOf(artifact["uri"]),
    title: textOf(membersOf(rule["shortDescription"])["text"]) || line,
  };
}

function trivyOf({ Results, CreatedAt }: Members): Report {
  const findings = listOf(Results).flatMap((target) =>
    listOf(membersOf(target)["Vulnerabilities"])
      .map(membersOf)
      .map((each) => ({
        ...nothing,
        id: textOf(each["VulnerabilityID"]),
        severity: severityOf(textOf(each["Severity"])),
        package: textOf(each["PkgName"]),
        installed: textOf(each["InstalledVersion"]),
        fixed: textOf(each["FixedVersion"]),
        title: textOf(each["Title"]),
      })),
  );
  return { form: "Trivy", tool: "Trivy", at: textOf(CreatedAt), findings };
}

function grypeOf({ matches, descriptor }: Members): Report {
  const findings = listOf(matches)
    .map(membersOf)
    .map((match) => {
      const vulnerability = membersOf(match["vulnerability"]);
      const artifact = membersOf(match["artifact"]);
      const versions = listOf(membersOf(vulnerability["fix"])["versions"]);
      return {
        ...nothing,
        id: textOf(vulnerability["id"]),
        severity: severityOf(textOf(vulnerability["severity"])),
        package: textOf(artifact["name"]),
        installed: textOf(artifact["version"]),
        fixed: versions.map(textOf).filter(Boolean).join(", "),
        title: textOf(vulnerability["description"]),
      };
    });
  const { name, timestamp } = membersOf(descriptor);
  return { form: "Grype", tool: textOf(name), at: textOf(timestamp), findings };
}

function cycloneDxOf(document: Members): Report {
  const components = new Map(
    listOf(document["components"])
      .map(membersOf)
      .map((each) => [textOf(each["bom-ref"]), each]),
  );
  const findings = listOf(document["vulnerabilities"])
    .map(membersOf)
    .flatMap((each) => {
      const ratings = listOf(each["ratings"]).map((rating) =>
        severityOf(textOf(membersOf(rating)["severity"])),
      );
      const found = {
        ...nothing,
        id: textOf(each["id"]),
        severity: severities.find((severity) => ratings.includes(severity)) ?? "Unknown",
        status: textOf(membersOf(each["analysis"])["state"]),
        fixed: textOf(each["recommendation"]).slice(0, 120),
        title: textOf(each["description"]).slice(0, 300),
      };
      const affects = listOf(each["affects"]).map((at) => textOf(membersOf(at)["ref"]));
      if (affects.length === 0) return [found];
      return affects.map((ref) => {
        const component = components.get(ref) ?? {};
        return {
          ...found,
          package: textOf(component["name"]) || ref,
          installed: textOf(component["version"]),
        };
      });
    });
  const metadata = membersOf(document["metadata"]);
  const { tools } = metadata;
  const [tool] = Array.isArray(tools) ? listOf(tools) : listOf(membersOf(tools)["components"]);
  return {
    form: "CycloneDX",
    tool: textOf(membersOf(tool)["name"]),
    at: textOf(metadata["timestamp"]),
    findings,
  };
}

function openVexOf({ statements, author, timestamp }: Members): Report {
  const findings = listOf(statements)
    .map(membersOf)
    .flatMap((each) => {
      const { vulnerability } = each;
      const found = {
        ...nothing,
        id: textOf(vulnerability) || textOf(membersOf(vulnerability)["name"]),
        severity: null,
        status: textOf(each["status"]),
        title:
          textOf(each["impact_statement"]) ||
          textOf(each["action_statement"]) ||
          textOf(each["justification"]).replaceAll("_", " "),
      };
      const products = listOf(each["products"]).map(
        (product) => textOf(product) || textOf(membersOf(product)["@id"]),
      );
      return products.length === 0
        ? [found]
        : products.map((product) => ({ ...found, package: product }));
    });
  return { form: "OpenVEX", tool: textOf(author), at: textOf(timestamp), findings };
}
