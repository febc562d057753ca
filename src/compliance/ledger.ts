// Keeps account of what a run makes on the registry, so that it can all be removed again.
//
// It watches the exchanges of a client and notes manifests, tags, blobs and open uploads from the
// answers that made them. `clear` deletes in the order that strict registries ask for: manifests from
// the last to the first, then tags, blobs and sessions. What a registry refuses to delete is counted.
import type { Exchange, ExchangeRequest } from "../client/exchange.ts";
import type { HeaderLine } from "../client/http_message.ts";
import { type ExchangeExtras, RegistryClient } from "../client/registry_client.ts";
import { ClientError } from "../client/client_error.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { type Address, resolveAddress } from "../client/registry_url.ts";

/** How many things a registry did not let us remove. */
export interface LeftBehind {
  manifests: number;
  tags: number;
  blobs: number;
  uploads: number;
}

interface Named {
  repository: string;
  /** Digest or tag. */
  name: string;
}

const madeBy = /^(.*?\/v2\/(.+))\/(blobs\/uploads|manifests|blobs)\/([^?]*)(?:\?(.*))?$/;

/** What clients accept. Without it some registries convert manifests, or do not find them. */
export const manifestAccept = [
  mediaTypes.ociIndex,
  mediaTypes.ociImage,
  mediaTypes.dockerList,
  mediaTypes.dockerImage,
].map((type): HeaderLine => ["Accept", type]);

function acceptManifests(extras: ExchangeExtras): ExchangeExtras {
  const given = extras.headers ?? [];
  if (given.some(([name]) => name.toLowerCase() === "accept")) return extras;
  return { ...extras, headers: [...given, ...manifestAccept] };
}

/** A RegistryClient that accepts every manifest, and whose work is noted in a ledger. */
export class WatchedClient extends RegistryClient {
  readonly ledger = new Ledger();

  override manifestGet(
    repository: string,
    reference: string,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    return super.manifestGet(repository, reference, acceptManifests(extras));
  }

  override manifestHead(
    repository: string,
    reference: string,
    extras: ExchangeExtras = {},
  ): Promise<Exchange> {
    return super.manifestHead(repository, reference, acceptManifests(extras));
  }

  override async exchange(request: ExchangeRequest): Promise<Exchange> {
    const exchange = await super.exchange(request);
    const { target } = this.exchanger.resolve(request.url);
    this.ledger.note(request.method, target, exchange);
    return exchange;
  }
}

export class Ledger {
  readonly #manifests = new Map<string, Named>();
  readonly #tags = new Map<string, Named>();
  readonly #blobs = new Map<string, Named>();
  readonly #uploads = new Map<string, Address>();

  /** Notes what a request to `target` made or removed. */
  note(method: string, target: string, exchange: Exchange): void {
    const match = madeBy.exec(target);
    if (match === null) return;
    const [, , repository = "", kind = "", last = "", query = ""] = match;
    const { status } = exchange;
    const at = { repository, name: decode(last) };
    if (kind === "blobs/uploads")
      this.#noteUpload(method, repository, new URLSearchParams(query), exchange);
    else if (kind === "blobs" && method === "DELETE" && status === 202) this.#blobs.delete(key(at));
    else if (kind === "manifests" && method === "PUT" && status === 201)
      this.#noteManifest(at, exchange);
    else if (kind === "manifests" && method === "DELETE" && status === 202) {
      this.#manifests.delete(key(at));
      this.#tags.delete(key(at));
    }
  }

  /** Deletes everything noted, as far as the registry lets us. Never throws for a refusal. */
  async clear(client: RegistryClient): Promise<LeftBehind> {
    const remove = (list: Map<string, Named>, path: string): Promise<number> =>
      clearAll(list, ({ repository, name }) =>
        client.exchange({ method: "DELETE", url: `/v2/${repository}/${path}/${name}` }),
      );
    const manifests = await remove(this.#manifests, "manifests");
    const tags = await remove(this.#tags, "manifests");
    const blobs = await remove(this.#blobs, "blobs");
    // Many a session has ended by itself; some registries say so with 400.
    const uploads = await clearAll(this.#uploads, (at) => client.uploadCancel(at), [400, 404]);
    // What is left stays: the next scenario has its own content.
    for (const list of [this.#manifests, this.#tags, this.#blobs, this.#uploads]) list.clear();
    return { manifests, tags, blobs, uploads };
  }

  #noteManifest(at: Named, exchange: Exchange): void {
    const { repository } = at;
    const digest = exchange.headers.get("Docker-Content-Digest");
    for (const line of exchange.headers.all("OCI-Tag")) {
      for (const tag of line.split(",")) this.#noteTag({ repository, name: tag.trim() });
    }
    if (at.name.includes(":")) this.#manifests.set(key(at), at);
    else this.#noteTag(at);
    if (digest !== null) {
      const named = { repository, name: digest };
      this.#manifests.set(key(named), named);
    }
  }

  #noteTag(at: Named): void {
    this.#tags.set(key(at), at);
  }

  #noteUpload(
    method: string,
    repository: string,
    query: URLSearchParams,
    exchange: Exchange,
  ): void {
    const { status } = exchange;
    const session = (exchange.address.target.split("?", 1)[0] ?? "").replace(/\/$/, "");
    const location = exchange.headers.get("Location");
    if ((method === "POST" || method === "PATCH") && status === 202 && location !== null) {
      const next = resolveAddress(location, exchange.address);
      if (next !== null) this.#uploads.set(next.target.split("?", 1)[0] ?? "", next);
    }
    if (status === 201) {
      const name =
        exchange.headers.get("Docker-Content-Digest") ?? query.get("digest") ?? query.get("mount");
      if (name !== null) this.#blobs.set(key({ repository, name }), { repository, name });
      this.#uploads.delete(session);
    }
    if (method === "DELETE" && (status === 204 || status === 202)) this.#uploads.delete(session);
  }
}

/** Deletes from the last to the first; stops trying when deletion is not offered. */
async function clearAll<T>(
  list: ReadonlyMap<string, T>,
  remove: (item: T) => Promise<Exchange>,
  gone: readonly number[] = [404],
): Promise<number> {
  let left = 0;
  let refused = false;
  for (const item of [...list.values()].reverse()) {
    if (!refused) {
      try {
        const { status } = await remove(item);
        if (status < 300 || gone.includes(status)) continue;
        refused = status === 405 || status === 401 || status === 403;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        refused = true;
      }
    }
    left += 1;
  }
  return left;
}

function key(at: Named): string {
  return `${at.repository} ${at.name}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
