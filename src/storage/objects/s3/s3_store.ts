/** A store of objects in a bucket of S3, or of a store that speaks as S3 does. */
import { assert } from "../../../lib/assert.ts";
import { GiB } from "../../../lib/bytes.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { ContentRange } from "../../blob_store.ts";
import { getObject } from "../http/get_object.ts";
import type { StoreRequests } from "../http/store_requests.ts";
import { elements, elementText, escapeXml } from "../http/xml_text.ts";
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
  type UnfinishedParts,
} from "../object_store.ts";
import { probeObjects } from "../probe_objects.ts";
import { operations } from "./operations.ts";
import type { S3Dialect } from "./s3_dialect.ts";

const partsMax = 10_000;
const bytesMax = 5 * GiB;

export interface S3Parts {
  readonly dialect: S3Dialect;
  readonly requests: StoreRequests;
  readonly clock: Clock;
  /** In front of all keys; ends with `/`, or is empty. */
  readonly prefix: string;
  readonly partBytesMin: number;
  /** Of every object that is made: storage class, encryption. */
  readonly headers: Readonly<Record<string, string>>;
  readonly report: (line: string) => void;
}

export class S3Store implements ObjectStore {
  readonly limits: ObjectLimits;
  readonly #parts: S3Parts;

  constructor(parts: S3Parts) {
    this.#parts = parts;
    const { partBytesMin } = parts;
    this.limits = { putBytesMax: bytesMax, partBytesMin, partBytesMax: bytesMax, partsMax };
  }

  async put(key: string, body: ObjectBody): Promise<void> {
    assertKey(key);
    const { requests, headers } = this.#parts;
    const request = { operation: operations.put, key, body };
    const answer = await requests.send({ ...request, headers: { ...headers, ...lengthOf(body) } });
    if (answer === null) throw this.#refused(`there is no place for ${key}`);
  }

  async get(key: string, range: ContentRange | null): Promise<ReadableStream<Uint8Array> | null> {
    assertKey(key);
    const { dialect, requests, clock } = this.#parts;
    const request = { operation: operations.get, key };
    return await getObject(request, range, { requests, clock, name: dialect.name });
  }

  async size(key: string): Promise<number | null> {
    assertKey(key);
    const { requests } = this.#parts;
    const answer = await requests.send({ operation: operations.head, key });
    if (answer !== null) return Number(answer.headers.get("Content-Length"));
    // An answer to HEAD does not say whether the object is absent, or the bucket.
    const first = { operation: operations.look, key, headers: { Range: "bytes=0-0" } };
    const looked = await requests.send(first);
    if (looked === null) return null;
    const total = /\/(\d+)$/.exec(looked.headers.get("Content-Range") ?? "")?.[1];
    return Number(total ?? looked.headers.get("Content-Length"));
  }

  async remove(key: string): Promise<void> {
    assertKey(key);
    await this.#parts.requests.send({ operation: operations.remove, key });
  }

  async startParts(key: string): Promise<ObjectParts> {
    assertKey(key);
    const { requests, headers, dialect } = this.#parts;
    const request = { operation: operations.create, key, query: { uploads: "" }, headers };
    const answer = await requests.send(request);
    const upload = elementText(answer?.text ?? "", "UploadId");
    if (upload !== null) return { upload };
    throw new ObjectStoreRefused(`${dialect.name} gives no name to an object in parts`);
  }

  async putPart(
    key: string,
    { upload }: ObjectParts,
    number: number,
    body: ObjectBody,
  ): Promise<StoredPart> {
    assertKey(key);
    assert(number >= 1 && number <= partsMax, `${number} is no number of a part`);
    const query = { partNumber: String(number), uploadId: upload };
    const request = { operation: operations.part, key, query, body, headers: lengthOf(body) };
    const answer = await this.#parts.requests.send(request);
    const tag = answer?.headers.get("ETag") ?? null;
    if (tag === null) throw this.#gone(key);
    return { number, tag };
  }

  async completeParts(
    key: string,
    { upload }: ObjectParts,
    stored: readonly StoredPart[],
  ): Promise<void> {
    assertKey(key);
    assert(stored.length > 0, "An object has at least one part");
    const body = new TextEncoder().encode(partList(stored));
    const request = { operation: operations.complete, key, query: { uploadId: upload }, body };
    const answer = await this.#parts.requests.send({ ...request, headers: lengthOf(body) });
    // The parts are gone after a success whose answer was lost, too; and nobody else uses the key.
    if (answer === null && (await this.size(key)) === null) throw this.#gone(key);
  }

