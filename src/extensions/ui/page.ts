/**
 * What answers below `/ui/`: the page, which is the same for every address, its files, and what it must know of the
 * configuration. Nothing here tells anything that needs a login.
 *
 * The page may run its own script and talk to this registry only (Content-Security-Policy), makes no HTML out of text
 * (Trusted Types), and cannot be framed.
 */
import type { App } from "../../api/app.ts";
import { targetOf } from "../../api/app.ts";
import type { Call } from "../../http/call.ts";
import type { Reply } from "../../http/endpoint.ts";
import { bodyReply, emptyReply, jsonReply, textReply } from "../../http/reply.ts";
import { matchesEntityTag } from "../../lib/http_fields.ts";
import { digestOf } from "../../oci/digest.ts";
import { apiError } from "../../oci/errors.ts";
import type { Encoding, InterfaceFiles } from "./interface_files.ts";

/** What pages must know of the server, beside what the API tells. */
export interface InterfaceSettings {
  readonly version: string;
  readonly undoWindowMs: number;
  readonly hasKeys: boolean;
  readonly hasMirrors: boolean;
  readonly hasSearch: boolean;
}

export interface Interface {
  readonly files: InterfaceFiles;
  readonly settings: InterfaceSettings;
}

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const pageHeaders = {
  "content-security-policy": pagePolicy,
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache",
};

/** GET of any page: the script finds out which. @throws UNAVAILABLE where the interface was not built. */
export async function getPage(call: Call, app: App, { files }: Interface): Promise<Reply> {
  const html = await files.html();
  if (html === null) {
    throw apiError("UNAVAILABLE", {
      message: "The web interface is not built; the log of the server says why",
    });
  }
  const text = html.replace("<head>", `<head><base href="${basePath(call, app)}">`);
  const tag = digestOf("sha256", Buffer.from(text));
  const headers = { ...pageHeaders, etag: `"${tag}"` };
  const condition = call.header("if-none-match");
  if (condition !== null && matchesEntityTag(condition, tag)) return emptyReply(304, headers);
  return textReply(200, text, "text/html; charset=utf-8", headers);
}

/** Where pages are to the browser: below the path of `http.externalUrl`, if it came by that. */
function basePath(call: Call, app: App): string {
  const { pathname } = new URL(targetOf(call, app, "/ui/"), "http://registry");
  return pathname.replace(/["<>&]/g, encodeURIComponent);
}

/** GET of a file that the page loads. @throws NOT_FOUND. */
export async function getAsset(call: Call, { files }: Interface): Promise<Reply> {
  const encoding = encodingFor(call.header("accept-encoding") ?? "");
  const file = await files.file(call.params["asset"] ?? "", encoding);
  if (file === null) throw apiError("NOT_FOUND");
  return bodyReply(200, file.bytes, {
    "content-type": file.type,
    "content-length": String(file.bytes.length),
    ...(encoding === null ? {} : { "content-encoding": encoding }),
    "cache-control": "public, max-age=31536000, immutable",
    vary: "Accept-Encoding",
  });
}

function encodingFor(accepted: string): Encoding {
  const names = accepted
    .toLowerCase()
    .split(",")
    .filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
    .map((part) => part.split(";", 1)[0]?.trim());
  if (names.includes("br")) return "br";
  return names.includes("gzip") ? "gzip" : null;
}

/** GET of what pages must know before anybody has logged in. */
export async function getSettings(
  { auth }: Pick<App, "auth">,
  { settings }: Interface,
): Promise<Reply> {
  const login = auth === null ? "none" : auth.challenge === null ? "certificate" : "password";
  return jsonReply(200, { ...settings, login }, { "cache-control": "no-store" });
}

/** GET of an address of zot's interface, or of a part of ours. */
export function redirectTo(call: Call, app: App, page: string): Reply {
  const location = targetOf(call, app, `/ui/${page}`);
  return emptyReply(307, { location, "content-length": "0", "cache-control": "no-store" });
}
