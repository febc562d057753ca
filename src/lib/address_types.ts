// The types of options that say where something is: hosts, URLs, origins of web pages.
//
// As in `option_types.ts`, an error message is the end of the sentence "expected …". What would be sent to clients or
// put into a header is plain ASCII here, and carries no user and no password.

import { isIP } from "node:net";
import * as z from "zod";
import { parseHttpUrl } from "./http_url.ts";

const hostPattern =
  /^(?=.{1,253}$)(?:[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?\.)*[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?$/;

/** A host name or an IP address, as resolvers take it; what looks like an address must be one. */
function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return hostPattern.test(text) && !/(?:^|\.)\d+$/.test(text);
}

const addressError = `a host name or an IP address without a port, such as "127.0.0.1", or "0.0.0.0" for all`;

/** What to listen on. Empty is refused: in Go it means every interface, which nobody expects. */
export const listenAddress = z
  .string({ error: addressError })
  .refine(isHost, { error: addressError })
  .meta({ title: "address" });

const hostError = `a host name or an IP address without scheme and port, such as "ldap.example.com"`;

/** The host of another server; empty is null. */
export const hostOrNone = z
  .string({ error: hostError })
  .refine((value) => value === "" || isHost(value), { error: hostError })
  .transform((value) => (value === "" ? null : value))
  .meta({ title: "host" });

const urlError = `an absolute http or https URL without user and password, such as "https://auth.example.com/token"`;

/** A URL that is kept as it is; empty is null. */
export const urlOrNone = z
  .string({ error: urlError })
  .refine((value) => value === "" || parseHttpUrl(value) !== null, { error: urlError })
  .transform((value) => (value === "" ? null : value))
  .meta({ title: "URL" });

const baseUrlError =
  `the absolute URL that /v2/ stands below, such as "https://registry.example.com", without user, password, query ` +
  "and fragment";

/** A URL that paths are put behind, without its trailing slashes; empty is null. */
export const baseUrlOrNone = z
  .string({ error: baseUrlError })
  .refine((value) => value === "" || isBaseUrl(value), { error: baseUrlError })
  .transform((value) => (value === "" ? null : value.replace(/\/+$/, "")))
  .meta({ title: "URL" });

function isBaseUrl(value: string): boolean {
  const url = parseHttpUrl(value);
  return url !== null && !/[?#]/.test(value) && !/\/v2\/*$/.test(url.pathname);
}

const originsError = `origins with commas between them, such as "https://ui.example.com", without a path, or "*", or "auto"`;

/** Origins of web pages, as browsers write them, with commas between them; `*` is any, `auto` left to the program. */
export const origins = z
  .string({ error: originsError })
  .transform((value): readonly string[] | "auto" =>
    value.trim() === "auto" ? "auto" : splitAtCommas(value),
  )
  .refine((list) => list === "auto" || list.every(isOrigin), { error: originsError })
  .meta({ title: "comma-separated text" });

function splitAtCommas(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function isOrigin(value: string): boolean {
  if (value === "*") return true;
  if (/^https?:/.test(value)) return parseHttpUrl(value)?.origin === value && !value.includes("*");
  // Browser extensions and applications have schemes of their own.
  return /^[a-z][a-z0-9+.-]*:\/\/[\w.-]+$/.test(value);
}
