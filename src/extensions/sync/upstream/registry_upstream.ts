/**
 * An upstream that is a registry, with the quirks of the ones that people mirror.
 *
 * What it says is checked against the bytes. Requests go through a gate that all workers share, by a route that decides
 * which addresses may be called; both are handed in.
 */
import type { Credentials, CredentialSource } from "../../../client/client_auth.ts";
import type { IdleLimits, TlsOptions } from "../../../client/connection.ts";
import type { HeaderLine } from "../../../client/http_message.ts";
import { RegistryClient } from "../../../client/registry_client.ts";
import type { Route } from "../../../client/route.ts";
import { MiB } from "../../../lib/bytes.ts";
import type { Clock } from "../../../lib/clock.ts";
import { algorithmOf, type Digest, digestOf, parseDigest } from "../../../oci/digest.ts";
import { mediaTypes } from "../../../oci/media_types.ts";
import {
  contentRangeOf,
  isSchema1Type,
  lengthOf,
  manifestTypeOf,
  troubleOfFailure,
  troubleOfStatus,
} from "./answers.ts";
import type { UpstreamGate } from "./gate.ts";
import { UpstreamTrouble } from "./trouble.ts";
import type {
  BlobOptions,
  ManifestHead,
  Upstream,
  UpstreamBlob,
  UpstreamManifest,
  UpstreamReferrers,
  UpstreamState,
} from "./upstream.ts";
import { descriptorsOf, listCatalog, listReferrers, listTags } from "./upstream_lists.ts";
import { type OpenAnswer, UpstreamRequests } from "./upstream_requests.ts";

export interface RegistryUpstreamOptions {
  /** As people name it, normalised. */
  readonly host: string;
  /** Where its API is. */
  readonly url: string;
  readonly credentials: Credentials | CredentialSource;
  readonly tls: TlsOptions;
  readonly route?: Route;
  readonly gate: UpstreamGate;
  readonly clock: Clock;
  readonly limits: UpstreamLimits;
  readonly userAgent: string;
  /** Hears of every answer; null for none. */
  readonly onAnswer?: (method: string, status: number | null, ms: number) => void;
}

export interface UpstreamLimits extends IdleLimits {
  /** Until an answer to HEAD is there. */
  readonly headMs: number;
  /** Until a whole manifest is there. */
  readonly manifestMs: number;
  readonly manifestBytesMax: number;
  readonly redirectsMax: number;
}

export const upstreamLimits: UpstreamLimits = {
  connectMs: 10_000,
  idleMs: 30_000,
  headMs: 10_000,
  manifestMs: 20_000,
  manifestBytesMax: 4 * MiB,
  redirectsMax: 5,
};

/** An upstream that cannot answer HEAD is not asked so for a day. */
const noHeadMs = 24 * 60 * 60_000;
/** Until the head of a blob's answer is there; then it may take as long as it moves. */
const blobHeadMs = 60_000;

const manifestAccept: readonly HeaderLine[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociImage,
  mediaTypes.dockerList,
  mediaTypes.dockerImage,
  "application/vnd.oci.artifact.manifest.v1+json",
  // Asked for, so that what has only this can be named.
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
].map((type) => ["Accept", type] as const);

interface Shared {
  readonly options: RegistryUpstreamOptions;
  readonly client: RegistryClient;
  /** Until then HEAD of manifests is of no use. */
  noHeadUntilMs: number;
}

export class RegistryUpstream implements Upstream {
  readonly #shared: Shared;
  readonly #requests: UpstreamRequests;

  private constructor(shared: Shared, requests: UpstreamRequests) {
    this.#shared = shared;
    this.#requests = requests;
  }

  static open(options: RegistryUpstreamOptions): RegistryUpstream {
    const { url, credentials, tls, route, clock, limits, userAgent } = options;
    const client = new RegistryClient({
      url,
      credentials,
      tls,
      clock,
      limits: { connectMs: limits.connectMs, idleMs: limits.idleMs },
      userAgent,
      loginElsewhere: true,
      ...(route === undefined ? {} : { route }),
    });
    const requests = new UpstreamRequests({
      host: options.host,
      client,
      gate: options.gate,
      clock,
      redirectsMax: limits.redirectsMax,
      onAnswer: options.onAnswer ?? (() => {}),
    });
    return new RegistryUpstream({ options, client, noHeadUntilMs: 0 }, requests);
  }

