/** The little of XML that stores of objects answer with: elements without attributes of interest, found by their names. */

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** The text in the first element of a name; null where there is none. */
export function elementText(xml: string, name: string): string | null {
  const [first] = elements(xml, name);
  return first === undefined ? null : unescapeXml(first);
}

/** What stands in each element of a name, which has none of its own name inside. */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const close = `</${name}>`;
  for (let at = 0; ;) {
    const open = openingAt(xml, name, at);
    if (open === null) return found;
    const end = open.isEmpty ? open.after : xml.indexOf(close, open.after);
    if (end === -1) return found;
    found.push(xml.slice(open.after, end));
    at = end;
  }
}

function openingAt(xml: string, name: string, from: number) {
  const start = `<${name}`;
  for (let at = xml.indexOf(start, from); at !== -1; at = xml.indexOf(start, at + 1)) {
    const next = xml[at + start.length] ?? "";
    const end = xml.indexOf(">", at);
    if (end === -1) return null;
    if (/[\s/>]/.test(next)) return { after: end + 1, isEmpty: xml[end - 1] === "/" };
  }
  return null;
}

export function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w{2,4}));/gi,
    (all, hex, decimal, name) => {
      if (name !== undefined) return entities[name] ?? all;
      const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return point <= 0x10_ff_ff ? String.fromCodePoint(point) : all;
    },
  );
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);
}
