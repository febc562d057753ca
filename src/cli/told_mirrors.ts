// What a running server tells of the upstreams that it mirrors.

import type { MirrorStatus } from "../lib/mirror_status.ts";
import { Mistake } from "./registry_flags.ts";
import type { AskedServer } from "./server_given.ts";

/** The upstreams that a server mirrors; there is at least one. @throws Mistake, ServerRefused. */
export async function mirrorsOf(server: AskedServer): Promise<readonly MirrorStatus[]> {
  const answer = await server.ask("GET", "/v2/_zot/mirrors");
  const { mirrors = [] } = (answer ?? {}) as { mirrors?: readonly MirrorStatus[] };
  if (mirrors.length > 0) return mirrors;
  throw new Mistake(
    "expected a server that mirrors something when asked, such as zot serve --mirror docker.io",
  );
}
