/** Endpoints as configurations have them, in the form that addresses are made of. */

/** An endpoint with or without its scheme, as one with it and without `/` at the end. */
export function withScheme(endpoint: string, secure: boolean): string {
  const full = /^https?:\/\//i.test(endpoint)
    ? endpoint
    : `${secure ? "https" : "http"}://${endpoint}`;
  return full.replace(/\/+$/, "");
}
