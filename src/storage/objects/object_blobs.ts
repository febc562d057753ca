/**
 * Content in a store of objects; equal content of several repositories is one object that has several names.
 *
 * What names an object, and how many bytes it has, stands in the records: only bytes that are read or written cost a
 * request. Content is put under a key of its own, so that what stood there stays until the name moves.
 */
import { KiB, MiB } from "../../lib/bytes.ts";
import { algorithmOf, newHasher, type Digest } from "../../oci/digest.ts";
import {
  ContentGone,
  oneDisk,
  StoreRefused,
  type BlobStore,
  type ComparedBytes,
  type ContentCheck,
  type ContentLook,
  type ContentRange,
  type ContentStat,
  type KeptFile,
  type OpenContent,
  type OpenHow,
  type PutHow,
  type ShareRequest,
  type UnnamedBytes,
} from "../blob_store.ts";
import type { NamedContent, NamedObject, ObjectName } from "../object_records.ts";
import type { Scratch } from "../scratch_uploads.ts";
import { registryKey } from "./registry_id.ts";
import { putObject, type ObjectPlace } from "./write_object.ts";

/** Read in one request while content is checked, which rests in between. */
const checkedBytes = 16 * MiB;
/** Up to this much is read before it is sent: the answer then says how long it is. */
const atOnceBytesMax = 256 * KiB;
/** Manifests up to this much are kept with the metadata: they cost no request. */
const inlineBytesMax = 256 * KiB;
/** Up to this much is compared byte by byte with what is pushed, so that a push repairs it. */
const comparedBytesMax = 64 * KiB;
/** Clients are not sent elsewhere for less. */
const redirectedBytesMin = 64 * KiB;

export interface ObjectBlobsOptions extends ObjectPlace {
  /** How long an address that a client is sent to is good; null sends nobody elsewhere. */
  readonly redirectSeconds: number | null;
  readonly scratch: Pick<Scratch, "removeLeftovers" | "probe">;
}

export class ObjectBlobs implements BlobStore {
  readonly disks = oneDisk;
  readonly #options: ObjectBlobsOptions;

  constructor(options: ObjectBlobsOptions) {
    this.#options = options;
  }

  async size(repository: string, digest: Digest): Promise<number | null> {
    return (await this.#find(repository, digest))?.sizeBytes ?? null;
  }

  async stat(repository: string, digest: Digest): Promise<ContentStat | null> {
    const found = await this.#find(repository, digest);
    return found === null ? null : { sizeBytes: found.sizeBytes, stamp: found.key };
  }

  async open(
    repository: string,
    digest: Digest,
    range: ContentRange | null,
    { mayRedirect = false }: OpenHow = {},
  ): Promise<OpenContent> {
    const { redirectSeconds: seconds, store } = this.#options;
    const found = await this.#content(repository, digest);
    if (found === null) throw new ContentGone(repository, digest);
    if (found.bytes !== null) return { kind: "bytes", bytes: within(found.bytes, range) };
    if (mayRedirect && seconds !== null && found.sizeBytes >= redirectedBytesMin) {
      const contentType = "application/octet-stream";
      const location = await store.sign(found.key, { seconds, contentType });
      if (location !== null) return { kind: "redirect", location };
    }
    // What has no bytes has no range either.
    if (found.sizeBytes === 0) return { kind: "bytes", bytes: new Uint8Array() };
    const stream = await this.#stream(repository, digest, { found, range });
    if (stream === null) throw new ContentGone(repository, digest, found.key);
    const bytes = range === null ? found.sizeBytes : range.last - range.first + 1;
    if (bytes > atOnceBytesMax) return { kind: "stream", stream, sizeBytes: bytes };
    return { kind: "bytes", bytes: await readAll(stream, bytes) };
  }

  async read(repository: string, digest: Digest, bytesMax: number): Promise<Uint8Array | null> {
    const found = await this.#content(repository, digest);
    if (found === null) return null;
    const { sizeBytes } = found;
    if (sizeBytes > bytesMax) {
      throw new Error(
        `storage: ${digest} of ${repository} has ${sizeBytes} bytes, expected ${bytesMax} at most`,
      );
    }
    if (found.bytes !== null) return found.bytes;
    const stream = await this.#stream(repository, digest, { found, range: null });
    return stream === null ? null : readAll(stream, bytesMax);
  }

  async put(
    repository: string,
    digest: Digest,
    bytes: Uint8Array,
    how: PutHow = {},
  ): Promise<UnnamedBytes | null> {
    const name = { repository, name: digest };
    if (how.isManifest === true && bytes.length <= inlineBytesMax) {
      return this.#putInline(bytes, name, how);
    }
    const body = { sizeBytes: bytes.length, slice: bytes.subarray.bind(bytes) };
    return putObject(this.#options, body, { name, how });
  }

  async #putInline(
    bytes: Uint8Array,
    name: ObjectName,
    { mayBeUnnamed = false }: PutHow,
  ): Promise<UnnamedBytes | null> {
    const { records } = this.#options;
    if (mayBeUnnamed) {
      return { naming: records.keeping(bytes, name), key: null, giveUp: async () => undefined };
    }
    await records.keep(bytes, name);
    return null;
  }

  async share(digest: Digest, { from, to }: ShareRequest): Promise<boolean> {
    const { records } = this.#options;
    const source = { repository: from, name: digest };
    if (from === to) return (await records.find(source)) !== null;
    return records.share(source, { repository: to, name: digest });
  }

  /**
   * By what is known: an object is the verified bytes of its digest, and never changes. That it is there still is asked
   * for, so that a push repairs what the store has lost; what is read by one small request is compared.
   */
  async compare(repository: string, digest: Digest, bytes: ComparedBytes) {
    const found = await this.#content(repository, digest);
    if (found === null) return "absent";
    if (found.sizeBytes !== bytes.sizeBytes) return "different";
    if (found.bytes !== null) return isEqual(found.bytes, bytes);
    if (found.sizeBytes <= comparedBytesMax) return this.#compareBytes(found, bytes);
    const sizeBytes = await this.#options.store.size(found.key);
    return sizeBytes === bytes.sizeBytes ? "equal" : "different";
  }

  async #compareBytes({ key, sizeBytes }: NamedObject, bytes: ComparedBytes) {
    const stream = await this.#options.store.get(key, null);
    if (stream === null) return "different";
    return isEqual(await readAll(stream, sizeBytes), bytes);
  }

