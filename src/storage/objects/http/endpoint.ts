/** Endpoints and prefixes as configurations have them, in the forms that addresses are made of. */

/** An endpoint with or without its scheme, as one with it and without `/` at the end. */
export function withScheme(endpoint: string, secure: boolean): string {
  const full = /^https?:\/\//i.test(endpoint)
    ? endpoint
    : `${secure ? "https" : "http"}://${endpoint}`;
  return full.replace(/\/+$/, "");
}

/** What stands in front of all keys: ends with `/`, or is empty. */
export function prefixOf(rootDirectory: string): string {
  const root = rootDirectory.replace(/^\/+|\/+$/g, "");
  return root === "" ? "" : `${root}/`;
}
