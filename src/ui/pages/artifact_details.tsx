/** What is worth showing of an artifact by its kind: fields of the config, its files, and the documents in it. */
import type { ArtifactKind } from "../../oci/artifact_kinds.ts";
import { attachedKinds } from "../../oci/artifact_kinds/attached_kinds.ts";
import { artifactSummary } from "../../oci/artifact_summary.ts";
import { artifactFacts } from "../../oci/artifact_facts.ts";
import { documentBytesMax, type Descriptor, type Manifest } from "../core/image.ts";
import { imageAddress, Link } from "../core/router.tsx";
import { Bytes, Digest } from "../parts/basics.tsx";
import { Pairs } from "../parts/pairs.tsx";
import { ChartTexts } from "./chart_texts.tsx";
import { DocumentView } from "./document_view.tsx";

const filesMax = 500;
/** Files of an artifact that are opened at once. */
const textsMax = 6;
const signatureKinds: ReadonlySet<string> = new Set(
  attachedKinds.filter(({ group }) => group === "trust").map(({ id }) => id),
);

export function ArtifactDetails({
  manifest,
  config,
  kind,
}: {
  readonly manifest: Manifest;
  readonly config: unknown;
  readonly kind: ArtifactKind;
}) {
  const { annotations } = artifactFacts(manifest.document);
  const fields = artifactSummary(kind, { config, annotations });
  const texts = manifest.layers
    .filter(({ mediaType, size }) => isText(kind, mediaType) && size <= documentBytesMax)
    .slice(0, textsMax);
  const others = Object.entries(manifest.annotations).filter(
    ([, value]) => !fields.some(([, shown]) => shown === value),
  );
  return (
    <div class="sections">
      {fields.length > 0 && (
        <section class="card">
          <h2>{kind.label}</h2>
          <Pairs rows={fields} />
        </section>
      )}
      {signatureKinds.has(kind.id) && <Unverified />}
      {kind.id === "helm-chart" && <ChartTexts manifest={manifest} />}
      {texts.map((layer) => (
        <DocumentView key={layer.digest} repository={manifest.repository} layer={layer} />
      ))}
      <section class="card">
        <h2>{manifest.isIndex ? "Manifests" : "Files"}</h2>
        <Files manifest={manifest} />
      </section>
      {others.length > 0 && (
        <section class="card">
          <h2>Annotations</h2>
          <Pairs rows={others} />
        </section>
      )}
    </div>
  );
}

/** A signature that nobody looked at proves nothing. */
function Unverified() {
  return (
    <p class="note wide">
      <strong>Named, not verified:</strong> this registry checks no signature and knows no key. The
      command above does, with the key or identity that you trust.
    </p>
  );
}

function isText(kind: ArtifactKind, mediaType: string): boolean {
  return kind.texts.includes(mediaType) || /(\+json|\/json|^text\/\S+)$/.test(mediaType);
}

function Files({ manifest }: { readonly manifest: Manifest }) {
  const files = manifest.isIndex ? manifest.children : manifest.layers;
  if (files.length === 0) return <p class="dim">None: its manifest says all.</p>;
  return (
    <ul class="files">
      {files.slice(0, filesMax).map((file, index) => (
        <li key={index}>
          <span class="what">
            {manifest.isIndex ? (
              <Link to={imageAddress(manifest.repository, file.digest)}>{titleOf(file)}</Link>
            ) : (
              titleOf(file)
            )}
          </span>
          <Digest digest={file.digest} />
          <span class="number">
            <Bytes count={file.size} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function titleOf({ annotations, mediaType, platform }: Descriptor): string {
  return annotations["org.opencontainers.image.title"] ?? (platform || mediaType);
}
