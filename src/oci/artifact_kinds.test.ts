// Artifact kinds: a fixture for each, in the shape that its tool pushes; and what recognises what first.

import { describe, expect, test } from "bun:test";
import { artifactCommands, type ArtifactPlace } from "./artifact_commands.ts";
import { artifactFacts } from "./artifact_facts.ts";
import { artifactKindOf, artifactKindOfId, artifactKinds } from "./artifact_kinds.ts";
import { artifactSummary, valueEntriesMax, valueLengthMax } from "./artifact_summary.ts";

const empty = "application/vnd.oci.empty.v1+json";
const imageConfig = "application/vnd.oci.image.config.v1+json";
const dockerConfig = "application/vnd.docker.container.image.v1+json";
const tarGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
const octets = "application/octet-stream";
const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";

interface Fixture {
  readonly artifactType?: string;
  readonly config?: string;
  readonly layers?: readonly (string | readonly [string, Readonly<Record<string, string>>])[];
  readonly manifests?: readonly unknown[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the descriptor that names it. */
  readonly named?: Readonly<Record<string, string>>;
}

function kindOf({ named, ...fixture }: Fixture): string {
  const { config, layers, ...rest } = fixture;
  const document = {
    schemaVersion: 2,
    ...rest,
    ...(config === undefined ? {} : { config: { mediaType: config } }),
    ...(layers === undefined
      ? {}
      : {
          layers: layers.map((layer) =>
            typeof layer === "string"
              ? { mediaType: layer }
              : { mediaType: layer[0], annotations: layer[1] },
          ),
        }),
  };
  return artifactKindOf(artifactFacts(document, named)).id;
}

const fixtures: readonly (readonly [id: string, fixture: Fixture])[] = [
  ["image", { config: imageConfig, layers: [tarGzip] }],
  [
    "image",
    { config: dockerConfig, layers: ["application/vnd.docker.image.rootfs.diff.tar.gzip"] },
  ],
  ["index", { manifests: [] }],
  ["generic", { artifactType: "application/vnd.acme.rocket", config: empty, layers: [octets] }],
  ["generic", { artifactType: "application/vnd.acme.list", manifests: [] }],
  ["generic", { config: "application/vnd.acme.config", layers: [octets] }],
  ["generic", { artifactType: "application/vnd.acme.x", config: imageConfig, layers: [tarGzip] }],
  [
    "helm-chart",
    {
      config: "application/vnd.cncf.helm.config.v1+json",
      layers: ["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
    },
  ],
  [
    "sigstore-signature",
    {
      artifactType: bundle,
      config: empty,
      layers: [bundle],
      annotations: {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
      },
    },
  ],
  [
    "attestation",
    {
      artifactType: bundle,
      config: empty,
      layers: [bundle],
      annotations: {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1",
      },
    },
  ],
  ["attestation", { config: imageConfig, layers: ["application/vnd.dsse.envelope.v1+json"] }],
  [
    "cosign-signature",
    { config: imageConfig, layers: ["application/vnd.dev.cosign.simplesigning.v1+json"] },
  ],
  [
    "cosign-signature",
    { artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json", layers: [octets] },
  ],
  [
    "notation-signature",
    { artifactType: "application/vnd.cncf.notary.signature", layers: ["application/jose+json"] },
  ],
  [
    "notation-signature",
    { config: "application/vnd.cncf.notary.signature", layers: ["application/cose"] },
  ],
  ["sbom", { artifactType: "application/spdx+json", config: empty, layers: [octets] }],
  ["sbom", { config: imageConfig, layers: ["application/vnd.cyclonedx+json"] }],
  ["sbom", { artifactType: "application/vnd.cyclonedx+json;version=1.6", layers: [octets] }],
  ["vulnerability-report", { artifactType: "application/sarif+json", layers: [octets] }],
  ["vex", { artifactType: "application/openvex+json", layers: [octets] }],
  [
    "buildkit-attestation",
    {
      config: imageConfig,
      layers: [
        [
          "application/vnd.in-toto+json",
          { "in-toto.io/predicate-type": "https://spdx.dev/Document" },
        ],
      ],
      named: { "vnd.docker.reference.type": "attestation-manifest" },
    },
  ],
  ["buildkit-cache", { config: "application/vnd.buildkit.cacheconfig.v0", layers: [tarGzip] }],
  ["wasm", { config: "application/vnd.wasm.config.v0+json", layers: ["application/wasm"] }],
  [
    "wasm",
    {
      config: "application/vnd.wasm.config.v1+json",
      layers: ["application/vnd.wasm.content.layer.v1+wasm"],
    },
  ],
  [
    "wasm",
    {
      config: imageConfig,
      layers: [tarGzip],
      annotations: { "module.wasm.image/variant": "compat" },
    },
  ],
  [
    "model",
    {
      artifactType: "application/vnd.cncf.model.manifest.v1+json",
      config: "application/vnd.cncf.model.config.v1+json",
      layers: ["application/vnd.cncf.model.weight.v1.gguf"],
    },
  ],
  ["model", { config: "application/vnd.cnai.model.config.v1+json", layers: [octets] }],
  ["ollama-model", { config: dockerConfig, layers: ["application/vnd.ollama.image.model"] }],
  [
    "docker-model",
    {
      config: "application/vnd.docker.ai.model.config.v0.1+json",
      layers: ["application/vnd.docker.ai.gguf.v3"],
    },
  ],
  ["kitops-modelkit", { config: "application/vnd.kitops.modelkit.config.v1+json", layers: [] }],
  [
    "flux-artifact",
    {
      config: "application/vnd.cncf.flux.config.v1+json",
      layers: ["application/vnd.cncf.flux.content.v1.tar+gzip"],
    },
  ],
  [
    "bicep-module",
    {
      artifactType: "application/vnd.ms.bicep.module.artifact",
      config: "application/vnd.ms.bicep.module.config.v1+json",
      layers: ["application/vnd.ms.bicep.module.layer.v1+json"],
    },
  ],
  [
    "opa-policy",
    {
      config: "application/vnd.cncf.openpolicyagent.config.v1+json",
      layers: ["application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"],
    },
  ],
  ["kyverno-policy", { config: "application/vnd.cncf.kyverno.config.v1+json", layers: [] }],
  [
    "homebrew-bottle",
    { manifests: [], annotations: { "com.github.package.type": "homebrew_bottle" } },
  ],
  ["opentofu-module", { artifactType: "application/vnd.opentofu.modulepkg", layers: [] }],
  ["opentofu-provider", { artifactType: "application/vnd.opentofu.provider", manifests: [] }],
  ["devcontainer", { config: "application/vnd.devcontainers", layers: [] }],
  ["compose", { artifactType: "application/vnd.docker.compose.project", layers: [] }],
  [
    "singularity",
    {
      config: "application/vnd.sylabs.sif.config.v1+json",
      layers: ["application/vnd.sylabs.sif.layer.v1.sif"],
    },
  ],
  ["zarf-package", { config: "application/vnd.zarf.config.v1+json", layers: [] }],
  [
    "tekton-bundle",
    { config: imageConfig, layers: [[tarGzip, { "dev.tekton.image.apiVersion": "v1" }]] },
  ],
  ["soci-index", { artifactType: "application/vnd.amazon.soci.index.v2+json", layers: [] }],
  [
    "nydus-image",
    { config: imageConfig, layers: ["application/vnd.oci.image.layer.nydus.blob.v1"] },
  ],
  ["cnab-bundle", { manifests: [], annotations: { "io.cnab.runtime_version": "v1.0.0" } }],
];

const place: ArtifactPlace = {
  host: "zot.example:5000",
  isTls: true,
  repository: "team/app",
  tag: "1.0_2",
  digest: `sha256:${"a".repeat(64)}`,
  subject: `sha256:${"b".repeat(64)}`,
};

describe("kinds", () => {
  test.each([...fixtures])("%s", (id, fixture) => {
    expect(kindOf(fixture)).toBe(id);
  });

  test("every kind has a fixture, an id of its own, fields and commands", () => {
    const ids = artifactKinds.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(fixtures.map(([id]) => id))).toEqual(new Set(ids));
    for (const kind of artifactKinds) {
      expect(artifactKindOfId(kind.id)).toBe(kind);
      expect(kind.fields.length, kind.id).toBeGreaterThan(0);
      for (const [label, source] of kind.fields) {
        expect(source, `${kind.id}: ${label}`).toMatch(/^(config|annotation):/);
      }
    }
    expect(artifactKindOfId("no-such-kind")).toBeNull();
  });

  test("types are compared without their case and parameters", () => {
    expect(kindOf({ artifactType: "Application/SPDX+JSON; charset=utf-8" })).toBe("sbom");
  });

  test("anything that is no manifest is generic, or an index", () => {
    for (const document of [null, [], "x", 1, { layers: 1, config: [], annotations: [1] }]) {
      expect(artifactKindOf(artifactFacts(document)).id).toBe("generic");
    }
    const odd = JSON.parse('{"annotations":{"__proto__":"x","a":1,"b":"c"},"layers":[null,7]}');
    expect(artifactFacts(odd).annotations).toEqual({ b: "c" });
  });
});

describe("commands", () => {
  test("every kind has some for a tag, and for a digest alone; nothing is left to be filled in", () => {
    for (const kind of artifactKinds) {
      for (const at of [place, { ...place, tag: null }]) {
        const lines = artifactCommands(kind, at);
        expect(lines.length, kind.id).toBeGreaterThan(0);
        for (const [client, line] of lines) {
          expect(line, `${kind.id}: ${client}`).not.toMatch(/[{](?! [}])/);
          expect(line, `${kind.id}: ${client}`).not.toContain("null");
        }
      }
    }
  });

  test("what is not known leaves its lines out", () => {
    const signature = artifactKindOfId("cosign-signature");
    if (signature === null) throw new Error("no such kind");
    const lines = artifactCommands(signature, { ...place, subject: null });
    expect(lines.map(([client]) => client)).toEqual(["zot"]);
  });

  test("each client is told of plain HTTP in its way", () => {
    const [image, chart] = ["image", "helm-chart"].map(artifactKindOfId);
    if (!image || !chart) throw new Error("no such kind");
    const lines = Object.fromEntries(artifactCommands(image, { ...place, isTls: false }));
    expect(lines["docker"]).toBe("docker pull zot.example:5000/team/app:1.0_2");
    expect(lines["podman"]).toBe("podman pull --tls-verify=false zot.example:5000/team/app:1.0_2");
    expect(Object.fromEntries(artifactCommands(chart, { ...place, isTls: false }))["helm"]).toBe(
      "helm pull oci://zot.example:5000/team/app --version 1.0+2 --plain-http",
    );
    expect(Object.fromEntries(artifactCommands(chart, { ...place, tag: null }))["helm"]).toBe(
      `helm pull oci://zot.example:5000/team/app@sha256:${"a".repeat(64)}`,
    );
  });
});

describe("summary", () => {
  const summary = (id: string, config: unknown, annotations = {}): Record<string, string> => {
    const kind = artifactKindOfId(id);
    if (kind === null) throw new Error("no such kind");
    return Object.fromEntries(artifactSummary(kind, { config, annotations }));
  };

  test("of a chart, with lists of objects", () => {
    const chart = {
      name: "web",
      version: "1.2.0",
      deprecated: false,
      maintainers: [{ name: "Ada", email: "ada@example.org" }],
      dependencies: [{ name: "redis", version: "18.x" }],
    };
    expect(summary("helm-chart", chart)).toEqual({
      Name: "web",
      Version: "1.2.0",
      Deprecated: "false",
      Maintainers: "Ada",
      Dependencies: "redis 18.x",
    });
  });

  test("of an image: members of objects, and annotations where the config says nothing", () => {
    const config = { config: { ExposedPorts: { "80/tcp": {} }, Entrypoint: ["/bin/app", "-v"] } };
    expect(
      summary("image", config, { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" }),
    ).toEqual({ Created: "2026-01-01T00:00:00Z", Entrypoint: "/bin/app, -v", Ports: "80/tcp" });
  });

  test("any config is taken, and long values are cut", () => {
    for (const config of [null, 1, "x", [], { config: null }, { created: { a: null } }]) {
      expect(Object.keys(summary("image", config)).length).toBeLessThan(2);
    }
    const long = summary("image", {
      author: "x".repeat(1_000_000),
      config: { Cmd: Array.from({ length: 1_000 }, () => "y") },
    });
    expect(long["Author"]).toHaveLength(valueLengthMax + 1);
    expect(long["Command"]).toEndWith(`and ${1_000 - valueEntriesMax} more`);
    expect(summary("image", { constructor: "x" })["Author"]).toBeUndefined();
  });
});