  async abortParts(key: string, { upload }: ObjectParts): Promise<void> {
    assertKey(key);
    const query = { uploadId: upload };
    await this.#parts.requests.send({ operation: operations.abort, key, query });
  }

  async list(prefix: string, after: string | null) {
    const { prefix: root, requests } = this.#parts;
    const query = {
      "list-type": "2",
      "encoding-type": "url",
      prefix: `${root}${prefix}`,
      ...(after === null ? {} : { "start-after": `${root}${after}` }),
    };
    const answer = await requests.send({ operation: operations.list, key: null, query });
    if (answer === null) throw this.#refused(`there is no list of ${prefix}`);
    const objects = listedObjects(answer.text, root);
    const isMore = elementText(answer.text, "IsTruncated") === "true";
    return { objects, next: isMore ? (objects.at(-1)?.key ?? null) : null };
  }

  async unfinished(prefix: string, after: string | null) {
    const { prefix: root, requests } = this.#parts;
    const query = {
      uploads: "",
      "encoding-type": "url",
      prefix: `${root}${prefix}`,
      ...(after === null ? {} : (JSON.parse(after) as Record<string, string>)),
    };
    const answer = await requests.send({ operation: operations.unfinished, key: null, query });
    if (answer === null) throw this.#refused(`there is no list of objects in parts`);
    const { text } = answer;
    const parts = elements(text, "Upload").map((entry): UnfinishedParts => ({
      key: keyIn(entry, text).slice(root.length),
      upload: elementText(entry, "UploadId") ?? "",
      startedAt: Date.parse(elementText(entry, "Initiated") ?? ""),
    }));
    const last = parts.at(-1);
    if (elementText(text, "IsTruncated") !== "true" || last === undefined) {
      return { parts, next: null };
    }
    const place = { "key-marker": `${root}${last.key}`, "upload-id-marker": last.upload };
    return { parts, next: JSON.stringify(place) };
  }

  async sign(key: string, how: SignedUrl): Promise<string> {
    assertKey(key);
    return await this.#parts.dialect.signUrl(key, how);
  }

  async probe(): Promise<void> {
    await probeObjects(this);
    await this.#probeBucket();
  }

  async close(): Promise<void> {
    this.#parts.requests.close();
  }

  /** Bytes that cannot be removed, or stay although they were. */
  async #probeBucket(): Promise<void> {
    const { dialect, report } = this.#parts;
    const versioning = await this.#askBucket("versioning", "versioning");
    if (elementText(versioning, "Status") === "Enabled") {
      report(
        `${dialect.name} keeps versions: what is removed stays and is paid for until a rule of its lifecycle ends old versions`,
      );
    }
    const lock = await this.#askBucket("lock", "object-lock");
    if (elementText(lock, "DefaultRetention") === null) return;
    throw new ObjectStoreRefused(`${dialect.name} locks all objects: end its default retention`);
  }

  /** Empty where the keys may not ask, or the store does not know of it. */
  async #askBucket(operation: "versioning" | "lock", name: string): Promise<string> {
    const request = { operation: operations[operation], key: null, query: { [name]: "" } };
    try {
      return (await this.#parts.requests.send(request))?.text ?? "";
    } catch (error) {
      if (error instanceof ObjectStoreRefused) return "";
      throw error;
    }
  }

  #gone(key: string): ObjectStoreRefused {
    return this.#refused(`the parts of ${key} are gone`);
  }

  #refused(why: string): ObjectStoreRefused {
    return new ObjectStoreRefused(`${this.#parts.dialect.name}: ${why}`);
  }
}

function lengthOf(body: ObjectBody): Record<string, string> {
  return { "Content-Length": String(body instanceof Blob ? body.size : body.length) };
}

function partList(stored: readonly StoredPart[]): string {
  const parts = stored
    .toSorted((one, other) => one.number - other.number)
    .map(
      ({ number, tag }) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
    );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
}

function listedObjects(xml: string, root: string): ListedObject[] {
  return elements(xml, "Contents").map((entry) => ({
    key: keyIn(entry, xml).slice(root.length),
    sizeBytes: Number(elementText(entry, "Size")),
    changedAt: Date.parse(elementText(entry, "LastModified") ?? ""),
  }));
}

/** Of an entry of a list. */
function keyIn(entry: string, list: string): string {
  const written = elementText(entry, "Key") ?? "";
  const isEncoded = elementText(list, "EncodingType") === "url";
  return isEncoded ? decodeURIComponent(written.replaceAll("+", " ")) : written;
}
