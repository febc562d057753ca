/**
 * Makes the URLs of `Location` and `Link`.
 *
 * A target is relative (`/v2/…`): every client resolves it against the URL that it requested, whatever the scheme, host
 * and port. That loses a path below which a proxy serves the registry. So the target is absolute, below
 * `http.externalUrl`, for requests whose host is that URL's. No text of the request gets into a target.
 */

/** In which proxies tell by what host they were asked. */
const hostHeaders = ["host", "x-forwarded-host"] as const;
/** In which they tell what they took away from the beginning of the path. */
const prefixHeader = "x-forwarded-prefix";
const prefixPattern = /^\/[\w.~/-]{0,99}$/;

const defaultPort: Readonly<Record<string, string>> = { "http:": ":80", "https:": ":443" };

export class PublicUrl {
  readonly #base: string | null;
  readonly #host: string | null;
  readonly #defaultPort: string;
  readonly #path: string;
  readonly #warn: (line: string) => void;
  #hasWarned = false;

  /** `externalUrl` has no slash at its end. `warn` hears once of a prefix that the configuration does not name. */
  constructor(externalUrl: string | null, warn: (line: string) => void) {
    const url = externalUrl === null ? null : new URL(externalUrl);
    this.#base = externalUrl;
    this.#host = url?.host ?? null;
    this.#defaultPort = defaultPort[url?.protocol ?? ""] ?? "";
    this.#path = url === null ? "" : withoutSlash(url.pathname);
    this.#warn = warn;
  }

  /** What an answer to a request with these headers says for a path of ours, such as `/v2/app/tags/list`. */
  targetOf(path: string, headers: Headers): string {
    const target = this.#base !== null && this.#isAskedFor(headers) ? `${this.#base}${path}` : path;
    if (!this.#hasWarned) this.#look(headers, target === path);
    return target;
  }

  /** Whether the client asked by the host of the URL. */
  #isAskedFor(headers: Headers): boolean {
    return hostHeaders.some((name) => {
      // The first of several proxies tells what the client asked.
      const host = headers.get(name)?.split(",", 1)[0]?.trim().toLowerCase();
      return host === this.#host || host === `${this.#host}${this.#defaultPort}`;
    });
  }

  #look(headers: Headers, isRelative: boolean): void {
    const header = headers.get(prefixHeader);
    if (header === null || !prefixPattern.test(header)) return;
    const prefix = withoutSlash(header);
    const isNamed = prefix === this.#path && !isRelative;
    if (prefix === "" || isNamed) return;
    this.#hasWarned = true;
    this.#warn(this.#adviceFor(prefix));
  }

  #adviceFor(prefix: string): string {
    const effect = "uploads and pages of lists lead clients past it";
    if (this.#base === null || prefix !== this.#path) {
      return (
        `http.externalUrl: a proxy serves the registry below ${prefix} (X-Forwarded-Prefix), got ` +
        `${this.#base ?? "none"}; ${effect}. Set it to the URL that clients use, such as https://<host>${prefix}`
      );
    }
    return (
      `http.externalUrl: requests below ${prefix} (X-Forwarded-Prefix) come by another host than ${this.#host}; ` +
      `${effect}. Have the proxy pass Host or X-Forwarded-Host on as the client sent it`
    );
  }
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
