// Documents that are attached to images, in the forms of the tools that make them, and texts of somebody who means harm.

import { describe, expect, test } from "bun:test";
import { openDocument } from "../../src/ui/core/documents.ts";
import { countsOf, reportOf } from "../../src/ui/core/report.ts";
import { sbomOf } from "../../src/ui/core/sbom.ts";
import { provenance, sarif } from "./reports.ts";

const trivy = {
  SchemaVersion: 2,
  CreatedAt: "2026-11-20T08:31:00Z",
  Results: [
    { Target: "empty" },
    {
      Target: "alpine",
      Vulnerabilities: [
        {
          VulnerabilityID: "CVE-2026-3",
          PkgName: "musl",
          InstalledVersion: "1.2.6-r0",
          FixedVersion: "1.2.6-r1",
          Severity: "HIGH",
          Title: "musl: loops",
        },
      ],
    },
  ],
};
const grype = {
  descriptor: { name: "grype", timestamp: "2026-11-20T08:31:00Z" },
  matches: [
    {
      vulnerability: { id: "GHSA-1", severity: "Negligible", fix: { versions: ["2.0", "3.0"] } },
      artifact: { name: "left-pad", version: "1.0" },
    },
  ],
};
const cycloneDx = {
  bomFormat: "CycloneDX",
  metadata: { timestamp: "2026-11-20T08:31:00Z", tools: [{ name: "depscan" }] },
  components: [{ "bom-ref": "pkg:1", name: "openssl", version: "3.0" }],
  vulnerabilities: [
    {
      id: "CVE-2026-4",
      ratings: [{ severity: "low" }, { severity: "critical" }],
      affects: [{ ref: "pkg:1" }, { ref: "elsewhere" }],
      analysis: { state: "exploitable" },
    },
  ],
};
const openVex = {
  "@context": "https://openvex.dev/ns/v0.2.0",
  author: "The shop team",
  timestamp: "2026-11-20T08:31:00Z",
  statements: [
    {
      vulnerability: { name: "CVE-2026-1" },
      status: "not_affected",
      justification: "vulnerable_code_not_in_execute_path",
      products: [{ "@id": "pkg:oci/shop" }],
    },
  ],
};

describe("reports", () => {
  test("of SARIF: by the score of a rule, or its level, the worst first", () => {
    const report = reportOf(sarif);
    expect(report).toMatchObject({ form: "SARIF", tool: "Trivy", at: "2026-11-20T08:31:00Z" });
    expect(
      report?.findings.map(({ id, severity, package: of, title }) => [id, severity, of, title]),
    ).toEqual([
      ["CVE-2026-1", "Critical", "lib/apk/db", "zlib: overflow"],
      ["CVE-2026-2", "Medium", "", "musl 1.2"],
    ]);
  });

  test("of Trivy and Grype: packages, and where it is fixed", () => {
    expect(reportOf(trivy)?.findings).toEqual([
      {
        id: "CVE-2026-3",
        severity: "High",
        status: "",
        package: "musl",
        installed: "1.2.6-r0",
        fixed: "1.2.6-r1",
        title: "musl: loops",
      },
    ]);
    expect(reportOf(grype)).toMatchObject({
      tool: "grype",
      findings: [{ id: "GHSA-1", severity: "Low", package: "left-pad", fixed: "2.0, 3.0" }],
    });
  });

  test("of CycloneDX: the worst rating, each component that is affected", () => {
    const report = reportOf(cycloneDx);
    expect(report?.findings.map(({ package: of, installed }) => [of, installed])).toEqual([
      ["openssl", "3.0"],
      ["elsewhere", ""],
    ]);
    expect(report === null ? null : countsOf(report)).toEqual([["Critical", 2]]);
    // The same document is an SBOM, too.
    expect(sbomOf(cycloneDx)?.packages.map(({ name }) => name)).toEqual(["openssl"]);
  });

  test("of OpenVEX: what is stated, which is no severity", () => {
    const report = reportOf(openVex);
    expect(report?.findings).toMatchObject([
      {
        id: "CVE-2026-1",
        severity: null,
        status: "not_affected",
        package: "pkg:oci/shop",
        title: "vulnerable code not in execute path",
      },
    ]);
    expect(report === null ? null : countsOf(report)).toEqual([]);
  });

  test("other documents are none", () => {
    for (const value of [null, 1, "x", [], {}, { runs: 1 }, { bomFormat: "CycloneDX" }]) {
      expect(reportOf(value)).toBeNull();
    }
  });
});

const envelope = (statement: object) => ({
  payloadType: "application/vnd.in-toto+json",
  payload: Buffer.from(JSON.stringify(statement)).toString("base64"),
  signatures: [],
});

describe("attestations", () => {
  test("a bundle is opened down to the report of a scanner in it", () => {
    const bundle = {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      dsseEnvelope: envelope({
        _type: "https://in-toto.io/Statement/v1",
        subject: [{ name: "shop", digest: { sha256: "ab" } }],
        predicateType: "https://cosign.sigstore.dev/attestation/vuln/v1",
        predicate: { scanner: { uri: "trivy", result: trivy } },
      }),
    };
    const { value, statement } = openDocument(bundle);
    expect(statement).toEqual({
      predicateType: "https://cosign.sigstore.dev/attestation/vuln/v1",
      rows: [],
      subjects: ["shop sha256:ab"],
    });
    expect(reportOf(value)?.findings).toHaveLength(1);
  });

  test("a provenance of SLSA tells builder, source and times, in both versions", () => {
    const one = openDocument(provenance);
    expect(one.statement?.rows).toEqual([
      ["Builder", "https://builder.example.com"],
      ["Type of build", "https://actions.example.com/workflow/v1"],
      ["Source", "https://git.example.com/team/shop"],
      ["Revision", "refs/tags/1.0"],
      ["Entry", "ci.yaml"],
      ["Started", "2026-11-20T08:00:00Z"],
      ["Materials", "2"],
    ]);
    const old = openDocument({
      predicateType: "https://slsa.dev/provenance/v0.2",
      predicate: {
        builder: { id: "b" },
        buildType: "t",
        invocation: { configSource: { uri: "u", entryPoint: "e" } },
      },
    });
    expect(old.statement?.rows.map(([name]) => name)).toEqual([
      "Builder",
      "Type of build",
      "Source",
      "Entry",
    ]);
  });

  test("what has another shape is left as it is, and envelopes without end are not followed", () => {
    expect(openDocument({ payload: "%%%", payloadType: "x" }).value).toBeNull();
    expect(openDocument({ a: 1 })).toEqual({ value: { a: 1 }, statement: null });
    let nested: object = { deepest: true };
    for (let at = 0; at < 10; at += 1) nested = { predicateType: "x", predicate: nested };
    expect(openDocument(nested).value).not.toEqual({ deepest: true });
    for (const predicate of [null, 1, [], { runDetails: 1, materials: "x", buildDefinition: [] }]) {
      expect(openDocument({ predicateType: "x", predicate, subject: 1 }).statement?.rows).toEqual(
        [],
      );
    }
  });
});
