/** What trouble with an upstream means to a client: the answer where nothing is here, and the warning where something is. */
import { apiError, type ApiError } from "../../../oci/errors.ts";
import { UpstreamTrouble, type TroubleKind } from "../upstream/trouble.ts";

/** Where an upstream does not say when it may be asked again. */
const retryAfterDefaultS = 10;

type Answer = (trouble: UpstreamTrouble) => ApiError;

const answers: Readonly<Record<TroubleKind, Answer>> = {
  // Without a login it cannot be told from absent content, and is taken for that (`isAbsence`).
  denied: ({ host }) => apiError("DENIED", { message: `${host} refuses our login` }),
  limited: (trouble) =>
    apiError("TOO_MANY_REQUESTS", {
      message: `${trouble.message}; nothing of this is cached here`,
      headers: retryAfter(trouble),
    }),
  unreachable: (trouble) => apiError("UPSTREAM_BROKEN", { message: trouble.message }),
  silent: (trouble) => apiError("UPSTREAM_SILENT", { message: trouble.message }),
  broken: (trouble) => apiError("UPSTREAM_BROKEN", { message: trouble.message }),
  "wrong-digest": (trouble) => apiError("UPSTREAM_BROKEN", { message: trouble.message }),
  "circuit-open": unavailable,
  busy: unavailable,
  "schema-1": (trouble) => apiError("MANIFEST_UNKNOWN", { message: trouble.message }),
  loop: (trouble) => apiError("MIRROR_LOOP", { message: trouble.message }),
};

function unavailable(trouble: UpstreamTrouble): ApiError {
  return apiError("UNAVAILABLE", { message: trouble.message, headers: retryAfter(trouble) });
}

function retryAfter({ retryAfterS }: UpstreamTrouble): Record<string, string> {
  return { "retry-after": String(Math.max(1, Math.ceil(retryAfterS ?? retryAfterDefaultS))) };
}

/** The answer where nothing is here. */
export function troubleError(trouble: UpstreamTrouble): ApiError {
  return answers[trouble.kind](trouble);
}

/** Whether it is taken for "not there": registries answer so for what is private or absent. */
export function isAbsence(trouble: UpstreamTrouble): boolean {
  return trouble.kind === "denied" && !trouble.hasLogin;
}

/** What a client is told beside content that is served without its upstream. */
export function staleWarning(reason: string, checkedAgoMs: number | null): string {
  const checked = checkedAgoMs === null ? "" : `, checked ${ago(checkedAgoMs)} ago`;
  return `from cache: ${reason}${checked}`;
}

const units = [
  [24 * 60 * 60_000, "d"],
  [60 * 60_000, "h"],
  [60_000, "m"],
] as const;

function ago(ms: number): string {
  for (const [size, name] of units) if (ms >= size) return `${Math.floor(ms / size)}${name}`;
  return `${Math.max(0, Math.floor(ms / 1_000))}s`;
}

/** Of several upstreams that were in trouble, the one that says most. */
export function worst(troubles: readonly UpstreamTrouble[]): UpstreamTrouble | null {
  return troubles.find(({ kind }) => kind !== "circuit-open") ?? troubles[0] ?? null;
}

export { UpstreamTrouble };
