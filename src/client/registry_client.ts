// A client for any registry: one method per endpoint of the distribution specification.
//
// Every method sends one request and gives the exchange as it came; nothing is checked here, so that
// the same client serves a checker, a benchmark and a mirror. Names, digests and tags are written
// into the path as they are given. `paginate` walks lists; copying content is left to others.
import type { Clock } from "../lib/clock.ts";
import type { Credentials, CredentialSource } from "./client_auth.ts";
import { ClientError } from "./client_error.ts";
import type { IdleLimits, TlsOptions } from "./connection.ts";
import { type Exchange, Exchanger, type ExchangeRequest, type OpenExchange } from "./exchange.ts";
import { nextPage } from "./link_header.ts";
import {
  type Address,
  formatOrigin,
  parseRegistryUrl,
  resolveAddress,
  sameOrigin,
  withQuery,
} from "./registry_url.ts";
import type { Route } from "./route.ts";
import type { TranscriptEntry } from "./transcript.ts";
import type { RequestBody } from "./transport.ts";

export interface RegistryClientOptions {
  /** `host`, `host:port` or a URL, see registry_url.ts. */
  url: string;
  credentials?: Credentials | CredentialSource;
  tls?: TlsOptions;
  route?: Route;
  loginElsewhere?: boolean;
  limits?: Partial<IdleLimits>;
  userAgent?: string;
  onTranscript?: (entry: TranscriptEntry) => void;
  clock?: Clock;
}

/** What may be added to any request. */
export type ExchangeExtras = Omit<ExchangeRequest, "method" | "url" | "body">;
/** Bytes go out with their length; a RequestBody may be a stream or go out in chunks. */
export type Body = RequestBody | Uint8Array;
type Query = readonly (readonly [name: string, value: string])[];

export const limitsDefault: IdleLimits = { connectMs: 10_000, idleMs: 30_000 };
const octetStream = "application/octet-stream";
const pagesMax = 100_000;

export class RegistryClient {
  readonly exchanger: Exchanger;

