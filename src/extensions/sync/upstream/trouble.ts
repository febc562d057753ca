/**
 * What an upstream can get wrong, by kind and in words: whoever asked one gets content, "absent", or one of these.
 *
 * Words are for people: the host and what happened, never a URL and never a login.
 */

/** Kinds of trouble, and what each says where nothing better is known. */
export const troubleKinds = {
  /** 401 or 403: our login is refused, or, without one, what was asked for is private or absent. */
  denied: "refuses us",
  /** 429, or its budget is spent; or a limit of ours, where `retryAfterS` says how long. */
  limited: "limits our requests",
  unreachable: "cannot be reached",
  /** Connected, but nothing came within the limit. */
  silent: "does not answer",
  /** 5xx, what is not HTTP, a body that ended early or is too long, an address that we do not follow. */
  broken: "answered with something that cannot be used",
  "wrong-digest": "sent content that does not have its digest",
  /** It failed again and again, and is left alone for a while. */
  "circuit-open": "failed again and again, and is left alone for a while",
  /** Too many of our own requests wait for it. */
  busy: "has too many requests waiting for it",
  /** The tag is a Docker manifest of schema 1, which nobody can verify. */
  "schema-1": "has only a manifest of the old schema 1 there",
  /** The request went through too many mirrors: they ask each other. */
  loop: "was asked through too many mirrors, which ask each other in a circle",
} as const;

export type TroubleKind = keyof typeof troubleKinds;

export interface TroubleDetails {
  /** What happened, to stand behind the host: `docker.io answered 503`. */
  readonly words?: string;
  /** When it may be asked again. */
  readonly retryAfterS?: number | null;
  /** Whether we have a login there. */
  readonly hasLogin?: boolean;
  /** Status of its answer; null where there was none. */
  readonly status?: number | null;
  readonly cause?: unknown;
}

/** An upstream could not be used. `message` is one line: the host and what happened. */
export class UpstreamTrouble extends Error {
  override readonly name = "UpstreamTrouble";
  readonly kind: TroubleKind;
  /** The upstream, as in `Upstream.host`. */
  readonly host: string;
  /** What stands behind the host in `message`. */
  readonly words: string;
  readonly retryAfterS: number | null;
  readonly hasLogin: boolean;
  readonly status: number | null;

  constructor(kind: TroubleKind, host: string, details: TroubleDetails = {}) {
    const words = details.words ?? troubleKinds[kind];
    super(`${host} ${words}`, { cause: details.cause });
    this.kind = kind;
    this.host = host;
    this.words = words;
    this.retryAfterS = details.retryAfterS ?? null;
    this.hasLogin = details.hasLogin ?? false;
    this.status = details.status ?? null;
  }
}
