/**
 * A store of objects in a bucket of Google Cloud Storage.
 *
 * Its own uploads in pieces take them in one order only, so parts are objects of their own, each under a key that is
 * used once (`parts/<upload>/<number>-<tag>`), which the store joins without moving bytes, up to 32 at a time, and which are removed then.
 */
import { assert } from "../../../lib/assert.ts";
import { GiB } from "../../../lib/bytes.ts";
import type { Clock } from "../../../lib/clock.ts";
import { jsonOf } from "../../../lib/cloud/cloud_login.ts";
import { isJsonObject, type JsonObject } from "../../../lib/strict_json.ts";
import type { ContentRange } from "../../blob_store.ts";
import { getObject } from "../http/get_object.ts";
import type { StoreRequests } from "../http/store_requests.ts";
import { assertKey } from "../object_key.ts";
import {
  type ListedObject,
  type ObjectBody,
  type ObjectLimits,
  type ObjectParts,
  type ObjectStore,
  ObjectStoreRefused,
  ObjectStoreUnavailable,
  type SignedUrl,
  type StoredPart,
} from "../object_store.ts";
import { probeObjects } from "../probe_objects.ts";
import { adviceOn } from "../store_advice.ts";
import type { GcsDialect } from "./gcs_dialect.ts";
import { operations } from "./gcs_operations.ts";

/** What one call joins. */
const joinedMax = 32;
const type = "application/octet-stream";

export interface GcsParts {
  readonly dialect: GcsDialect;
  readonly requests: StoreRequests;
  readonly clock: Clock;
  readonly prefix: string;
  /** Null where nothing here can sign. */
  readonly signUrl: ((key: string, how: SignedUrl) => string) | null;
  readonly report: (line: string) => void;
}

export class GcsStore implements ObjectStore {
  readonly limits: ObjectLimits = {
    putBytesMax: 5 * GiB,
    partBytesMin: 1,
    partBytesMax: 5 * GiB,
    partsMax: 10_000,
  };
  readonly #parts: GcsParts;

  constructor(parts: GcsParts) {
    this.#parts = parts;
  }

  async put(key: string, body: ObjectBody): Promise<void> {
    assertKey(key);
    const { requests, dialect } = this.#parts;
    const length = body instanceof Blob ? body.size : body.length;
    const headers = { "Content-Type": type, "Content-Length": String(length) };
    const query = { fields: "size" };
    const answer = await requests.send({ operation: operations.put, key, body, headers, query });
    if (answer === null) throw noBucket(dialect);
  }

  async get(key: string, range: ContentRange | null): Promise<ReadableStream<Uint8Array> | null> {
    assertKey(key);
    const { dialect, requests, clock } = this.#parts;
    const request = { operation: operations.get, key, query: { alt: "media" } };
    return await getObject(request, range, { requests, clock, name: dialect.name });
  }

  async size(key: string): Promise<number | null> {
    assertKey(key);
    const request = { operation: operations.look, key, query: { fields: "size" } };
    const answer = await this.#parts.requests.send(request);
    return answer === null ? null : Number(objectIn(answer.text)["size"]);
  }

  async remove(key: string): Promise<void> {
    assertKey(key);
    await this.#parts.requests.send({ operation: operations.remove, key });
  }

  async startParts(key: string): Promise<ObjectParts> {
    assertKey(key);
    return { upload: crypto.randomUUID() };
  }

  async putPart(
    key: string,
    { upload }: ObjectParts,
    number: number,
    body: ObjectBody,
  ): Promise<StoredPart> {
    assertKey(key);
    assert(number >= 1 && number <= this.limits.partsMax, `${number} is no number of a part`);
    const tag = crypto.randomUUID();
    await this.put(partKey(upload, { number, tag }), body);
    return { number, tag };
  }

  async completeParts(
    key: string,
    { upload }: ObjectParts,
    stored: readonly StoredPart[],
  ): Promise<void> {
    assertKey(key);
    assert(stored.length > 0, "An object has at least one part");
    const inOrder = stored.toSorted((one, other) => one.number - other.number);
    const sources = inOrder.map((part) => partKey(upload, part));
    try {
      const isJoined = await this.#joinAll(key, upload, sources);
      if (!isJoined) await this.#requireThere(key, upload, sources);
    } catch (error) {
      if (!(error instanceof ObjectStoreUnavailable)) throw error;
      await this.#requireThere(key, upload, sources, error);
    }
    await this.#removeParts(upload);
  }

  async abortParts(_key: string, { upload }: ObjectParts): Promise<void> {
    await this.#removeParts(upload);
  }

