// A report about vulnerabilities, and a provenance, as scanners and builders write them.

export const sarif = {
  version: "2.1.0",
  runs: [
    {
      tool: {
        driver: {
          name: "Trivy",
          rules: [
            {
              id: "CVE-2026-1",
              shortDescription: { text: "zlib: overflow" },
              properties: { "security-severity": "9.8" },
            },
            { id: "CVE-2026-2", defaultConfiguration: { level: "warning" } },
          ],
        },
      },
      invocations: [{ endTimeUtc: "2026-11-20T08:31:00Z" }],
      results: [
        { ruleId: "CVE-2026-2", message: { text: "musl 1.2\nmore" } },
        {
          ruleId: "CVE-2026-1",
          level: "error",
          message: { text: "zlib" },
          locations: [{ physicalLocation: { artifactLocation: { uri: "lib/apk/db" } } }],
        },
      ],
    },
  ],
};

export const provenance = {
  _type: "https://in-toto.io/Statement/v1",
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://actions.example.com/workflow/v1",
      externalParameters: {
        workflow: {
          repository: "https://git.example.com/team/shop",
          ref: "refs/tags/1.0",
          path: "ci.yaml",
        },
      },
      resolvedDependencies: [{}, {}],
    },
    runDetails: {
      builder: { id: "https://builder.example.com" },
      metadata: { startedOn: "2026-11-20T08:00:00Z" },
    },
  },
};
