/**
 * An upload that any replica goes on with, while this one holds it.
 *
 * The bytes of its requests grow in a file of this machine, which has all of the upload where this machine took all of
 * it, or where little came before; else it begins behind the parts that are stored. What was appended is sent when the
 * upload is closed, in front of the change of its row: so a request that fails leaves nothing behind. An upload that is
 * finished in the request that brought its last bytes is sent as content at once.
 *
 * Its digest is that of the file, or stands in the row. Where chunks came through several replicas, neither is so: the
 * object is completed, and read once.
 */
import { assert, must } from "../../lib/assert.ts";
import { algorithmOf, digestOf, newHasher, type Algorithm, type Digest } from "../../oci/digest.ts";
import { StoreRefused, type PutHow, type UnnamedBytes } from "../blob_store.ts";
import type { NamedObject } from "../object_records.ts";
import type { ScratchUpload } from "../scratch_uploads.ts";
import type {
  SessionDigests,
  SessionPart,
  SessionParts,
  UploadSession,
} from "../upload_sessions.ts";
import {
  UploadTooLarge,
  type AppendLimits,
  type AppendResult,
  type ByteSource,
  type HeldUpload,
} from "../upload_store.ts";
import { cutParts, wholeBytesMax, type Cut } from "./cut_parts.ts";
import { ObjectStoreRefused } from "./object_store.ts";
import {
  bytesOf,
  fetchLocalFile,
  openLocalFile,
  type LocalFile,
  type SessionFiles,
  type SharedPlace,
} from "./session_file.ts";
import type { SessionHold } from "./session_hold.ts";
import { sendEach } from "./write_object.ts";

export interface SharedUploadOptions {
  readonly place: SharedPlace;
  readonly files: SessionFiles;
  readonly hold: SessionHold;
  readonly session: UploadSession;
}

type BegunParts = SessionParts & { readonly upload: string };

const noDigests: SessionDigests = { sha256: null, sha512: null };

export class SharedUpload implements HeldUpload {
  readonly #options: SharedUploadOptions;
  readonly #hold: SessionHold;
  /** What it had when it was held. */
  readonly #before: { readonly sizeBytes: number; digests: SessionDigests };
  /** As its row is. */
  #session: UploadSession;
  #sizeBytes: number;
  /** So many of its bytes are in the store. */
  #storedBytes: number;
  /** Of its bytes as they are now, where they are known. */
  #digests: SessionDigests;
  /** Null until it is needed. */
  #local: LocalFile | null = null;
  /** What was completed, though its row does not say so. */
  #completed: string | null = null;
  /** It was left to a commit to name it and to end it. */
  #isLeft = false;
  #isGone = false;

  constructor(options: SharedUploadOptions) {
    const { hold, session } = options;
    this.#options = options;
    this.#hold = hold;
    // Whoever began parts and left none was cut off: some may be there that nobody knows.
    const hasParts = session.parts !== null && session.parts.stored.length > 0;
    this.#session = hasParts ? session : { ...session, parts: null };
    const { sizeBytes, digests } = session;
    this.#before = { sizeBytes, digests };
    this.#sizeBytes = sizeBytes;
    this.#storedBytes = sizeBytes;
    this.#digests = digests;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get finished(): boolean {
    return this.#session.isFinished;
  }

  async append(source: ByteSource, limits: AppendLimits): Promise<AppendResult> {
    if (source.lengthBytes === 0) return { appendedBytes: 0, brokenOff: false };
    const { upload, base } = await this.#file();
    const { uploadBytesMax } = limits;
    const fileBytesMax = uploadBytesMax === null ? null : uploadBytesMax - base;
    try {
      return await upload.append(source, { uploadBytesMax: fileBytesMax });
    } catch (error) {
      if (!(error instanceof UploadTooLarge)) throw error;
      throw new UploadTooLarge(`The upload would exceed ${uploadBytesMax} bytes`, { cause: error });
    } finally {
      this.#sizeIs(base + upload.sizeBytes);
    }
  }

