/**
 * Cross-origin rules for pages in browsers (`http.allowOrigin`).
 *
 * Promises: an origin that is not listed gets no header, so the browser refuses it; credentials are never
 * allowed, and so `*` is safe; a preflight tells nothing but methods and headers.
 * Source: the Fetch standard, "CORS protocol".
 */
import type { Reply } from "./endpoint.ts";
import { emptyReply } from "./reply.ts";

const exposed = [
  "Docker-Content-Digest",
  "Docker-Upload-UUID",
  "Link",
  "Location",
  "OCI-Filters-Applied",
  "OCI-Subject",
  "OCI-Tag",
  "Range",
  "WWW-Authenticate",
].join(", ");

const accepted = [
  "Accept",
  "Authorization",
  "Content-Range",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "Range",
].join(", ");

/** How long a browser may keep a preflight, in seconds. */
const preflightAgeS = "600";

export type CorsHeaders = Readonly<Record<string, string>>;

export class Cors {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;

  constructor(allowOrigin: readonly string[]) {
    this.#origins = new Set(allowOrigin);
    this.#any = this.#origins.has("*");
  }

  /** Headers for the answer to a request with this Origin; null when there is nothing to add. */
  headers(origin: string): CorsHeaders | null {
    if (!this.#any && !this.#origins.has(origin)) return null;
    return {
      "access-control-allow-origin": this.#any ? "*" : origin,
      "access-control-expose-headers": exposed,
      ...(this.#any ? {} : { vary: "Origin" }),
    };
  }

  /** The answer to OPTIONS on a path that serves the methods in `allow`. */
  preflight(origin: string | null, allow: string): Reply {
    const cors = origin === null ? null : this.headers(origin);
    if (cors === null) return emptyReply(204, { allow });
    return emptyReply(204, {
      ...cors,
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": accepted,
      "access-control-max-age": preflightAgeS,
    });
  }
}
