/**
 * Uploads that become objects: they grow on this machine, and are sent to the store when they are finished.
 */
import type { Algorithm, Digest } from "../../oci/digest.ts";
import type { PutHow, Room, UnnamedBytes } from "../blob_store.ts";
import type { Scratch, ScratchUpload, ScratchUploads } from "../scratch_uploads.ts";
import type {
  AppendLimits,
  AppendResult,
  ByteSource,
  FollowedUpload,
  HeldUpload,
  UploadInfo,
  UploadStore,
} from "../upload_store.ts";
import { putObject, type ObjectPlace } from "./write_object.ts";

export class ObjectUploads implements UploadStore {
  readonly #scratch: ScratchUploads;
  readonly #disk: Pick<Scratch, "room">;
  readonly #place: ObjectPlace;

  constructor(scratch: Pick<Scratch, "uploads" | "room">, place: ObjectPlace) {
    this.#scratch = scratch.uploads;
    this.#disk = scratch;
    this.#place = place;
  }

  create(id: string, repository: string): Promise<void> {
    return this.#scratch.create(id, repository);
  }

  async hold(id: string, repository: string | null): Promise<HeldUpload | "busy" | null> {
    const upload = await this.#scratch.hold(id, repository);
    if (upload === null || upload === "busy") return upload;
    return new ObjectUpload(upload, this.#place);
  }

  follow(id: string, repository: string): Promise<FollowedUpload | null> {
    return this.#scratch.follow(id, repository);
  }

  stat(id: string, repository: string | null): Promise<UploadInfo | null> {
    return this.#scratch.stat(id, repository);
  }

  ids(): Promise<string[]> {
    return this.#scratch.ids();
  }

  room(): Promise<Room> {
    return this.#disk.room();
  }
}

/** One that is held. */
class ObjectUpload implements HeldUpload {
  readonly #upload: ScratchUpload;
  readonly #place: ObjectPlace;

  constructor(upload: ScratchUpload, place: ObjectPlace) {
    this.#upload = upload;
    this.#place = place;
  }

  get sizeBytes(): number {
    return this.#upload.sizeBytes;
  }

  get finished(): boolean {
    return this.#upload.finished;
  }

  append(source: ByteSource, limits: AppendLimits): Promise<AppendResult> {
    return this.#upload.append(source, limits);
  }

  arrivedBytes(): Promise<number> {
    return this.#upload.arrivedBytes();
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#upload.truncate(sizeBytes);
  }

  digest(algorithm: Algorithm): Promise<Digest> {
    return this.#upload.digest(algorithm);
  }

  digestAhead(algorithm: Algorithm): void {
    this.#upload.digestAhead(algorithm);
  }

  digestAnew(): void {
    this.#upload.digestAnew();
  }

  parts(): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
    return this.#upload.parts();
  }

  async finish(repository: string, digest: Digest, how: PutHow = {}): Promise<UnnamedBytes | null> {
    const name = { repository, name: digest };
    const unnamed = await putObject(this.#place, await this.#upload.whole(), { name, how });
    await this.#upload.seal();
    return unnamed;
  }

  discard(): Promise<void> {
    return this.#upload.discard();
  }

  close(): Promise<void> {
    return this.#upload.close();
  }
}
