/** The layers of an image with the commands that made them: which of them are large is seen at once. */
import { countText } from "../core/format.ts";
import { commandText, stepsOf, type Manifest } from "../core/image.ts";
import { Bytes, Digest } from "../parts/basics.tsx";

/** Steps that are drawn. */
const shownMax = 500;

export function LayersView({
  manifest,
  config,
}: {
  readonly manifest: Manifest;
  readonly config: unknown;
}) {
  const steps = stepsOf(manifest, config);
  const largest = Math.max(1, ...manifest.layers.slice(0, shownMax).map(({ size }) => size));
  let number = 0;
  return (
    <>
      <ol class="steps">
        {steps.slice(0, shownMax).map((step, index) => {
          const { layer } = step;
          if (layer !== null) number += 1;
          return (
            <li key={index} class={layer === null ? "empty-step" : ""} data-row="">
              <span class="at" aria-hidden="true">
                {layer === null ? "" : number}
              </span>
              <div>
                <code class="made-by">
                  {commandText(step.command) ||
                    (layer === null ? step.comment : "No history tells what made this layer")}
                </code>
                {layer !== null && (
                  <div class="line small dim">
                    <Digest digest={layer.digest} />
                    <span>{compression(layer.mediaType)}</span>
                  </div>
                )}
              </div>
              {layer !== null && (
                <span class="size">
                  <Bytes count={layer.size} />
                  <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="track" width="100" height="6" rx="3" />
                    <rect width={Math.max(1.5, (layer.size / largest) * 100)} height="6" rx="3" />
                  </svg>
                </span>
              )}
            </li>
          );
        })}
      </ol>
      {steps.length > shownMax && (
        <p class="dim">And {countText(steps.length - shownMax, "more step")}.</p>
      )}
    </>
  );
}

function compression(mediaType: string): string {
  if (mediaType.endsWith("gzip")) return "tar, gzip";
  if (mediaType.endsWith("zstd")) return "tar, zstd";
  return mediaType.endsWith("tar") ? "tar" : mediaType;
}
