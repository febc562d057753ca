/**
 * Cross-origin rules for pages in browsers (`http.allowOrigin`).
 *
 * An origin that is not listed gets no permission, so the browser keeps the answer from its page; credentials are never
 * allowed, which makes `*` safe; a preflight reveals only methods and headers. `headers` belong on every answer, that
 * of a preflight too.
 *
 * The browser guards reading; the registry itself must guard writing. A form on any page can send a request to a
 * registry that the user's browser can reach, with the password that the browser knows, or from inside the firewall
 * that was its only protection. So pages may write only from origins that are listed by name, and from the registry's
 * own: `*` allows reading only.
 *
 * On a registry without logins a page needs no more than to reach it. There `*` is not the default, and a browser must
 * use a name of the registry (`own_hosts.ts`). Over TLS the certificate proves the name. Source: the Fetch standard,
 * "CORS protocol"; Fetch Metadata Request Headers (Sec-Fetch-Site).
 */
import type { Reply } from "./endpoint.ts";
import type { OwnHosts } from "./own_hosts.ts";
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
  "X-Zot-Api-Client",
].join(", ");

/** What any page may do where any may read. */
const readingMethods: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** How long a browser may keep a preflight, in seconds. */
const preflightAgeS = "600";

export type CorsHeaders = Readonly<Record<string, string>>;

export interface CorsOptions {
  readonly allowOrigin: readonly string[];
  /** The registry's own URL to clients; null when it is not known. */
  readonly ownUrl?: string | null;
  /** Names that browsers must ask by; null where callers log in. */
  readonly hosts?: OwnHosts | null;
}

/** Why a request of a browser is refused. */
export type CorsProblem = "foreign-page" | "foreign-host";

export class Cors {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #own: string | null;
  readonly #hosts: OwnHosts | null;
  /** For an answer to a page that is not listed, or to no page. */
  readonly #plain: CorsHeaders;

  constructor({ allowOrigin, ownUrl = null, hosts = null }: CorsOptions) {
    this.#hosts = hosts;
    this.#origins = new Set(allowOrigin);
    this.#own = ownUrl === null ? null : new URL(ownUrl).origin;
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
      "access-control-allow-methods": this.#origins.has(origin) ? allow : readingPart(allow),
      "access-control-allow-headers": accepted,
      "access-control-max-age": preflightAgeS,
    });
  }

  /** Why a page may not make this request; null when it may, and for programs that are no browsers. */
  problemOf(method: string, headers: Headers, isOverTls: boolean): CorsProblem | null {
    const isReading = readingMethods.includes(method);
    if (isReading && (this.#hosts === null || this.#any)) return null;
    const origin = headers.get("origin");
    if (origin !== null && (this.#origins.has(origin) || origin === this.#own)) return null;
    if (!isReading && this.#isForeignPage(origin, headers)) return "foreign-page";
    if (this.#hosts === null || isOverTls || !isOfBrowser(origin, headers)) return null;
    return this.#hosts.has(headers.get("host")) ? null : "foreign-host";
  }

  #isForeignPage(origin: string | null, headers: Headers): boolean {
    const site = headers.get("sec-fetch-site");
    if (site !== null) return site !== "same-origin" && site !== "none";
    // Where there is no TLS, browsers tell the origin alone.
    return origin !== null && hostOf(origin) !== headers.get("host");
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

/**
 * Whether a browser asks. Over plain HTTP one says neither where a page comes from nor, for reading, its origin; what is
 * left are headers that browsers always send and registry clients do not.
 */
function isOfBrowser(origin: string | null, headers: Headers): boolean {
  if (origin !== null || headers.has("sec-fetch-site") || headers.has("referer")) return true;
  // The fetch of Node.js sends a star; a browser has a language.
  const language = headers.get("accept-language") ?? "*";
  return language !== "*" || headers.get("user-agent")?.startsWith("Mozilla/") === true;
}

function readingPart(allow: string): string {
  return allow
    .split(", ")
    .filter((method) => readingMethods.includes(method))
    .join(", ");
}

/** Host and port of an origin; null for one that tells nothing. */
function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
