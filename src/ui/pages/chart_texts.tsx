/** The README and the default values of a Helm chart, read out of its archive when somebody asks for them. */
import { useState } from "preact/hooks";
import { readArchiveTexts, type ArchiveText } from "../core/archive_texts.ts";
import type { Manifest } from "../core/image.ts";
import { useLoad } from "../core/load.ts";
import { Shown } from "../parts/basics.tsx";

const names = ["README.md", "values.yaml"];
/** Archives beyond this are no charts that people read here. */
const archiveBytesMax = 5 * 1024 * 1024;

export function ChartTexts({ manifest }: { readonly manifest: Manifest }) {
  const [isOpen, setOpen] = useState(false);
  const layer = manifest.layers.find(({ mediaType }) =>
    mediaType.startsWith("application/vnd.cncf.helm.chart.content."),
  );
  if (layer === undefined || layer.size > archiveBytesMax) return null;
  return (
    <section class="card wide">
      <h2>README and values</h2>
      {isOpen ? (
        <Texts path={`v2/${manifest.repository}/blobs/${layer.digest}`} />
      ) : (
        <button type="button" onClick={() => setOpen(true)}>
          Read them from the chart
        </button>
      )}
    </section>
  );
}

function Texts({ path }: { readonly path: string }) {
  const loaded = useLoad(`chart ${path}`, (signal) => readArchiveTexts(path, names, signal), false);
  return (
    <Shown loaded={loaded}>
      {(texts) =>
        texts.length === 0 ? (
          <p class="dim">The chart has neither, or is no archive.</p>
        ) : (
          texts.map((each) => <OneText key={each.name} text={each} />)
        )
      }
    </Shown>
  );
}

function OneText({ text: { name, text } }: { readonly text: ArchiveText }) {
  return (
    <>
      <h3>{name}</h3>
      <pre class="raw" tabIndex={0} role="region" aria-label={name}>
        {text}
      </pre>
    </>
  );
}
