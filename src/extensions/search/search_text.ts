/** What somebody searches for: the text of `GlobalSearch`. */
import { parseDigest } from "../../oci/digest.ts";
import { SearchError } from "./search_error.ts";

/** Bytes of a text, and of a value of a filter. */
const textBytesMax = 256;

export type Wanted =
  | { readonly kind: "repositories"; readonly text: string }
  | { readonly kind: "digest"; readonly prefix: string }
  /** Images of one repository whose tags begin so. */
  | { readonly kind: "tags"; readonly repository: string; readonly prefix: string }
  /** Images whose tags contain it. */
  | { readonly kind: "tag"; readonly text: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly digest: string };

/** @throws SearchError for a text that means nothing, and for one that is too long. */
export function readText(given: string): Wanted {
  const text = checkedText(given).replace(/^\/+|\/+$/g, "");
  if (/^sha(?:256|512):/.test(text)) return { kind: "digest", prefix: text };
  const at = text.indexOf("@");
  if (at >= 0) {
    const [repository, digest] = [text.slice(0, at), text.slice(at + 1)];
    if (repository === "" || parseDigest(digest) === null) throw invalid();
    return { kind: "manifest", repository, digest };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { kind: "repositories", text };
  const [repository, tag] = [text.slice(0, colon), text.slice(colon + 1)];
  if (tag.includes(":")) throw invalid();
  if (repository !== "") return { kind: "tags", repository, prefix: tag };
  if (tag === "") throw invalid();
  return { kind: "tag", text: tag };
}

/** In lower case, without blanks around it. @throws SearchError. */
export function checkedText(given: string): string {
  if (Buffer.byteLength(given) > textBytesMax) {
    throw new SearchError(`expected up to ${textBytesMax} bytes of text to search for, got more`);
  }
  return given.trim().toLowerCase();
}

function invalid(): SearchError {
  return new SearchError("invalid search query");
}
