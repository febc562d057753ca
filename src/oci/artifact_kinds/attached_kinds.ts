// Rows of the table of artifact kinds: what is said about an image, and stands beside it.

import { annotation, type ArtifactKind, fetchLines, zotCopy } from "./artifact_kind.ts";

export const attachedKinds: readonly ArtifactKind[] = [
  {
    id: "sigstore-signature",
    label: "Sigstore signature",
    group: "trust",
    recognisedBy: [
      {
        artifactType: "application/vnd.dev.sigstore.bundle.v0.*",
        annotation: ["dev.sigstore.bundle.predicateType", "https://sigstore.dev/cosign/sign/"],
      },
      {
        artifactType: "application/vnd.dev.sigstore.bundle.v0.*",
        annotation: ["dev.sigstore.bundle.content", "message-signature"],
      },
    ],
    fields: [
      ["Predicate", "annotation:dev.sigstore.bundle.predicateType"],
      ["Created", annotation.created],
    ],
    texts: ["application/vnd.dev.sigstore.bundle.v0.3+json"],
    commands: [
      ["cosign", "cosign verify{plain} --key cosign.pub {subject}"],
      ["cosign tree", "cosign tree{plain} {subject}"],
      zotCopy,
    ],
  },
  {
    id: "attestation",
    label: "Attestation",
    group: "trust",
    recognisedBy: [
      { artifactType: "application/vnd.dev.sigstore.bundle.v0.*" },
      { artifactType: "application/vnd.in-toto*" },
      { layerType: "application/vnd.dsse.envelope.v1+json" },
    ],
    fields: [
      [
        "Predicate",
        "annotation:dev.sigstore.bundle.predicateType|annotation:in-toto.io/predicate-type|annotation:predicateType",
      ],
      ["Created", annotation.created],
    ],
    texts: [
      "application/vnd.dev.sigstore.bundle.v0.3+json",
      "application/vnd.dsse.envelope.v1+json",
    ],
    commands: [
      [
        "cosign",
        "cosign verify-attestation{plain} --key cosign.pub --type slsaprovenance1 {subject}",
      ],
      ["oras", "oras pull{plain} {reference}"],
      zotCopy,
    ],
  },
  {
    id: "cosign-signature",
    label: "Cosign signature",
    group: "trust",
    recognisedBy: [
      { artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json" },
      { layerType: "application/vnd.dev.cosign.simplesigning.v1+json" },
    ],
    fields: [["Created", annotation.created]],
    texts: ["application/vnd.dev.cosign.simplesigning.v1+json"],
    commands: [
      ["cosign", "cosign verify{plain} --key cosign.pub {subject}"],
      ["cosign tree", "cosign tree{plain} {subject}"],
      zotCopy,
    ],
  },
  {
    id: "notation-signature",
    label: "Notation signature",
    group: "trust",
    recognisedBy: [
      { artifactType: "application/vnd.cncf.notary.signature" },
      { layerType: "application/jose+json" },
      { layerType: "application/cose" },
    ],
    fields: [
      ["Certificates (SHA-256)", "annotation:io.cncf.notary.x509chain.thumbprint#S256"],
      ["Signed", annotation.created],
    ],
    texts: ["application/jose+json"],
    commands: [
      ["notation", "notation verify{plain} {subject}"],
      ["notation inspect", "notation inspect{plain} {subject}"],
      zotCopy,
    ],
  },
  {
    id: "sbom",
    label: "SBOM",
    group: "document",
    recognisedBy: [
      { artifactType: "application/spdx+json" },
      { artifactType: "text/spdx*" },
      { artifactType: "application/vnd.cyclonedx*" },
      { artifactType: "application/vnd.syft+json" },
      { layerType: "application/spdx+json" },
      { layerType: "text/spdx*" },
      { layerType: "application/vnd.cyclonedx*" },
      { layerType: "application/vnd.syft+json" },
    ],
    fields: [
      ["Title", annotation.title],
      ["Created", annotation.created],
    ],
    texts: [
      "application/spdx+json",
      "text/spdx",
      "text/spdx+json",
      "application/vnd.cyclonedx+json",
      "application/vnd.cyclonedx+xml",
      "application/vnd.syft+json",
    ],
    commands: fetchLines,
  },
  {
    id: "vulnerability-report",
    label: "Vulnerability report",
    group: "document",
    recognisedBy: [
      { artifactType: "application/sarif+json" },
      { artifactType: "application/vnd.security.vulnerability.report*" },
      { layerType: "application/sarif+json" },
    ],
    fields: [
      ["Title", annotation.title],
      ["Created", annotation.created],
    ],
    texts: ["application/sarif+json"],
    commands: fetchLines,
  },
  {
    id: "vex",
    label: "VEX statement",
    group: "document",
    recognisedBy: [
      { artifactType: "application/openvex+json" },
      { artifactType: "application/vex+json" },
      { artifactType: "application/csaf+json" },
      { layerType: "application/openvex+json" },
    ],
    fields: [
      ["Title", annotation.title],
      ["Created", annotation.created],
    ],
    texts: ["application/openvex+json", "application/vex+json", "application/csaf+json"],
    commands: fetchLines,
  },
  {
    id: "buildkit-attestation",
    label: "Build attestation",
    group: "trust",
    recognisedBy: [
      { artifactType: "application/vnd.docker.attestation.manifest.v1+json" },
      { annotation: ["vnd.docker.reference.type", "attestation-manifest"] },
      { layerType: "application/vnd.in-toto+json" },
    ],
    fields: [
      ["About", "annotation:vnd.docker.reference.digest"],
      ["Predicate", "annotation:in-toto.io/predicate-type"],
    ],
    texts: ["application/vnd.in-toto+json"],
    commands: [
      ["docker buildx", "docker buildx imagetools inspect {reference}"],
      ["oras", "oras manifest fetch{plain} {reference}"],
      zotCopy,
    ],
  },
];
