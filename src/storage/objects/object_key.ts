/** Keys of objects: what every store takes, in every form that it is written in. */
import { assert } from "../../lib/assert.ts";

const keyBytesMax = 1024;

/** Stands a key that no store takes as it is, or that a URL would change on its way: a mistake of our own code. */
export function assertKey(key: string): void {
  const isLegal =
    key.isWellFormed() &&
    // oxlint-disable-next-line no-control-regex -- no store of them all takes these in a list
    !/[\u0000-\u001f\u007f\\]/.test(key) &&
    key.split("/").every((part) => part !== "" && part !== "." && part !== "..") &&
    Buffer.byteLength(key) <= keyBytesMax;
  assert(isLegal, `${JSON.stringify(key)} is no key of an object`);
}

/** As it stands in the path of a URL. */
export function keyInPath(key: string): string {
  return key.split("/").map(encodeStrictly).join("/");
}

/** As RFC 3986 has it: all but letters, digits and `-._~`. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