  async lookAt(repository: string, digest: Digest): Promise<ContentLook | null> {
    const stat = await this.stat(repository, digest);
    return stat === null ? null : { ...stat, isFile: true };
  }

  check(repository: string, digest: Digest): ContentCheck {
    return this.#check({ repository, name: digest }, digest);
  }

  async copyBack(name: string, repository: string, digest: Digest): Promise<boolean> {
    const kept: ObjectName = { repository: "", name };
    if ((await this.#options.records.find(kept)) === null) return false;
    const check = this.#check(kept, digest);
    for (;;) {
      const { digest: found } = await check.next(checkedBytes);
      if (found === null) continue;
      if (found !== digest) return false;
      return this.#options.records.share(kept, { repository, name: digest });
    }
  }

  kept(): Promise<readonly KeptFile[]> {
    return this.#options.records.inQuarantine();
  }

  removeKept(name: string): Promise<boolean> {
    return this.#options.records.unname({ repository: "", name });
  }

  remove(repository: string, digest: Digest): Promise<boolean> {
    return this.#options.records.unname({ repository, name: digest });
  }

  removeLeftovers(ageMs: number): Promise<number> {
    return this.#options.scratch.removeLeftovers(ageMs);
  }

  /** A store of objects does not say how much it takes. */
  async room(): Promise<null> {
    return null;
  }

  /** A small write to the disk that takes uploads; the store is asked, and writes nothing. */
  async probe(): Promise<void> {
    await this.#options.scratch.probe();
    try {
      if ((await this.#options.store.size(registryKey)) !== null) return;
      throw new StoreRefused(`${registryKey} is gone from the store of objects`);
    } catch (cause) {
      // Whoever asks for health is not told which store it is.
      throw new Error("the store of objects does not answer as it should", { cause });
    }
  }

  #find(repository: string, digest: Digest): Promise<NamedObject | null> {
    return this.#options.records.find({ repository, name: digest });
  }

  #content(repository: string, digest: Digest): Promise<NamedContent | null> {
    return this.#options.records.content({ repository, name: digest });
  }

  /** Its bytes; null when the object is gone, though the name was looked up again: it may have moved meanwhile. */
  async #stream(
    repository: string,
    digest: Digest,
    { found, range }: { readonly found: NamedObject; readonly range: ContentRange | null },
  ): Promise<ReadableStream<Uint8Array> | null> {
    const { store } = this.#options;
    const stream = await store.get(found.key, range);
    if (stream !== null) return stream;
    const again = await this.#find(repository, digest);
    return again === null || again.key === found.key ? null : store.get(again.key, range);
  }

  #check(name: ObjectName, digest: Digest): ContentCheck {
    const { store, records } = this.#options;
    const hasher = newHasher(algorithmOf(digest));
    let [object, position, ahead]: [NamedContent | null, number, Uint8Array] = [
      null,
      0,
      new Uint8Array(),
    ];
    return {
      next: async (bytesMax) => {
        if (object === null) {
          object = await records.content(name);
          if (object === null) throw missing(digest);
          ahead = object.bytes ?? ahead;
        }
        if (ahead.length < bytesMax && position + ahead.length < object.sizeBytes) {
          const first = position + ahead.length;
          const last = Math.min(object.sizeBytes, first + checkedBytes) - 1;
          const stream = await store.get(object.key, { first, last });
          if (stream === null) throw missing(digest);
          ahead = Buffer.concat([ahead, await readAll(stream, last - first + 1)]);
        }
        const slice = ahead.subarray(0, bytesMax);
        ahead = ahead.subarray(slice.length);
        position += slice.length;
        hasher.update(slice);
        return { bytes: slice.length, digest: slice.length === 0 ? hasher.digest() : null };
      },
      close: () => undefined,
    };
  }
}

/** As a file that is gone. */
function missing(digest: Digest): Error {
  return Object.assign(new Error(`ENOENT: the object of ${digest} is gone`), { code: "ENOENT" });
}

function within(bytes: Uint8Array, range: ContentRange | null): Uint8Array {
  return range === null ? bytes : bytes.subarray(range.first, range.last + 1);
}

async function isEqual(stored: Uint8Array, bytes: ComparedBytes): Promise<"equal" | "different"> {
  let at = 0;
  for await (const part of bytes.parts()) {
    if (!Buffer.from(part).equals(stored.subarray(at, at + part.length))) return "different";
    at += part.length;
  }
  return at === stored.length ? "equal" : "different";
}

/** All of a stream, of at most so many bytes. */
async function readAll(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`storage: an object has more than ${bytesMax} bytes`);
    parts.push(part);
  }
  const [first = new Uint8Array(), ...others] = parts;
  return others.length === 0 ? first : Buffer.concat(parts, bytes);
}