  async list(prefix: string, after: string | null) {
    const { prefix: root, requests, dialect } = this.#parts;
    const query = {
      prefix: `${root}${prefix}`,
      maxResults: "1000",
      fields: "items(name,size,updated),nextPageToken",
      ...(after === null ? {} : { pageToken: after }),
    };
    const answer = await requests.send({ operation: operations.list, key: null, query });
    if (answer === null) throw noBucket(dialect);
    const { items, nextPageToken: next } = objectIn(answer.text);
    const objects = (Array.isArray(items) ? items : [])
      .filter(isJsonObject)
      .map((item): ListedObject => ({
        key: String(item["name"]).slice(root.length),
        sizeBytes: Number(item["size"]),
        changedAt: Date.parse(String(item["updated"])),
      }));
    return { objects, next: typeof next === "string" && next !== "" ? next : null };
  }

  /** Their own parts: those of one that is complete may be among them, which are not needed any more. */
  async unfinished(_prefix: string, after: string | null) {
    const { objects, next } = await this.list(partsPrefix, after);
    const uploads = Map.groupBy(objects, ({ key }) => key.split("/")[1] ?? "");
    const parts = [...uploads].map(([upload, [first]]) => ({
      key: partsOf(upload).slice(0, -1),
      upload,
      startedAt: first?.changedAt ?? 0,
    }));
    return { parts, next };
  }

  async sign(key: string, how: SignedUrl): Promise<string | null> {
    assertKey(key);
    return this.#parts.signUrl?.(key, how) ?? null;
  }

  async probe(): Promise<void> {
    await probeObjects(this);
    const { requests, dialect, report } = this.#parts;
    const query = { fields: "versioning,retentionPolicy" };
    const bucket = await requests
      .send({ operation: operations.bucket, key: null, query })
      .catch((error: unknown) => {
        // Who may not look at the bucket may use it all the same.
        if (error instanceof ObjectStoreRefused) return null;
        throw error;
      });
    const { versioning, retentionPolicy } = objectIn(bucket?.text ?? "");
    if (isJsonObject(versioning) && versioning["enabled"] === true) {
      report(`${dialect.name} keeps versions: what is removed stays and is paid for`);
    }
    if (!isJsonObject(retentionPolicy)) return;
    throw new ObjectStoreRefused(`${dialect.name} locks all objects: end its retention policy`);
  }

  async close(): Promise<void> {
    this.#parts.requests.close();
  }

  /** False where a part is not what was put. */
  async #joinAll(key: string, upload: string, parts: readonly string[]): Promise<boolean> {
    let sources = parts;
    for (let level = 1; sources.length > joinedMax; level += 1) {
      const joined: string[] = [];
      for (let from = 0; from < sources.length; from += joinedMax) {
        const to = `${partsOf(upload)}joined-${level}-${from / joinedMax}`;
        if (!(await this.#join(to, sources.slice(from, from + joinedMax)))) return false;
        joined.push(to);
      }
      sources = joined;
    }
    return await this.#join(key, sources);
  }

  /** False where a source is not there. */
  async #join(to: string, sources: readonly string[]): Promise<boolean> {
    const { prefix, requests } = this.#parts;
    const list = sources.map((key) => ({ name: `${prefix}${key}` }));
    const text = JSON.stringify({ sourceObjects: list, destination: { contentType: type } });
    const body = new TextEncoder().encode(text);
    const headers = { "Content-Type": "application/json", "Content-Length": String(body.length) };
    const query = { fields: "size" };
    const request = { operation: operations.compose, key: to, body, headers, query };
    return (await requests.send(request)) !== null;
  }

  /** The parts are gone after a success whose answer was lost, too; and nobody else uses the key. */
  async #requireThere(
    key: string,
    upload: string,
    sources: readonly string[],
    otherwise?: ObjectStoreUnavailable,
  ): Promise<void> {
    if ((await this.size(key)) !== null) return;
    if (otherwise !== undefined && (await this.#areThere(upload, sources))) throw otherwise;
    const { name } = this.#parts.dialect;
    throw new ObjectStoreRefused(`${name}: the parts of ${key} are gone, or are others`);
  }

  async #areThere(upload: string, sources: readonly string[]): Promise<boolean> {
    const there = new Set<string>();
    for (let after: string | null = null; ;) {
      const { objects, next } = await this.list(partsOf(upload), after);
      for (const { key } of objects) there.add(key);
      if (next === null) return sources.every((key) => there.has(key));
      after = next;
    }
  }

  async #removeParts(upload: string): Promise<void> {
    for (;;) {
      // From the beginning again: what was listed is gone.
      const { objects, next } = await this.list(partsOf(upload), null);
      await Promise.all(objects.map(({ key }) => this.remove(key)));
      if (next === null) return;
    }
  }
}

const partsPrefix = "parts/";

function partsOf(upload: string): string {
  return `${partsPrefix}${upload}/`;
}

function partKey(upload: string, { number, tag }: StoredPart): string {
  return `${partsOf(upload)}${number}-${tag}`;
}

function objectIn(text: string): JsonObject {
  const body = jsonOf(text);
  return isJsonObject(body) ? body : {};
}

function noBucket({ name, store }: GcsDialect): ObjectStoreRefused {
  const help = adviceOn(["no such bucket"], { store, permission: "" });
  return new ObjectStoreRefused(`${name}: 404: ${help ?? ""}`);
}