  get host(): string {
    return this.#shared.options.host;
  }

  withHops(hops: number): RegistryUpstream {
    return new RegistryUpstream(this.#shared, this.#requests.withHops(hops));
  }

  state(): UpstreamState {
    return this.#shared.options.gate.state();
  }

  close(): void {
    this.#shared.client.close();
  }

  async headManifest(name: string, reference: string): Promise<ManifestHead | null> {
    const nothing: ManifestHead = { digest: null, mediaType: null, sizeBytes: null };
    const { clock, limits } = this.#shared.options;
    if (clock.monotonicMs() < this.#shared.noHeadUntilMs) return nothing;
    const answer = await this.#requests.exchange({
      method: "HEAD",
      url: `/v2/${this.#nameOf(name)}/manifests/${reference}`,
      class: "check",
      headers: manifestAccept,
      wholeMs: limits.headMs,
    });
    const { status, headers } = answer;
    if (status === 404) return null;
    const digest = status === 200 ? parseDigest(headers.get("Docker-Content-Digest") ?? "") : null;
    const mediaType = headers.get("Content-Type");
    if (status === 200 && isSchema1Type(mediaType)) throw this.#trouble("schema-1", {});
    // 403 behind a redirect: the address is signed for GET alone.
    const cannot = status === 405 || status === 501 || (status === 403 && answer.redirects > 0);
    if (cannot || (status === 200 && digest === null)) {
      this.#shared.noHeadUntilMs = clock.monotonicMs() + noHeadMs;
      return nothing;
    }
    if (status !== 200) throw this.#statusTrouble(answer);
    return { digest, mediaType, sizeBytes: lengthOf(headers.get("Content-Length")) };
  }

