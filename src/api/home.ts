/**
 * The page at `/` for a person who opens the registry in a browser: what this is, where it is, how to push to it, and
 * where to go on. Where there is a web interface, it leads there.
 *
 * It is text and one style, works without scripts, and loads nothing (Content-Security-Policy). It tells nothing that
 * needs a login. Programs that ask for `/` get a 404.
 */
import { createHash } from "node:crypto";
import packageJson from "../../package.json" with { type: "json" };
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { emptyReply, textReply } from "../http/reply.ts";
import { pushCommands, type PushPlace } from "../lib/push_commands.ts";
import { apiError } from "../oci/errors.ts";
import { targetOf, type App, type Page } from "./app.ts";

/** A Host header of another form is nobody's browser's: it is not shown. */
const hostPattern = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,253})(:\d{1,5})?$/;

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --paper: #fff; --card: #f6f8fa; --line: #d1d9e0; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --paper: #0d1117; --card: #161b22; --line: #3d444d; --accent: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 760px; margin: 0 auto; padding: 48px 20px; }
h1 { font-size: 28px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 8px; }
p { margin: 4px 0 12px; } .dim, dt { color: var(--dim); }
dl { margin: 0; display: grid; gap: 4px; } dt { font-size: 14px; margin-top: 8px; } dd { margin: 0; }
pre { margin: 0; padding: 10px 12px; font: 14px/1.5 ui-monospace, monospace; background: var(--card); border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
ul { margin: 0; padding: 0; list-style: none; } li { padding: 6px 0; border-bottom: 1px solid var(--line); }
a { color: var(--accent); } a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 480px) { main { padding: 24px 16px; } }
`;

const pagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  // An empty icon, so that none is asked for.
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Where the package says that it is described; null where it does not. */
const documentation = (packageJson as { readonly homepage?: string }).homepage ?? null;

/** GET of the page. @throws NOT_FOUND for whoever does not ask for HTML. */
export async function getHome(call: Call, app: App): Promise<Reply> {
  if (!(call.header("accept") ?? "").includes("text/html")) throw apiError("NOT_FOUND");
  const start = app.pages.find(({ isStart }) => isStart === true);
  if (start !== undefined) {
    const location = targetOf(call, app, start.path);
    return emptyReply(307, {
      location,
      "content-length": "0",
      "cache-control": "no-store",
      vary: "Accept",
    });
  }
  return textReply(200, pageOf(placeOf(call, app), app.pages), "text/html; charset=utf-8", {
    "content-security-policy": pagePolicy,
    "referrer-policy": "no-referrer",
    // It speaks of the address that it was asked by.
    "cache-control": "no-store",
    vary: "Accept",
  });
}

/** The address by which the browser came: behind a proxy the public one. */
function placeOf(call: Call, app: App): PushPlace {
  const target = targetOf(call, app, "/");
  const isPublic = !target.startsWith("/");
  const asked = call.header("host") ?? "";
  const host = isPublic
    ? target.replace(/^https?:\/\//, "").replace(/\/$/, "")
    : hostPattern.test(asked)
      ? asked
      : "this-registry";
  const isTls = isPublic ? target.startsWith("https:") : call.connection.tlsVersion !== null;
  return { host, isTls, login: loginOf(app) };
}

function loginOf({ auth }: App): PushPlace["login"] {
  if (auth === null) return "none";
  return auth.challenge === null ? "certificate" : "password";
}

function pageOf(place: PushPlace, pages: readonly Page[]): string {
  const { notes, commands } = pushCommands(place);
  const host = escaped(place.host);
  const rows = commands.map(
    ([client, command]) =>
      `<dt>${escaped(client)}</dt><dd><pre><code>${escaped(command)}</code></pre></dd>`,
  );
  const documentationItem =
    documentation === null
      ? ""
      : `<li><a href="${escaped(documentation)}">Documentation</a></li>\n`;
  const pageItems = pages.map(
    ({ name, path }) => `<li><a href="${escaped(path.slice(1))}">${escaped(name)}</a></li>\n`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${host}: zot</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>${host}</h1>
<p class="dim">A registry for container images and other OCI artifacts, served by zot ${escaped(packageJson.version)}.</p>
<h2>Push an image</h2>
${notes.map((note) => `<p>${escaped(note)}</p>`).join("\n")}
<dl>
${rows.join("\n")}
</dl>
<h2>Go on</h2>
<ul>
${pageItems.join("")}<li><a href="swagger/v2/">HTTP API</a>: read it, and try requests</li>
<li><a href="v2/_catalog">Repositories</a> that you may see, as JSON</li>
<li><a href="readyz">Health</a>: whether requests are welcome</li>
${documentationItem}</ul>
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
