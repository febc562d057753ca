// What a running server tells of the upstreams that it mirrors.

import type { MirroredHost } from "../lib/mirror_clients.ts";
import { Mistake } from "./registry_flags.ts";
import type { AskedServer } from "./server_given.ts";

/** An upstream as `GET /v2/_zot/mirrors` tells it. Times are RFC 3339. */
export interface ToldMirror extends MirroredHost {
  readonly state: "up" | "limited" | "down";
  readonly since: string | null;
  readonly lastError: { readonly words: string; readonly at: string } | null;
  readonly budgetLeft: number | null;
  readonly reset: string | null;
  readonly lastDay: {
    readonly pulls: number;
    readonly hitRatio: number | null;
    readonly oldestStaleS: number | null;
  };
  readonly cached: {
    readonly repositories: number;
    readonly bytes: number;
    readonly isCutOff: boolean;
  };
}

/** The upstreams that a server mirrors; there is at least one. @throws Mistake, ServerRefused. */
export async function mirrorsOf(server: AskedServer): Promise<readonly ToldMirror[]> {
  const answer = await server.ask("GET", "/v2/_zot/mirrors");
  const { mirrors = [] } = (answer ?? {}) as { mirrors?: readonly ToldMirror[] };
  if (mirrors.length > 0) return mirrors;
  throw new Mistake(
    "expected a server that mirrors something when asked, such as zot serve --mirror docker.io",
  );
}
