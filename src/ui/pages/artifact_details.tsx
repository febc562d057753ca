/** What is worth showing of an artifact by its kind: fields of the config, its files, and small texts in it. */
import { useState } from "preact/hooks";
import type { ArtifactKind } from "../../oci/artifact_kinds.ts";
import { artifactSummary } from "../../oci/artifact_summary.ts";
import { artifactFacts } from "../../oci/artifact_facts.ts";
import { countText } from "../core/format.ts";
import {
  documentBytesMax,
  loadText,
  parsed,
  type Descriptor,
  type Manifest,
} from "../core/image.ts";
import { useLoad } from "../core/load.ts";
import { imageAddress, Link } from "../core/router.tsx";
import { sbomOf, type Sbom } from "../core/sbom.ts";
import { Bytes, Digest, Shown } from "../parts/basics.tsx";
import { Pairs } from "../parts/pairs.tsx";

const filesMax = 500;
const packagesMax = 300;
const textMax = 100_000;

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
  const text = manifest.layers.find(
    ({ mediaType, size }) => isText(kind, mediaType) && size <= documentBytesMax,
  );
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
      {text !== undefined && <TextOf repository={manifest.repository} layer={text} />}
    </div>
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

function TextOf({
  repository,
  layer,
}: {
  readonly repository: string;
  readonly layer: Descriptor;
}) {
  const loaded = useLoad(
    `text ${repository} ${layer.digest}`,
    (signal) => loadText(repository, layer, documentBytesMax, signal),
    false,
  );
  return (
    <section class="card wide">
      <Shown loaded={loaded}>
        {(text) => {
          const value = parsed(text);
          const sbom = sbomOf(value);
          if (sbom !== null) return <Packages sbom={sbom} />;
          const pretty = value === null ? text : JSON.stringify(value, null, 2);
          return (
            <>
              <h2>Content</h2>
              <pre class="raw" tabIndex={0} role="region" aria-label="Content">
                {pretty.slice(0, textMax)}
                {pretty.length > textMax && "\n…"}
              </pre>
            </>
          );
        }}
      </Shown>
    </section>
  );
}

function Packages({ sbom }: { readonly sbom: Sbom }) {
  const [filter, setFilter] = useState("");
  const wanted = filter.toLowerCase();
  const found = sbom.packages.filter(
    ({ name, license, kind }) =>
      name.toLowerCase().includes(wanted) ||
      license.toLowerCase().includes(wanted) ||
      kind.includes(wanted),
  );
  return (
    <>
      <h2>
        {countText(sbom.packages.length, "package")}{" "}
        <span class="dim small">
          {sbom.form}
          {sbom.tool === "" ? "" : `, by ${sbom.tool}`}
        </span>
      </h2>
      <div class="toolbar">
        <input
          type="search"
          placeholder="Find a package or licence"
          aria-label="Find a package or licence"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="dim small" role="status">
          {found.length === sbom.packages.length ? "" : `${found.length} found`}
        </span>
      </div>
      <table class="rows">
        <caption class="said">Packages</caption>
        <thead>
          <tr>
            <th>Package</th>
            <th>Version</th>
            <th>From</th>
            <th>Licence</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, packagesMax).map(({ name, version, kind, license }, index) => (
            <tr key={index}>
              <td class="name">{name}</td>
              <td data-label="Version">{version}</td>
              <td data-label="From">{kind}</td>
              <td data-label="Licence">{license}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > packagesMax && (
        <p class="dim">And {found.length - packagesMax} more; find them by their name.</p>
      )}
    </>
  );
}
