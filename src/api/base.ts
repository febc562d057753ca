/**
 * The endpoints that touch no repository: version check, extension discovery, health.
 */
import { challengeHeader } from "../auth/challenge.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply, textReply } from "../http/reply.ts";
import type { App, DiscoveredExtension } from "./app.ts";

/**
 * GET /v2/ [end-1]. Callers who came in anonymously, and could log in, are told how: some clients never do
 * otherwise.
 */
export async function getBase(call: Call, { auth }: App): Promise<Reply> {
  if (auth === null || auth.challenge === null || call.by !== null) return jsonReply(200, {});
  return jsonReply(200, {}, { "www-authenticate": challengeHeader(auth.challenge, null, null) });
}

/** The extensions that this registry serves; discovery itself is the first. */
const own: readonly DiscoveredExtension[] = [
  {
    name: "_oci",
    url: "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
    description: "Extension discovery, and the history of tags",
    endpoints: ["_oci/ext/discover", "_oci/tag-history/<tag>"],
  },
];

/** GET of the list of extensions, for the registry or one repository. */
export async function discoverExtensions(_call: Call, { discovered }: App): Promise<Reply> {
  return jsonReply(200, { extensions: [...own, ...discovered] });
}

/** The process runs. */
export async function getLivez(): Promise<Reply> {
  return textReply(200, "ok\n", "text/plain");
}

/** Requests are welcome here. */
export async function getReadyz(_call: Call, app: App): Promise<Reply> {
  const { started, stopping, problem } = app.health;
  if (stopping) return textReply(503, "stopping\n", "text/plain");
  if (problem !== null) return textReply(503, `not ready: ${problem}\n`, "text/plain");
  return started ? textReply(200, "ok\n", "text/plain") : starting;
}

/** What lay on disk before the start is served. */
export async function getStartupz(_call: Call, app: App): Promise<Reply> {
  return app.health.started ? textReply(200, "ok\n", "text/plain") : starting;
}

const starting = textReply(
  503,
  "starting: layouts are being compared with the facts\n",
  "text/plain",
);
