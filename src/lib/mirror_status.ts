/** How a mirrored upstream is, as `GET /v2/_zot/mirrors` tells it. */
import type { MirroredHost } from "./mirror_clients.ts";

/** Times are RFC 3339. */
export interface MirrorStatus extends MirroredHost {
  /** `limited`: it answered 429, or its budget is spent. `down`: it failed again and again. */
  readonly state: "up" | "limited" | "down";
  readonly since: string | null;
  readonly lastError: { readonly words: string; readonly at: string } | null;
  /** Requests that the upstream still allows, where it says so; when it may be asked again. */
  readonly budgetLeft: number | null;
  readonly reset: string | null;
  readonly lastDay: {
    readonly pulls: number;
    /** Part of them that was answered from here; null where there was none. */
    readonly hitRatio: number | null;
    /** Seconds since its last check, of the oldest answer that was served without the upstream; null where none was. */
    readonly oldestStaleS: number | null;
  };
  readonly cached: {
    readonly repositories: number;
    readonly bytes: number;
    /** There are more repositories than were looked at. */
    readonly isCutOff: boolean;
  };
}
