/** A text that somebody else wrote, which may be long: its beginning, and the rest where it is asked for. */
import { useState } from "preact/hooks";

const shownMax = 280;
const lengthMax = 20_000;

export function LongText({ text }: { readonly text: string }) {
  const [isWhole, setWhole] = useState(false);
  if (text.length <= shownMax) return <>{text}</>;
  const shown = isWhole ? text.slice(0, lengthMax) : beginning(text);
  return (
    <>
      {shown}
      {shown.length < text.length && "…"}{" "}
      <button
        type="button"
        class="plain flat"
        aria-expanded={isWhole}
        onClick={() => setWhole(!isWhole)}
      >
        {isWhole ? "Less" : "More"}
      </button>
    </>
  );
}

/** Ends between two words where one is near. */
function beginning(text: string): string {
  const end = text.lastIndexOf(" ", shownMax);
  return text.slice(0, end > shownMax / 2 ? end : shownMax);
}