  async getManifest(
    name: string,
    reference: string,
    options: { readonly ifNoneMatch?: string } = {},
  ): Promise<UpstreamManifest | "unchanged" | null> {
    const { limits } = this.#shared.options;
    const known = options.ifNoneMatch;
    const condition: HeaderLine[] = known === undefined ? [] : [["If-None-Match", `"${known}"`]];
    const answer = await this.#requests.exchange({
      method: "GET",
      url: `/v2/${this.#nameOf(name)}/manifests/${reference}`,
      class: "manifest",
      headers: [...manifestAccept, ...condition],
      wholeMs: limits.manifestMs,
      bodyBytesMax: limits.manifestBytesMax,
    });
    const { status, headers, body } = answer;
    if (status === 404) return null;
    if (status === 304 && known !== undefined) return "unchanged";
    if (status !== 200) throw this.#statusTrouble(answer);
    const mediaType = manifestTypeOf(headers.get("Content-Type"), body);
    const words = `has only a manifest of the old schema 1 as ${name}:${reference}`;
    if (mediaType === null) throw this.#trouble("schema-1", { words });
    const digest = this.#digestOf(body, reference, headers.get("Docker-Content-Digest"));
    return { digest, mediaType, bytes: body };
  }

  async blobSize(name: string, digest: string): Promise<number | null> {
    const { limits } = this.#shared.options;
    const url = `/v2/${this.#nameOf(name)}/blobs/${digest}`;
    const head = await this.#requests.exchange({
      method: "HEAD",
      url,
      class: "check",
      wholeMs: limits.headMs,
    });
    if (head.status === 200) return lengthOf(head.headers.get("Content-Length"));
    if (head.status === 404) return null;
    if (![401, 403, 405, 501].includes(head.status)) throw this.#statusTrouble(head);
    // Public ECR, and addresses that are signed for GET alone: the first byte says the size of all.
    const answer = await this.#requests.open({
      method: "GET",
      url,
      class: "check",
      headers: [["Range", "bytes=0-0"]],
      wholeMs: limits.headMs,
    });
    answer.close();
    if (answer.status === 404) return null;
    if (answer.status === 200) return lengthOf(answer.headers.get("Content-Length"));
    // Of an empty blob there is no first byte.
    const range = answer.headers.get("Content-Range");
    if (answer.status === 416) return range === "bytes */0" ? 0 : null;
    if (answer.status !== 206) throw this.#statusTrouble(answer);
    return contentRangeOf(range)?.totalBytes ?? null;
  }

  async getBlob(
    name: string,
    digest: string,
    options: BlobOptions = {},
  ): Promise<UpstreamBlob | null> {
    const { fromByte = 0, lastByte, ifRange, signal } = options;
    const isPart = fromByte > 0 || lastByte !== undefined;
    const headers: HeaderLine[] = isPart ? [["Range", `bytes=${fromByte}-${lastByte ?? ""}`]] : [];
    if (isPart && ifRange !== undefined) headers.push(["If-Range", ifRange]);
    const answer = await this.#requests.open({
      method: "GET",
      url: `/v2/${this.#nameOf(name)}/blobs/${digest}`,
      class: "blob",
      headers,
      wholeMs: blobHeadMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const { status } = answer;
    if (status === 200)
      return this.#blob(answer, 0, lengthOf(answer.headers.get("Content-Length")));
    const range = contentRangeOf(answer.headers.get("Content-Range"));
    if (status === 206 && isPart && range?.from === fromByte) {
      return this.#blob(answer, fromByte, range.totalBytes);
    }
    answer.close();
    if (status === 404) return null;
    // What we have is longer than what it has, or it cannot do ranges in this way: from the start.
    if (status === 416 && fromByte > 0 && lastByte === undefined) {
      return this.getBlob(name, digest, signal === undefined ? {} : { signal });
    }
    if (status === 206)
      throw this.#trouble("broken", { words: "sent another range than it was asked for" });
    throw this.#statusTrouble(answer);
  }

  tags(name: string): Promise<readonly string[] | null> {
    return listTags(this.#requests, this.#nameOf(name));
  }

  catalog(): AsyncIterable<string> {
    return listCatalog(this.#requests);
  }

  async referrers(name: string, digest: string): Promise<UpstreamReferrers | null> {
    const listed = await listReferrers(this.#requests, this.#nameOf(name), digest);
    if (listed !== null) return { source: "api", manifests: listed };
    const index = await this.getManifest(name, digest.replace(":", "-").slice(0, 128));
    if (index === null || index === "unchanged") return null;
    return { source: "tag", manifests: descriptorsOf(index.bytes) };
  }

  /** At Docker Hub what has one component is below `library`. */
  #nameOf(name: string): string {
    return this.host === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  }

  /** @throws UpstreamTrouble when the bytes are not what their name, or the upstream, says. */
  #digestOf(bytes: Uint8Array, reference: string, header: string | null): Digest {
    const wanted = parseDigest(reference);
    const said = parseDigest(header ?? "");
    for (const expected of [wanted, said]) {
      if (expected === null) continue;
      const digest = digestOf(algorithmOf(expected), bytes);
      if (digest === expected) continue;
      const words = `sent a manifest that does not have the digest ${expected}`;
      throw this.#trouble("wrong-digest", { words });
    }
    return wanted ?? said ?? digestOf("sha256", bytes);
  }

  #blob(answer: OpenAnswer, fromByte: number, sizeBytes: number | null): UpstreamBlob {
    const etag = answer.headers.get("ETag");
    const requests = this.#requests;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for await (const piece of answer.body) {
          yield piece;
          const wait = answer.spend(piece.length);
          if (wait !== null) await wait;
        }
      } catch (error) {
        throw troubleOfFailure(error, requests.asked);
      } finally {
        answer.close();
      }
    };
    return {
      fromByte,
      sizeBytes,
      // Weak ones do not tell whether the bytes are the same.
      etag: etag === null || etag.startsWith("W/") ? null : etag,
      body: { [Symbol.asyncIterator]: body },
      close: () => answer.close(),
    };
  }

  #statusTrouble(answer: Parameters<typeof troubleOfStatus>[0]): UpstreamTrouble {
    return troubleOfStatus(answer, this.#requests.asked);
  }

  #trouble(...[kind, details]: [UpstreamTrouble["kind"], { words?: string }]): UpstreamTrouble {
    return new UpstreamTrouble(kind, this.host, details);
  }
}