  constructor(options: RegistryClientOptions) {
    const { origin, prefix } = parseRegistryUrl(options.url);
    this.exchanger = new Exchanger({
      origin,
      prefix,
      credentials: options.credentials ?? { kind: "anonymous" },
      tls: options.tls ?? {},
      limits: { ...limitsDefault, ...options.limits },
      userAgent: options.userAgent ?? "zot-client",
      loginElsewhere: options.loginElsewhere ?? false,
      ...(options.route === undefined ? {} : { route: options.route }),
      ...(options.onTranscript === undefined ? {} : { onTranscript: options.onTranscript }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
  }

  /** `scheme://host[:port]/prefix` of the registry. */
  get url(): string {
    return formatOrigin(this.exchanger.origin) + this.exchanger.prefix;
  }

  /** Any request, exactly as told. */
  exchange(request: ExchangeRequest): Promise<Exchange> {
    return this.exchanger.exchange(request);
  }

  /** The same, and the body is read as it comes. */
  open(request: ExchangeRequest): Promise<OpenExchange> {
    return this.exchanger.open(request);
  }

  close(): void {
    this.exchanger.close();
  }

  /** [end-1] */
  ping(extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "GET", url: "/v2/" });
  }

  /** [end-2] A part of the blob when `extras.headers` has a Range. */
  blobGet(repository: string, digest: string, extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "GET", url: `/v2/${repository}/blobs/${digest}` });
  }

  /** [end-2] */
  blobHead(repository: string, digest: string, extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "HEAD", url: `/v2/${repository}/blobs/${digest}` });
  }

  /** [end-10] */
  blobDelete(repository: string, digest: string, extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "DELETE", url: `/v2/${repository}/blobs/${digest}` });
  }

  /** [end-3] `reference` is a tag or a digest. */
  manifestGet(
    repository: string,
    reference: string,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    return this.exchange({ ...extras, method: "GET", url: manifestPath(repository, reference) });
  }

  /** [end-3] */
  manifestHead(
    repository: string,
    reference: string,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    return this.exchange({ ...extras, method: "HEAD", url: manifestPath(repository, reference) });
  }

  /** [end-7a], and [end-7b] when `tags` are given and `reference` is a digest. */
  manifestPut(
    repository: string,
    reference: string,
    manifest: { mediaType: string | null; body: Body; tags?: readonly string[] },
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const tags = (manifest.tags ?? []).map((tag) => ["tag", tag] as const);
    const url = withQuery(manifestPath(repository, reference), tags);
    const type = manifest.mediaType === null ? [] : [["Content-Type", manifest.mediaType] as const];
    const headers = [...type, ...(extras.headers ?? [])];
    return this.exchange({ ...extras, headers, method: "PUT", url, body: manifest.body });
  }

  /** [end-9] */
  manifestDelete(
    repository: string,
    reference: string,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    return this.exchange({ ...extras, method: "DELETE", url: manifestPath(repository, reference) });
  }

  /** [end-4a], [end-4c] and [end-11], by the query: `digest-algorithm`, `mount`, `from`. */
  uploadStart(
    repository: string,
    query: Query = [],
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const url = withQuery(`/v2/${repository}/blobs/uploads/`, query);
    return this.exchange({ ...extras, method: "POST", url });
  }

  /** [end-4b] The whole blob in one request. */
  uploadPost(
    repository: string,
    digest: string,
    body: Body,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const url = withQuery(`/v2/${repository}/blobs/uploads/`, [["digest", digest]]);
    return this.exchange({ ...withOctetStream(extras), method: "POST", url, body });
  }

  /** [end-5] A chunk when `range` (`0-511`) is given, else a stream. */
  uploadPatch(
    location: Address,
    chunk: { body: Body; range?: string },
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const ranged = withRange(withOctetStream(extras), chunk.range);
    return this.exchange({ ...ranged, method: "PATCH", url: location, body: chunk.body });
  }

  /** [end-6] Closes the session; the rest of the blob may come along. */
  uploadPut(
    location: Address,
    digest: string,
    rest: { body?: Body; range?: string } = {},
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const url = { ...location, target: withQuery(location.target, [["digest", digest]]) };
    if (rest.body === undefined) return this.exchange({ ...extras, method: "PUT", url });
    const ranged = withRange(withOctetStream(extras), rest.range);
    return this.exchange({ ...ranged, method: "PUT", url, body: rest.body });
  }

  /** [end-13] */
  uploadStatus(location: Address, extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "GET", url: location });
  }

  /** [end-14] */
  uploadCancel(location: Address, extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "DELETE", url: location });
  }

  /** [end-8a] [end-8b] with `n` and `last` in the query. */
  tagsList(repository: string, query: Query = [], extras: ExchangeExtras = {}): Promise<Exchange> {
    const url = withQuery(`/v2/${repository}/tags/list`, query);
    return this.exchange({ ...extras, method: "GET", url });
  }

  /** `/v2/_catalog`, an extension that most registries have. */
  catalog(query: Query = [], extras: ExchangeExtras = {}): Promise<Exchange> {
    return this.exchange({ ...extras, method: "GET", url: withQuery("/v2/_catalog", query) });
  }

  /** [end-12a] [end-12b] with `artifactType` in the query. */
  referrers(
    repository: string,
    digest: string,
    query: Query = [],
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    const url = withQuery(`/v2/${repository}/referrers/${digest}`, query);
    return this.exchange({ ...extras, method: "GET", url });
  }

  /**
   * Gives `first` and then every page its `Link: rel="next"` leads to, on this registry only. Throws a
   * redirectLoop when a page leads to itself or the pages never end.
   */
  async *paginate(first: Exchange): AsyncGenerator<Exchange, void, void> {
    const seen = new Set<string>();
    for (let page = first; ;) {
      yield page;
      const next = nextPage(page.headers.get("Link"));
      if (next === null) return;
      const address = resolveAddress(next, page.address);
      if (address === null || !sameOrigin(address.origin, this.exchanger.origin)) {
        throw new ClientError("badUrl", this.url, {
          detail: "the next page is not on this registry",
        });
      }
      if (seen.has(address.target) || seen.size >= pagesMax) {
        throw new ClientError("redirectLoop", this.url, { detail: "pages lead in a circle" });
      }
      seen.add(address.target);
      page = await this.exchange({ method: "GET", url: address });
    }
  }
}

/** Where an upload goes on: the Location of an answer; null when there is none that can be used. */
export function locationOf(exchange: Exchange): Address | null {
  const [location, ...more] = exchange.headers.all("Location");
  if (location === undefined || more.length > 0) return null;
  return resolveAddress(location, exchange.address);
}

function manifestPath(repository: string, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`;
}

function withOctetStream(extras: ExchangeExtras): ExchangeExtras {
  const given = extras.headers ?? [];
  if (given.some(([name]) => name.toLowerCase() === "content-type")) return extras;
  return { ...extras, headers: [["Content-Type", octetStream], ...given] };
}

function withRange(extras: ExchangeExtras, range: string | undefined): ExchangeExtras {
  if (range === undefined) return extras;
  return { ...extras, headers: [...(extras.headers ?? []), ["Content-Range", range]] };
}
