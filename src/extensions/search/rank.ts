/**
 * How well a name fits a text; smaller is better, null fits not at all. The order is the one that people know from
 * zot's interface: equal, then inside the last component, the first one, and anywhere.
 */
export function rankOf(name: string, text: string): number | null {
  if (name === text) return 0;
  const names = name.split("/");
  const texts = text.split("/");
  if (texts.length > names.length) return null;
  if (texts.length === 1) {
    const inLast = names.at(-1)?.indexOf(text) ?? -1;
    if (inLast >= 0) return inLast + 1;
    const inFirst = names[0]?.indexOf(text) ?? -1;
    if (inFirst >= 0) return (inFirst + 1) * 10;
  } else {
    const inComponent = rankInComponents(names, texts);
    if (inComponent !== null) return inComponent;
    if (name.startsWith(text)) return 10;
  }
  const anywhere = name.indexOf(text);
  return anywhere < 0 ? null : (anywhere + 1) * 100;
}

/** All but the last are equal, and the last one of the text is in that of the name. */
function rankInComponents(names: readonly string[], texts: readonly string[]): number | null {
  if (!texts.slice(0, -1).every((text, at) => names[at] === text)) return null;
  const at = names.at(-1)?.indexOf(texts.at(-1) ?? "") ?? -1;
  return at < 0 ? null : at + 1;
}
