// URLs that clients are sent to: absolute, http or https, in plain ASCII, without user and password.
//
// Apart from `address_types.ts`, because processes that read no configuration do without the library of its types.

/** Null for anything else. */
export function parseHttpUrl(value: string): URL | null {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(value) || !URL.canParse(value)) return null;
  const url = new URL(value);
  return url.username === "" && url.password === "" && !/^https?:\/\/[/?#]/.test(value)
    ? url
    : null;
}

export function isHttpUrl(text: string): boolean {
  return parseHttpUrl(text) !== null;
}
