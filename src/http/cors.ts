/**
 * Cross-origin rules for pages in browsers (`http.allowOrigin`).
 *
 * Promises: an origin that is not listed gets no permission, so the browser refuses it; credentials are never
 * allowed, and so `*` is safe; a preflight tells nothing but methods and headers. `headers` belong on every answer,
 * that of a preflight too.
 * Source: the Fetch standard, "CORS protocol".
 */
import type { Reply } from "./endpoint.ts";
import { emptyReply } from "./reply.ts";

const exposed = [
  "Content-Range",
  "Docker-Content-Digest",
  "Docker-Upload-UUID",
  "ETag",
  "Link",
  "Location",
  "OCI-Filters-Applied",
  "OCI-Subject",
  "OCI-Tag",
  "Range",
  "WWW-Authenticate",
  "X-Request-Id",
].join(", ");

const accepted = [
  "Accept",
  "Authorization",
  "Content-Range",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "If-Range",
  "Range",
].join(", ");

/** How long a browser may keep a preflight, in seconds. */
const preflightAgeS = "600";

export type CorsHeaders = Readonly<Record<string, string>>;

export class Cors {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;
  /** For an answer to a page that is not listed, or to no page. */
  readonly #plain: CorsHeaders;

  constructor(allowOrigin: readonly string[]) {
    this.#origins = new Set(allowOrigin);
    this.#any = this.#origins.has("*");
    // A cache must not give the answer to one origin to another.
    this.#plain = this.#any || this.#origins.size === 0 ? {} : { vary: "Origin" };
  }

  /** Headers for the answer to a request with this Origin, or with none. */
  headers(origin: string | null): CorsHeaders {
    return origin !== null && this.#admits(origin) ? this.#readable(origin) : this.#plain;
  }

  /** The answer to OPTIONS on a path that serves the methods in `allow`. */
  preflight(origin: string | null, allow: string): Reply {
    if (origin === null || !this.#admits(origin)) return emptyReply(204, { allow });
    return emptyReply(204, {
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": accepted,
      "access-control-max-age": preflightAgeS,
    });
  }

  #admits(origin: string): boolean {
    return this.#any || this.#origins.has(origin);
  }

  #readable(origin: string): CorsHeaders {
    return {
      ...this.#plain,
      "access-control-allow-origin": this.#any ? "*" : origin,
      "access-control-expose-headers": exposed,
    };
  }
}
