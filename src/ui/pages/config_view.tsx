/** What a container of the image is started with, its labels, and the annotations of its manifest. */
import { sectionsOf, type Manifest, type Section } from "../core/image.ts";
import { Pairs } from "../parts/pairs.tsx";

export function ConfigView({
  manifest,
  config,
  top,
}: {
  readonly manifest: Manifest;
  readonly config: unknown;
  readonly top: Manifest;
}) {
  const annotations = { ...top.annotations, ...manifest.annotations };
  const sections: Section[] = [
    ...sectionsOf(config),
    ...(Object.keys(annotations).length === 0
      ? []
      : [["Annotations", Object.entries(annotations)] as Section]),
  ];
  if (sections.length === 0) return <p class="dim">The config says nothing that could be shown.</p>;
  return (
    <div class="sections">
      {sections.map(([title, rows]) => (
        <section key={title} class="card">
          <h2>{title}</h2>
          <Pairs rows={rows} />
        </section>
      ))}
    </div>
  );
}
