/** One repository of a registry as a source of images. */
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { checkDescriptor, type Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { isTag } from "../oci/reference.ts";
import type { Exchange, OpenExchange } from "../client/exchange.ts";
import {
  tagsMax,
  TransferError,
  type ImageSource,
  type OpenBlob,
  type PlacedManifest,
  type ReadOptions,
} from "./image_place.ts";
import type { RegistrySession } from "./registry_session.ts";

/** Manifests that name one subject; more are refused. */
export const referrersMax = 10_000;
/** Answers that say that a registry has no list of referrers. */
const unsupported: readonly number[] = [400, 404, 405, 406, 501];

export class RegistrySource implements ImageSource {
  readonly label: string;
  readonly #session: RegistrySession;
  #hasReferrers: boolean | null = null;

  constructor(session: RegistrySession) {
    this.#session = session;
    this.label = session.label;
  }

  head(reference: string): Promise<string | null> {
    return this.#session.head(reference);
  }

  manifest(reference: string): Promise<PlacedManifest | null> {
    return this.#session.manifest(reference);
  }

  async blob(digest: Digest, { fromByte, signal }: ReadOptions): Promise<OpenBlob | null> {
    const url = this.#session.path(`blobs/${digest}`);
    const open = (from: number): Promise<OpenExchange> =>
      this.#session.client.open({
        method: "GET",
        url,
        signal,
        headers: [
          ["Accept-Encoding", "identity"],
          ...(from === 0 ? [] : [["Range", `bytes=${from}-`] as const]),
        ],
      });
    let answer = await open(fromByte);
    if (answer.status === 416) {
      answer.close();
      answer = await open(0);
    }
    const { status, headers, body } = answer;
    const start = status === 206 ? rangeStart(headers.get("Content-Range")) : 0;
    if ((status === 200 || status === 206) && start !== null && start <= fromByte) {
      return { fromByte: start, body };
    }
    answer.close();
    if (status === 404) return null;
    throw this.#session.refused(answer, `blob ${digest}`);
  }

  async tags(): Promise<readonly string[]> {
    const first = await this.#session.ask(
      { method: "GET", url: this.#session.path("tags/list?n=1000") },
      { what: "list of tags", statuses: [200, 404] },
    );
    if (first.status === 404) return [];
    const found = new Set<string>();
    for await (const page of this.#session.client.paginate(first)) {
      if (page.status !== 200) throw this.#session.refused(page, "list of tags");
      const listed = this.#document(page, "list of tags")["tags"] ?? [];
      if (!Array.isArray(listed)) throw this.#garbage("list of tags");
      for (const tag of listed) if (typeof tag === "string" && isTag(tag)) found.add(tag);
      if (found.size > tagsMax) {
        throw new TransferError(`${this.label}: it has more than ${tagsMax} tags`);
      }
    }
    return [...found];
  }

  /** Nothing tells what has no tag. */
  async only(): Promise<Digest | null> {
    return null;
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    if (this.#hasReferrers !== false) {
      const first = await this.#session.ask(
        { method: "GET", url: this.#session.path(`referrers/${digest}`) },
        { what: `referrers of ${digest}`, statuses: [200, ...unsupported] },
      );
      this.#hasReferrers ??= first.status === 200;
      if (first.status === 200) return this.#listed(first, digest);
    }
    return this.#byTag(digest);
  }

  async close(): Promise<void> {
    this.#session.client.close();
  }

  async #listed(first: Exchange, digest: Digest): Promise<Descriptor[]> {
    const found: Descriptor[] = [];
    for await (const page of this.#session.client.paginate(first)) {
      if (page.status !== 200) throw this.#session.refused(page, `referrers of ${digest}`);
      found.push(...this.#descriptors(this.#document(page, `referrers of ${digest}`), digest));
      this.#limit(found, digest);
    }
    return found;
  }

  /** Where clients keep the list for registries without one: an index under a tag of the subject. */
  async #byTag(digest: Digest): Promise<readonly Descriptor[]> {
    const tag = digest.replace(":", "-");
    if (!isTag(tag)) return [];
    const index = await this.manifest(tag);
    if (index === null) return [];
    const parsed = parseStrictJson(index.bytes, { depthMax: 64 });
    if (!("value" in parsed) || !isJsonObject(parsed.value)) return [];
    return this.#limit(this.#descriptors(parsed.value, digest), digest);
  }

  #descriptors(document: Readonly<Record<string, unknown>>, digest: Digest): Descriptor[] {
    const listed = document["manifests"] ?? [];
    if (!Array.isArray(listed)) throw this.#garbage(`referrers of ${digest}`);
    return listed.slice(0, referrersMax + 1).map((entry, at) => {
      const checked = checkDescriptor(entry, `manifests[${at}]`);
      if ("descriptor" in checked) return checked.descriptor;
      throw new TransferError(`${this.label}: referrers of ${digest}: ${checked.problem}`);
    });
  }

  #limit(found: Descriptor[], digest: Digest): Descriptor[] {
    if (found.length <= referrersMax) return found;
    throw new TransferError(`${this.label}: ${digest} has more than ${referrersMax} referrers`);
  }

  #document({ body }: Exchange, what: string): Readonly<Record<string, unknown>> {
    const parsed = parseStrictJson(body, { depthMax: 64 });
    if ("value" in parsed && isJsonObject(parsed.value)) return parsed.value;
    throw this.#garbage(what);
  }

  #garbage(what: string): TransferError {
    return new TransferError(`${this.label}: ${what}: the registry answered with no such list`);
  }
}

function rangeStart(value: string | null): number | null {
  const [, start] = /^bytes (\d{1,15})-/.exec(value ?? "") ?? [];
  return start === undefined ? null : Number(start);
}