  async arrivedBytes(): Promise<number> {
    const local = this.#local;
    return local === null ? this.#sizeBytes : local.base + (await local.upload.arrivedBytes());
  }

  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.#sizeBytes) return;
    assert(!this.finished, "finished content is never truncated");
    const local = this.#local;
    if (local !== null && sizeBytes >= local.base) {
      await local.upload.truncate(sizeBytes - local.base);
    } else await this.#dropFile();
    this.#sizeIs(sizeBytes);
    this.#storedBytes = Math.min(this.#storedBytes, sizeBytes);
  }

  async digest(algorithm: Algorithm): Promise<Digest> {
    const known = this.#digests[algorithm];
    if (known !== null) return known;
    const whole = this.#sizeBytes === 0 ? null : await this.#wholeFile();
    let digest = digestOf(algorithm, new Uint8Array());
    if (whole !== null) digest = await whole.digest(algorithm);
    else if (this.#sizeBytes > 0) {
      digest = await this.#digestOf((await this.#storeWhole()).key, algorithm);
    }
    this.#digests = { ...this.#digests, [algorithm]: digest };
    if (this.#sizeBytes === this.#before.sizeBytes) this.#before.digests = this.#digests;
    return digest;
  }

  digestAhead(algorithm: Algorithm): void {
    if (this.#local?.base === 0) this.#local.upload.digestAhead(algorithm);
  }

  /** Its files have names that are never given again. */
  digestAnew(): void {}

  async *parts(): AsyncIterable<Uint8Array> {
    if (this.#sizeBytes === 0) return;
    let whole = await this.#wholeFile();
    if (whole === null) {
      await this.#storeWhole();
      whole = await this.#wholeFile();
    }
    yield* must(whole, "an object is read from its first byte on").parts();
  }

  async finish(
    repository: string,
    digest: Digest,
    { mayBeUnnamed = false }: PutHow = {},
  ): Promise<UnnamedBytes | null> {
    const content = { repository, name: digest };
    const object = await this.#objectOf(digest);
    if (mayBeUnnamed && !this.finished) {
      this.#isLeft = true;
      const naming = this.#hold.ending(object, content);
      return { naming, key: null, giveUp: () => this.#giveUp(object) };
    }
    await this.#note({ tail: object, content });
    this.#session = { ...this.#session, isFinished: true };
    await this.#local?.upload.seal();
    return null;
  }

  async #giveUp(object: NamedObject): Promise<void> {
    if (object.key === this.#session.tail?.key) return;
    // What was completed can only be kept whole.
    if (object.key === this.#completed) await this.#note({ tail: object });
    else await this.#options.place.records.giveUp(object.key);
  }

  async discard(): Promise<void> {
    this.#isGone = true;
    if (this.#isLeft && (await this.#hold.hasEnded())) this.#hold.end();
    else await this.#hold.discard();
    const { file } = this.#session;
    this.#local ??= file === null ? null : await openLocalFile(this.#options.files, file, 0);
    await this.#dropFile();
  }

  /** @throws what keeps it from being stored; it then has what it had before. */
  async close(): Promise<void> {
    try {
      if (!this.#isGone) await this.#settle();
    } catch (error) {
      await this.#hold.release().catch(() => undefined);
      throw error;
    } finally {
      this.#hold.end();
      const local = this.#local;
      if (local !== null && local.file !== this.#session.file) await this.#dropFile();
      else await local?.upload.close();
    }
  }

  #sizeIs(sizeBytes: number): void {
    if (sizeBytes === this.#sizeBytes) return;
    this.#sizeBytes = sizeBytes;
    const { sizeBytes: beforeBytes, digests } = this.#before;
    this.#digests = sizeBytes === beforeBytes ? digests : noDigests;
  }

  /** Sends what was appended, and lets go of it. */
  async #settle(): Promise<void> {
    if (this.#storedBytes < this.#sizeBytes) {
      const whole = this.#local?.base === 0 ? this.#local.upload : null;
      // The file is read for its digest while it is sent.
      const digesting = this.#digests.sha256 ?? whole?.digest("sha256") ?? null;
      if (digesting instanceof Promise) digesting.catch(() => undefined);
      const sent = await this.#send();
      this.#digests = { ...this.#digests, sha256: await digesting };
      return this.#note({ ...sent, release: true });
    }
    const { sizeBytes, digests, file } = this.#session;
    const isNoted =
      sizeBytes === this.#sizeBytes &&
      file === this.#fileNow() &&
      digests.sha256 === this.#digests.sha256 &&
      digests.sha512 === this.#digests.sha512;
    return isNoted ? this.#hold.release() : this.#note({ release: true });
  }

  /** Changes its row to what it is now. @throws UploadTaken. */
  async #note({
    release = false,
    newParts,
    tail,
    content,
  }: {
    readonly release?: boolean;
    readonly newParts?: readonly SessionPart[];
    /** The new one: of all of it where there are no new parts beside it. */
    readonly tail?: NamedObject | null;
    readonly content?: { readonly repository: string; readonly name: string };
  }): Promise<void> {
    const { parts } = this.#session;
    const isWhole = tail?.sizeBytes === this.#sizeBytes;
    const change = {
      sizeBytes: this.#sizeBytes,
      digests: this.#digests,
      file: this.#fileNow(),
      ...(tail === undefined ? {} : { tail }),
      ...(isWhole ? { newParts: null } : newParts === undefined ? {} : { newParts }),
      ...(content === undefined ? {} : { content }),
      release,
    };
    await this.#hold.change(change);
    const { sizeBytes, digests, file } = change;
    const now = { ...this.#session, sizeBytes, digests, file };
    this.#session = {
      ...now,
      tail: tail === undefined ? now.tail : tail,
      parts: isWhole ? null : parts,
    };
    this.#storedBytes = sizeBytes;
  }

  /** What has all bytes as they are now. */
  #fileNow(): string | null {
    const local = this.#local;
    if (this.#sizeBytes === 0) return null;
    if (local?.base === 0) return local.file;
    const isSame =
      this.#sizeBytes === this.#session.sizeBytes && this.#storedBytes === this.#sizeBytes;
    return isSame ? this.#session.file : null;
  }

  /** Sends what is not in the store, so that others can go on with it. */
  async #send(): Promise<{ newParts: readonly SessionPart[]; tail: NamedObject | null }> {
    const stored = this.#session.parts?.stored ?? [];
    const restBytes = this.#sizeBytes - bytesOf(stored);
    const { limits } = this.#options.place.store;
    const cut = cutParts(restBytes, { storedParts: stored.length, isLast: false }, limits);
    if (cut.parts === 0) return { newParts: [], tail: await this.#put(restBytes) };
    return { newParts: await this.#sendParts(await this.#begunParts(), cut), tail: null };
  }

  /** All of it as one object. */
  async #objectOf(digest: Digest | null): Promise<NamedObject> {
    const { parts, tail } = this.#session;
    const isStored = parts === null && this.#storedBytes === this.#sizeBytes;
    if (isStored && tail?.sizeBytes === this.#sizeBytes) return tail;
    const { limits } = this.#options.place.store;
    const isSmall = parts === null && this.#sizeBytes <= wholeBytesMax(limits);
    return isSmall ? this.#put(this.#sizeBytes) : this.#complete(digest);
  }

  /** Completes it, though it may go on: its digest is known nowhere. */
  async #storeWhole(): Promise<NamedObject> {
    const tail = await this.#objectOf(null);
    if (tail !== this.#session.tail) await this.#note({ tail });
    // Parts that it lies behind are no more.
    if (this.#local !== null && this.#local.base > 0) await this.#dropFile();
    return tail;
  }

  async #complete(digest: Digest | null): Promise<NamedObject> {
    const { store } = this.#options.place;
    const stored = this.#session.parts?.stored ?? [];
    const sizeBytes = this.#sizeBytes;
    const cut = cutParts(
      sizeBytes - bytesOf(stored),
      { storedParts: stored.length, isLast: true },
      store.limits,
    );
    if (cut.parts > 0) await this.#file();
    const begun = await this.#begunParts();
    const { key, upload } = begun;
    try {
      const sent = await this.#sendParts(begun, cut);
      await store.completeParts(key, { upload }, [...stored, ...sent]);
    } catch (error) {
      // An earlier request may have come so far, and no further.
      const isRefused = error instanceof StoreRefused;
      if (!isRefused || (await store.size(key)) !== sizeBytes) throw error;
      const found = digest === null ? null : await this.#digestOf(key, algorithmOf(digest));
      if (found !== digest) throw error;
    }
    this.#completed = key;
    return { key, sizeBytes };
  }

  async #begunParts(): Promise<BegunParts> {
    const { store, records, keys } = this.#options.place;
    const { parts } = this.#session;
    if (parts !== null && parts.upload !== null) return { ...parts, upload: parts.upload };
    const key = await keys.take();
    await this.#hold.beginParts(key);
    const { upload } = await store.startParts(key);
    await records.sendParts(key, { upload, sizeBytes: 0 });
    return { key, upload, stored: [] };
  }

  async #sendParts({ key, upload, stored }: BegunParts, cut: Cut): Promise<SessionPart[]> {
    if (cut.parts === 0) return [];
    const { store } = this.#options.place;
    const first = bytesOf(stored);
    const slice = await this.#slices();
    return sendEach(cut.parts, async (place) => {
      // One that was thought to be dead writes nothing over what others have sent.
      this.#hold.require();
      const from = first + place * cut.partBytes;
      const end = Math.min(from + cut.partBytes, this.#sizeBytes);
      const number = stored.length + 1 + place;
      const { tag } = await store.putPart(key, { upload }, number, slice(from, end));
      return { number, tag, sizeBytes: end - from };
    });
  }

  /** Puts the last bytes as an object of their own. */
  async #put(sizeBytes: number): Promise<NamedObject> {
    const { store, records, keys } = this.#options.place;
    const slice = sizeBytes === 0 ? () => new Uint8Array() : await this.#slices();
    const key = await keys.take();
    try {
      await store.put(key, slice(this.#sizeBytes - sizeBytes, this.#sizeBytes));
    } catch (error) {
      // A job finds it in any case, later.
      await records.giveUp(key).catch(() => undefined);
      throw error;
    }
    return { key, sizeBytes };
  }

  /** Reads its bytes by their positions. */
  async #slices(): Promise<(first: number, end: number) => Uint8Array | Blob> {
    const { upload, base } = await this.#file();
    const body = await upload.whole();
    return (first, end) => body.slice(first - base, end - base);
  }

  async #digestOf(key: string, algorithm: Algorithm): Promise<Digest> {
    const hasher = newHasher(algorithm);
    const stream = await this.#options.place.store.get(key, null);
    if (stream === null) throw new ObjectStoreRefused(`${key} of an upload is gone`);
    for await (const bytes of stream) hasher.update(bytes);
    return hasher.digest();
  }

  /** A file with all of it, where this machine has one or little is to be read for it. */
  async #wholeFile(): Promise<ScratchUpload | null> {
    const { parts, file } = this.#session;
    if (this.#local === null && parts !== null && file === null) return null;
    const { upload, base } = await this.#file();
    return base === 0 ? upload : null;
  }

  async #file(): Promise<LocalFile> {
    if (this.#local !== null) return this.#local;
    const { file, isFinished } = this.#session;
    const { place, files } = this.#options;
    this.#local =
      (file === null ? null : await openLocalFile(files, file, this.#sizeBytes)) ??
      (await fetchLocalFile(place, files, { ...this.#session, sizeBytes: this.#sizeBytes }));
    if (isFinished) await this.#local.upload.seal();
    return this.#local;
  }

  async #dropFile(): Promise<void> {
    const local = this.#local;
    this.#local = null;
    if (local === null) return;
    await local.upload.discard();
    await local.upload.close();
    if (local.file === this.#session.file) this.#session = { ...this.#session, file: null };
  }
}
