/**
 * A store of objects in a container of Azure Blob Storage.
 *
 * Parts are blocks of the blob that is to be, which Azure keeps for a week. It has no name for the whole of them, so
 * that each block gets a name of its own, used once: what an upload that was given up sends late is in no object.
 */
import { assert } from "../../../lib/assert.ts";
import { MiB } from "../../../lib/bytes.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { ContentRange } from "../../blob_store.ts";
import { getObject } from "../http/get_object.ts";
import type { StoreRequest } from "../http/store_dialect.ts";
import type { StoreRequests } from "../http/store_requests.ts";
import { elements, elementText } from "../http/xml_text.ts";
import { assertKey } from "../object_key.ts";
import {
  type ListedObject,
  type ObjectBody,
  type ObjectLimits,
  type ObjectParts,
  type ObjectStore,
  ObjectStoreRefused,
  type SignedUrl,
  type StoredPart,
} from "../object_store.ts";
import { probeObjects } from "../probe_objects.ts";
import type { AzureDialect } from "./azure_dialect.ts";
import { operations } from "./azure_operations.ts";

const partsMax = 50_000;
const blob = { "x-ms-blob-type": "BlockBlob" } as const;

export interface AzureStoreParts {
  readonly dialect: AzureDialect;
  readonly requests: StoreRequests;
  readonly clock: Clock;
  readonly prefix: string;
}

export class AzureStore implements ObjectStore {
  readonly limits: ObjectLimits = {
    putBytesMax: 5_000 * MiB,
    partBytesMin: 1,
    partBytesMax: 4_000 * MiB,
    partsMax,
  };
  readonly #parts: AzureStoreParts;

  constructor(parts: AzureStoreParts) {
    this.#parts = parts;
  }

  async put(key: string, body: ObjectBody): Promise<void> {
    assertKey(key);
    const headers = { ...blob, ...lengthOf(body) };
    await this.#write({ operation: operations.put, key, body, headers });
  }

  async get(key: string, range: ContentRange | null): Promise<ReadableStream<Uint8Array> | null> {
    assertKey(key);
    const { dialect, requests, clock } = this.#parts;
    const request = { operation: operations.get, key };
    return await getObject(request, range, { requests, clock, name: dialect.name });
  }

  async size(key: string): Promise<number | null> {
    assertKey(key);
    const answer = await this.#parts.requests.send({ operation: operations.head, key });
    return answer === null ? null : Number(answer.headers.get("Content-Length"));
  }

  async remove(key: string): Promise<void> {
    assertKey(key);
    const headers = { "x-ms-delete-snapshots": "include" };
    await this.#parts.requests.send({ operation: operations.remove, key, headers });
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
    assert(number >= 1 && number <= partsMax, `${number} is no number of a part`);
    const tag = blockName(upload, number);
    const query = { comp: "block", blockid: tag };
    await this.#write({ operation: operations.block, key, query, body, headers: lengthOf(body) });
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
    const isOurs = inOrder.every(({ number, tag }) => isBlockOf(tag, upload, number));
    if (!isOurs)
      throw new ObjectStoreRefused(`${this.#parts.dialect.name}: a part of ${key} has another tag`);
    const body = blockList(inOrder.map(({ tag }) => tag));
    const query = { comp: "blocklist" };
    await this.#write({ operation: operations.commit, key, query, body, headers: lengthOf(body) });
  }

  /** Blocks that no list names are forgotten with it; what has become an object is left alone. */
  async abortParts(key: string): Promise<void> {
    assertKey(key);
    const body = blockList([]);
    const headers = { ...lengthOf(body), "If-None-Match": "*" };
    const query = { comp: "blocklist" };
    const request = { operation: operations.commit, key, query, body, headers };
    if ((await this.#parts.requests.send(request)) !== null) await this.remove(key);
  }

  async list(prefix: string, after: string | null) {
    const { prefix: root, requests } = this.#parts;
    const query = {
      restype: "container",
      comp: "list",
      maxresults: "1000",
      prefix: `${root}${prefix}`,
      ...(after === null ? {} : { marker: after }),
    };
    const answer = await requests.send({ operation: operations.list, key: null, query });
    if (answer === null) throw this.#refused(`there is no list of ${prefix}`);
    const { text } = answer;
    const objects = elements(text, "Blob").map((entry): ListedObject => ({
      key: (elementText(entry, "Name") ?? "").slice(root.length),
      sizeBytes: Number(elementText(entry, "Content-Length")),
      changedAt: Date.parse(elementText(entry, "Last-Modified") ?? ""),
    }));
    return { objects, next: elementText(text, "NextMarker") || null };
  }

  /** The store forgets blocks that no list names after a week. */
  async unfinished() {
    return { parts: [], next: null };
  }

  async sign(key: string, how: SignedUrl): Promise<string | null> {
    assertKey(key);
    return this.#parts.dialect.signUrl(key, how);
  }

  async probe(): Promise<void> {
    await probeObjects(this);
  }

  async close(): Promise<void> {
    this.#parts.requests.close();
  }

  /** What finds nothing there was not written. */
  async #write(request: StoreRequest): Promise<void> {
    if ((await this.#parts.requests.send(request)) !== null) return;
    throw this.#refused(`there is no place for ${request.key}`);
  }

  #refused(why: string): ObjectStoreRefused {
    return new ObjectStoreRefused(`${this.#parts.dialect.name}: ${why}`);
  }
}

function blockList(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const list = names.map((name) => `<Latest>${name}</Latest>`).join("");
  return new TextEncoder().encode(`<?xml version="1.0"?><BlockList>${list}</BlockList>`);
}

/** All blocks of a blob have names of one length. */
function blockName(upload: string, number: number): string {
  return Buffer.from(`${startOf(upload, number)}${crypto.randomUUID().slice(0, 8)}`).toString(
    "base64",
  );
}

function isBlockOf(tag: string, upload: string, number: number): boolean {
  const name = Buffer.from(tag, "base64").toString("latin1");
  return name.startsWith(startOf(upload, number)) && /^[\w+/=-]{1,88}$/.test(tag);
}

function startOf(upload: string, number: number): string {
  return `${upload.slice(0, 36)}-${String(number).padStart(5, "0")}-`;
}

function lengthOf(body: ObjectBody): Record<string, string> {
  return { "Content-Length": String(body instanceof Blob ? body.size : body.length) };
}
