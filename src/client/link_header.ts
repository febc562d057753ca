// The `Link` header as registries use it for pages: `</v2/a/tags/list?n=2&last=b>; rel="next"`.
//
// Reads RFC 8288 (once RFC 5988) link values: a target in angle brackets, then parameters. Whether
// the target is one to follow (same registry) is left to the caller.

export interface Link {
  target: string;
  /** Parameters, names in lower case, values without quotes. */
  parameters: ReadonlyMap<string, string>;
}

const linkStart = /\s*,?\s*<([^>]*)>/y;
const linkParameter = /\s*;\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/y;

/** All links of a header value; null when it does not follow the grammar. */
export function parseLinks(value: string): Link[] | null {
  const links: Link[] = [];
  let at = 0;
  while (value.slice(at).trim() !== "") {
    linkStart.lastIndex = at;
    const start = linkStart.exec(value);
    if (start === null) return null;
    at = linkStart.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      linkParameter.lastIndex = at;
      const match = linkParameter.exec(value);
      if (match === null) break;
      at = linkParameter.lastIndex;
      parameters.set((match[1] ?? "").toLowerCase(), match[2] ?? match[3] ?? "");
    }
    links.push({ target: start[1] ?? "", parameters });
  }
  return links;
}

/** The target of the link to the next page; null when there is none. */
export function nextPage(value: string | null): string | null {
  const links = value === null ? null : parseLinks(value);
  const next = links?.find((link) => link.parameters.get("rel")?.split(" ").includes("next"));
  return next?.target ?? null;
}
