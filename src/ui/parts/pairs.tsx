/** Names with their values, as text whatever they hold; addresses of the web are links. */
import { useState } from "preact/hooks";
import { webLink } from "../core/image.ts";

/** Rows that are drawn at first, and characters of a value. */
const rowsMax = 40;
const lengthMax = 600;

export function Pairs({ rows }: { readonly rows: readonly (readonly [string, string])[] }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? rows.slice(0, 2_000) : rows.slice(0, rowsMax);
  return (
    <>
      <dl class="pairs">
        {shown.map(([name, value], index) => (
          <div key={index}>
            <dt>{name.slice(0, lengthMax)}</dt>
            <dd>
              <Value text={value} />
            </dd>
          </div>
        ))}
      </dl>
      {rows.length > shown.length && !isWhole && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {rows.length}
        </button>
      )}
    </>
  );
}

function Value({ text }: { readonly text: string }) {
  const [isWhole, setWhole] = useState(false);
  const link = webLink(text);
  if (link !== null && text.length <= lengthMax) {
    return (
      <a href={link} target="_blank" rel="noopener noreferrer nofollow">
        {text}
      </a>
    );
  }
  if (text.length <= lengthMax || isWhole)
    return <>{text === "" ? <span class="dim">empty</span> : text}</>;
  return (
    <>
      {text.slice(0, lengthMax)}…{" "}
      {text.length < 100_000 && (
        <button type="button" class="plain" onClick={() => setWhole(true)}>
          Show all
        </button>
      )}
    </>
  );
}
