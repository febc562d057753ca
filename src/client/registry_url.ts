// The address of a registry as a person writes it, and addresses inside a registry's answers.
//
// `host`, `host:port`, `http://host`, `https://host:port/prefix` and IPv6 in brackets are understood;
// everything else is refused with a line that says what was expected. Paths are kept as text: the
// URL class would normalise them, and what a checker sends must arrive as it was written.
import { ClientError } from "./client_error.ts";

/** Scheme, host and port: what has to be equal before a login may be sent. */
export interface Origin {
  tls: boolean;
  /** Lower case, IPv6 without brackets. */
  host: string;
  port: number;
}

/** Where a request goes: an origin and the raw path with query. */
export interface Address {
  origin: Origin;
  target: string;
}

const absoluteUrl = /^(https?):\/\/([^/?#]*)([^#]*)(#.*)?$/i;
const authority = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?$/;

/**
 * Reads what a user gives as a registry. Without a scheme, loopback addresses mean http and every
 * other host https. `prefix` is a path before `/v2/`, without a slash at the end.
 */
export function parseRegistryUrl(text: string): { origin: Origin; prefix: string } {
  const trimmed = text.trim();
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)
    ? trimmed
    : `${isLoopback(trimmed) ? "http" : "https"}://${trimmed}`;
  const address = parseAbsolute(withScheme);
  if (address === null) {
    throw new ClientError("badUrl", JSON.stringify(text), {
      detail: "expected host, host:port, http://host:port or https://host:port",
    });
  }
  const path = address.target.split("?", 1)[0] ?? "";
  return { origin: address.origin, prefix: path.replace(/\/+$/, "").replace(/\/v2$/, "") };
}

/** Reads an absolute http or https URL; null when it is none. The path stays raw. */
export function parseAbsolute(url: string): Address | null {
  const match = absoluteUrl.exec(url);
  const parts = authority.exec((match?.[2] ?? "").replace(/^[^@]*@/, ""));
  if (match === null || parts === null) return null;
  const tls = match[1]?.toLowerCase() === "https";
  const port = parts[3] === undefined ? (tls ? 443 : 80) : Number(parts[3]);
  if (port < 1 || port > 65_535) return null;
  const host = (parts[1] ?? parts[2] ?? "").toLowerCase();
  const rest = match[3] ?? "";
  return { origin: { tls, host, port }, target: rest.startsWith("/") ? rest : `/${rest}` };
}

/** Resolves a Location or Link target against the address it came from (RFC 3986 §5.2); null when unusable. */
export function resolveAddress(reference: string, base: Address): Address | null {
  if (/^https?:\/\//i.test(reference)) return parseAbsolute(reference);
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) return null;
  if (reference.startsWith("//")) {
    return parseAbsolute(`${base.origin.tls ? "https" : "http"}:${reference}`);
  }
  const path = base.target.split("?", 1)[0] ?? "/";
  if (reference.startsWith("/")) return { origin: base.origin, target: reference };
  if (reference.startsWith("?")) return { origin: base.origin, target: path + reference };
  if (reference === "") return base;
  const merged = path.slice(0, path.lastIndexOf("/") + 1) + reference;
  return { origin: base.origin, target: withoutDots(merged) };
}

/** Takes `.` and `..` out of a path that was put together (RFC 3986 §5.2.4); a query stays as it is. */
function withoutDots(target: string): string {
  const [path = "", ...query] = target.split(/(?=\?)/);
  const kept: string[] = [];
  const segments = path.split("/");
  for (const [index, segment] of segments.entries()) {
    if (segment === "..") kept.length = Math.max(1, kept.length - 1);
    else if (segment !== ".") kept.push(segment);
    const isLast = index === segments.length - 1;
    if (isLast && (segment === "." || segment === "..")) kept.push("");
  }
  return kept.join("/") + query.join("");
}

export function sameOrigin(a: Origin, b: Origin): boolean {
  return a.tls === b.tls && a.host === b.host && a.port === b.port;
}

/** `scheme://host[:port]`, the port left out when it is the scheme's own. */
export function formatOrigin(origin: Origin): string {
  return `${origin.tls ? "https" : "http"}://${formatHost(origin)}`;
}

/** The value of a Host header. */
export function formatHost(origin: Origin): string {
  const host = origin.host.includes(":") ? `[${origin.host}]` : origin.host;
  return origin.port === (origin.tls ? 443 : 80) ? host : `${host}:${origin.port}`;
}

export function formatAddress(address: Address): string {
  return formatOrigin(address.origin) + address.target;
}

/** Adds query parameters to a raw target that may already have some. Values are percent-encoded. */
export function withQuery(
  target: string,
  parameters: readonly (readonly [name: string, value: string])[],
): string {
  if (parameters.length === 0) return target;
  const query = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `${target}${target.includes("?") ? "&" : "?"}${query}`;
}

function isLoopback(text: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/i.test(text);
}
