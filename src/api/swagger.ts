/**
 * The OpenAPI document of the running registry, and a page to read it and to try requests on (`/swagger/v2/`).
 *
 * Everything comes from this server, out of the executable. The page may run its own scripts and talk to this registry
 * only (Content-Security-Policy), and cannot be framed. Where callers can log in, both are only for those who have.
 * `document.ts` writes the document, `viewer.ts` finds the files of the viewer.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { bodyReply, emptyReply, textReply } from "../http/reply.ts";
import { matchesEntityTag } from "../lib/http_fields.ts";
import { digestOf } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { targetOf, type App } from "./app.ts";
import { viewerFile } from "./viewer.ts";

/** What the page may do; the viewer brings its icons as data and sets no styles of its own. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>zot: HTTP API</title>
    <link rel="icon" href="favicon-32x32.png">
    <link rel="stylesheet" href="swagger-ui.css">
    <link rel="stylesheet" href="page.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="page.js"></script>
  </body>
</html>
`;

/** The viewer writes slashes of repository names as %2F; the registry wants them as they are. */
const pageScript = `const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
SwaggerUIBundle({
  url: "doc.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor(request) {
    const [path, ...query] = request.url.split("?");
    request.url = [path.replaceAll("%2F", "/"), ...query].join("?");
    return request;
  },
});
`;

/** HEAD repeats GET without a body: it stands in the document, for generators of clients, and is not shown twice. */
const pageStyle = `.opblock.opblock-head { display: none; }
`;

interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Tag of exactly these bytes. */
  readonly tag: string;
}

/** Where each file comes from, by the name that the page loads it under. */
const sources: Readonly<
  Record<string, { readonly type: string; readonly read: () => Promise<Uint8Array> }>
> = {
  "page.js": {
    type: "text/javascript; charset=utf-8",
    read: () => Promise.resolve(Buffer.from(pageScript)),
  },
  "page.css": {
    type: "text/css; charset=utf-8",
    read: () => Promise.resolve(Buffer.from(pageStyle)),
  },
  "swagger-ui-bundle.js": {
    type: "text/javascript; charset=utf-8",
    read: () => viewerFile("swagger-ui-bundle.js"),
  },
  "swagger-ui.css": {
    type: "text/css; charset=utf-8",
    read: () => viewerFile("swagger-ui.css"),
  },
  "favicon-32x32.png": { type: "image/png", read: () => viewerFile("favicon-32x32.png") },
};
/** Read once, when first asked for. */
const loaded = new Map<string, Asset>();

async function assetOf(name: string): Promise<Asset | null> {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  if (!Object.hasOwn(sources, name)) return null;
  const source = sources[name];
  if (source === undefined) return null;
  const bytes = await source.read();
  const asset = { type: source.type, bytes, tag: digestOf("sha256", bytes) };
  loaded.set(name, asset);
  return asset;
}

/** GET of the page. */
export async function getSwaggerPage(): Promise<Reply> {
  return textReply(200, page, "text/html; charset=utf-8", {
    "content-security-policy": pagePolicy,
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  });
}

/** GET of a part of the path: what the page loads is named from the directory that it stands in. */
export async function redirectToPage(call: Call, app: App): Promise<Reply> {
  const location = targetOf(call, app, "/swagger/v2/");
  return emptyReply(308, { location, "content-length": "0" });
}

/** GET of a file of the page. @throws NOT_FOUND. */
export async function getSwaggerAsset(call: Call): Promise<Reply> {
  const asset = await assetOf(call.params["asset"] ?? "");
  if (asset === null) throw apiError("NOT_FOUND");
  const identity = { etag: `"${asset.tag}"`, "cache-control": "private, no-cache" };
  const condition = call.header("if-none-match");
  if (condition !== null && matchesEntityTag(condition, asset.tag))
    return emptyReply(304, identity);
  return bodyReply(200, asset.bytes, {
    ...identity,
    "content-type": asset.type,
    "content-length": String(asset.bytes.length),
  });
}

/** GET of the document. */
export async function getOpenApi(_call: Call, app: App): Promise<Reply> {
  return textReply(200, app.openApi(), "application/json", { "cache-control": "no-cache" });
}
