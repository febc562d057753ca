/**
 * Parses the credentials of an Authorization header (RFC 9110 §11.6.2, RFC 7617, RFC 6750).
 *
 * A malformed header is told apart from an absent one. An empty name with an empty password (`Basic Og==`), which
 * clients without credentials send, is no login.
 */

export type Credentials =
  | { readonly kind: "none" }
  | { readonly kind: "password"; readonly name: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "session"; readonly cookie: string }
  | { readonly kind: "malformed"; readonly reason: string };

/** A token must leave room for the other headers of a request. */
const headerLengthMax = 12 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the header as the runtime gives it: several are joined by commas, which no credentials hold. */
export function readCredentials(header: string | null): Credentials {
  if (header === null) return { kind: "none" };
  if (header.length > headerLengthMax) return malformed("the Authorization header is too long");
  const match = /^([A-Za-z][A-Za-z0-9-]*) +([A-Za-z0-9+/=._~-]+)$/.exec(header);
  if (match === null)
    return malformed("the Authorization header is not a scheme and its credentials");
  const [, scheme = "", value = ""] = match;
  if (scheme.toLowerCase() === "basic") return readBasic(value);
  if (scheme.toLowerCase() === "bearer") return { kind: "bearer", token: value };
  return malformed("the scheme is neither Basic nor Bearer");
}

function readBasic(value: string): Credentials {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(value)) {
    return malformed("the Basic credentials are not base64");
  }
  let text: string;
  try {
    text = utf8.decode(Buffer.from(value, "base64"));
  } catch {
    return malformed("the Basic credentials are not UTF-8");
  }
  const colon = text.indexOf(":");
  if (colon === -1) return malformed("the Basic credentials have no colon");
  return passwordCredentials(text.slice(0, colon), text.slice(colon + 1));
}

/** A name and its password, however they came. */
export function passwordCredentials(name: string, password: string): Credentials {
  if (name === "" && password === "") return { kind: "none" };
  // RFC 7617 §2: neither may hold control characters. A NUL would end the password for some hashes.
  if (/[\0-\x1f\x7f]/.test(name + password)) {
    return malformed("the name or the password holds control characters");
  }
  return { kind: "password", name, password };
}

function malformed(reason: string): Credentials {
  return { kind: "malformed", reason };
}
