/** The manifest, the config, and for an index its own text, as they were pushed. */
import { useState } from "preact/hooks";
import { bytesText } from "../core/format.ts";
import { type Manifest } from "../core/image.ts";
import { parsed } from "../core/shapes.ts";
import { Copy } from "../parts/basics.tsx";

/** Characters that are drawn of one text. */
const shownMax = 200_000;

export function RawView({
  top,
  shown,
  config,
}: {
  readonly top: Manifest;
  readonly shown: Manifest | null;
  readonly config: unknown;
}) {
  const texts: [string, string][] = [
    [top.isIndex ? "Index" : "Manifest", top.text],
    ...(shown === null || shown === top ? [] : [["Manifest", shown.text] as [string, string]]),
    ...(config === null || config === undefined
      ? []
      : [["Config", JSON.stringify(config)] as [string, string]]),
  ];
  const [at, setAt] = useState(0);
  const [name, text] = texts[at] ?? texts[0] ?? ["", ""];
  const value = parsed(text);
  const pretty = value === null ? text : JSON.stringify(value, null, 2);
  return (
    <>
      <div class="toolbar">
        <div class="platforms" role="group" aria-label="Which text">
          {texts.map(([each], index) => (
            <button
              key={each}
              type="button"
              aria-pressed={index === at}
              onClick={() => setAt(index)}
            >
              {each}
            </button>
          ))}
        </div>
        <span class="dim small">{bytesText(text.length)}</span>
        <Copy text={text} says={`the ${name.toLowerCase()} as it was pushed`} />
      </div>
      <pre class="raw" tabIndex={0} role="region" aria-label={name}>
        {pretty.slice(0, shownMax)}
        {pretty.length > shownMax && "\n…"}
      </pre>
    </>
  );
}
