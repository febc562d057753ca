/** What refers to an image: signatures, SBOMs, attestations, reports. */
import { artifactKindOf } from "../../oci/artifact_kinds.ts";
import type { Descriptor } from "../core/image.ts";
import { imageAddress, Link } from "../core/router.tsx";
import { Bytes, Digest, Empty, Time } from "../parts/basics.tsx";
import { KindChip } from "../parts/kind.tsx";

const shownMax = 200;

export function Attached({
  repository,
  attached,
}: {
  readonly repository: string;
  readonly attached: readonly Descriptor[];
}) {
  if (attached.length === 0) {
    return (
      <Empty icon="shield" title="Nothing is attached">
        <p>
          A signature (<code>cosign sign</code>), an SBOM or a report that refers to this image
          would stand here.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <p class="small dim">
        Signatures and attestations are named, not verified: cosign and notation do that, with a key
        that you trust.
      </p>
      <table class="rows">
        <caption class="said">What refers to this image</caption>
        <thead>
          <tr>
            <th>Kind</th>
            <th>Type</th>
            <th>Digest</th>
            <th class="number">Size</th>
            <th>Created</th>
          </tr>
        </thead>
        <tbody>
          {attached.slice(0, shownMax).map((each) => (
            <AttachedLine key={each.digest} repository={repository} each={each} />
          ))}
        </tbody>
      </table>
    </>
  );
}

function AttachedLine({
  repository,
  each,
}: {
  readonly repository: string;
  readonly each: Descriptor;
}) {
  const { artifactType, annotations, digest, size } = each;
  const isBuildKit = annotations["vnd.docker.reference.type"] === "attestation-manifest";
  const type = isBuildKit ? "application/vnd.in-toto+json" : artifactType;
  const kind = artifactKindOf({
    kind: "image",
    artifactType: isBuildKit ? null : artifactType,
    configType: null,
    layerTypes: isBuildKit ? ["application/vnd.in-toto+json"] : [],
    annotations,
  });
  return (
    <tr data-row="">
      <td class="name">
        <Link to={imageAddress(repository, digest)}>
          <KindChip kind={kind} />
        </Link>
      </td>
      <td data-label="Type">
        <code>{type ?? each.mediaType}</code>
      </td>
      <td data-label="Digest">
        <Digest digest={digest} />
      </td>
      <td class="number" data-label="Size">
        <Bytes count={size} />
      </td>
      <td data-label="Created">
        <Time at={annotations["org.opencontainers.image.created"]} />
      </td>
    </tr>
  );
}
