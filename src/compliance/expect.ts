// Checks on an answer that explain themselves: what was expected, what came.
//
// Each throws `Broken` (or `Wrong` for content) with one line. Codes of an error body are part of
// the line, for they are what a maintainer looks for first. Nothing here sends anything.
import type { Exchange } from "../client/exchange.ts";
import { locationOf } from "../client/registry_client.ts";
import { type Address, formatOrigin, sameOrigin } from "../client/registry_url.ts";
import { isJsonObject, type JsonObject } from "../lib/strict_json.ts";
import { algorithmOf, digestOf, parseDigest } from "../oci/digest.ts";
import { registeredErrorCodes } from "./specification/clauses.ts";
import { Broken, Skipped, Unsupported, Wrong } from "./verdict.ts";

/** Throws `Broken` unless the condition holds. */
export function expectThat(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Broken(problem);
}

/** For a push that is what the case is about: where it is refused the rule is broken, not untried. */
export async function expectPushed<T>(push: Promise<T>): Promise<T> {
  try {
    return await push;
  } catch (error) {
    throw error instanceof Skipped ? new Broken(error.message) : error;
  }
}

/**
 * Checks the status. A status in `unsupported` says that the registry does not do this at all.
 * Redirects were followed, as the specification wants.
 */
export function expectStatus(
  exchange: Exchange,
  expected: number | readonly number[],
  options: { unsupported?: readonly number[]; why?: string } = {},
): void {
  const list = typeof expected === "number" ? [expected] : expected;
  if (list.includes(exchange.status)) return;
  const codes = errorCodesOf(exchange);
  const came = `${exchange.status}${codes.length === 0 ? "" : ` ${codes.join(", ")}`}`;
  const what = `${exchange.method} ${shortTarget(exchange)}`;
  if (options.unsupported?.includes(exchange.status) === true) {
    throw new Unsupported(`${what} answered ${came}`);
  }
  const why = options.why === undefined ? "" : `: ${options.why}`;
  throw new Broken(`Expected status ${list.join(" or ")}, got ${came} for ${what}${why}`);
}

/** Checks that one header line with this name has this value, or is there at all. */
export function expectHeader(exchange: Exchange, name: string, value?: string): string {
  const values = exchange.headers.all(name);
  expectThat(values.length > 0, `Expected a ${name} header, got none`);
  expectThat(values.length === 1, `Expected one ${name} header, got ${values.length}`);
  const [found = ""] = values;
  if (value !== undefined && found !== value) {
    throw new Broken(`Expected ${name}: ${value}, got ${found}`);
  }
  return found;
}

export function expectNoHeader(exchange: Exchange, name: string): void {
  const found = exchange.headers.get(name);
  expectThat(found === null, `Expected no ${name} header, got ${found ?? ""}`);
}

/** Checks that the answer was a success, and its body byte for byte. */
export function expectBody(exchange: Exchange, expected: Uint8Array): void {
  const { body, status } = exchange;
  if (status < 200 || status > 299) expectStatus(exchange, [200, 206]);
  if (body.length !== expected.length) {
    throw new Wrong(`Expected ${expected.length} bytes of content, got ${body.length}`);
  }
  if (Buffer.compare(body, expected) !== 0) {
    const at = body.findIndex((byte, index) => byte !== expected[index]);
    throw new Wrong(`Content differs from what was pushed at byte ${at} of ${expected.length}`);
  }
}

/** Checks Content-Length; chunked answers have none. */
export function expectLength(exchange: Exchange, bytes: number): void {
  expectHeader(exchange, "Content-Length", String(bytes));
}

export function expectNoBody(exchange: Exchange): void {
  expectThat(exchange.bodyBytes === 0, `Expected no body, got ${exchange.bodyBytes} bytes`);
}

/**
 * Checks `Docker-Content-Digest`. Absent is allowed unless `required`. A digest by another algorithm
 * is allowed unless `exact`, but it has to be a digest of the same bytes.
 */
export function expectDigest(
  exchange: Exchange,
  content: { digest: string; bytes: Uint8Array },
  options: { required?: boolean; exact?: boolean } = {},
): void {
  if (!exchange.headers.has("Docker-Content-Digest") && options.required !== true) return;
  const found = expectHeader(exchange, "Docker-Content-Digest");
  if (found === content.digest) return;
  const parsed = parseDigest(found);
  const same = parsed !== null && digestOf(algorithmOf(parsed), content.bytes) === parsed;
  if (same && options.exact !== true) return;
  const problem = `Expected Docker-Content-Digest: ${content.digest}, got ${found}`;
  throw same ? new Broken(problem) : new Wrong(problem);
}

/** The one Location of an answer, resolved. */
export function expectLocation(exchange: Exchange): Address {
  const text = expectHeader(exchange, "Location");
  const location = locationOf(exchange);
  if (location === null) throw new Broken(`Expected a Location that is a URL, got ${text}`);
  return location;
}

/** Checks that an address is on the registry as the client reached it. */
export function expectSameOrigin(address: Address, exchange: Exchange): void {
  const there = exchange.address.origin;
  expectThat(
    sameOrigin(address.origin, there),
    `Expected an address on ${formatOrigin(there)}, got ${formatOrigin(address.origin)}`,
  );
}

/** Checks the media type, without parameters. */
export function expectType(exchange: Exchange, mediaType: string): void {
  const found = expectHeader(exchange, "Content-Type");
  expectThat(found === mediaType, `Expected Content-Type: ${mediaType}, got ${found}`);
}

/** The body as a JSON object. */
export function expectJson(exchange: Exchange): JsonObject {
  const parsed = jsonOf(exchange);
  if (!isJsonObject(parsed)) throw new Broken("Expected a JSON object as the body");
  return parsed;
}

/** The body as JSON; undefined when it is none. */
export function jsonOf(exchange: Exchange): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(exchange.body));
  } catch {
    return undefined;
  }
}

/** Checks the shape of an error body when it is JSON, and that `codes` (if any) has one of its codes. */
export function expectErrorBody(exchange: Exchange, codes: readonly string[] = []): void {
  const { errors } = expectJson(exchange);
  expectThat(Array.isArray(errors), "Expected a JSON body with a list `errors`");
  expectThat(errors.length > 0, "Expected at least one entry in `errors`");
  const found: string[] = [];
  for (const entry of errors) {
    expectThat(isJsonObject(entry), "Expected every entry of `errors` to be an object");
    const { code, message } = entry;
    expectThat(typeof code === "string", "Expected every error to have a text `code`");
    expectThat(registeredErrorCodes.has(code), `Expected a registered error code, got ${code}`);
    const textual = message === undefined || typeof message === "string";
    expectThat(textual, "Expected `message` of an error to be text");
    found.push(code);
  }
  if (codes.length === 0) return;
  const fits = found.some((code) => codes.includes(code));
  expectThat(fits, `Expected error code ${codes.join(" or ")}, got ${found.join(", ")}`);
}

/** The codes of an error body; empty when there are none. */
export function errorCodesOf(exchange: Exchange): string[] {
  const parsed = jsonOf(exchange);
  const errors = isJsonObject(parsed) ? parsed["errors"] : null;
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry) =>
    isJsonObject(entry) && typeof entry["code"] === "string" ? [entry["code"]] : [],
  );
}

function shortTarget(exchange: Exchange): string {
  return exchange.address.target.split("?", 1)[0] ?? "";
}
