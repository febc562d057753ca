/**
 * Uploads that any replica goes on with: what is acknowledged lies in the store of objects, and a row says where.
 *
 * The bytes of a request grow in a file of this machine, as those of one machine do; at the end of the request they are
 * sent, and then the row is changed (`shared_upload.ts`). What is fetched from an upstream belongs to one machine, and
 * stays there until it is whole.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Room } from "../blob_store.ts";
import type { Scratch, ScratchUploads } from "../scratch_uploads.ts";
import {
  isFetch,
  type FollowedUpload,
  type HeldUpload,
  type UploadInfo,
  type UploadStore,
} from "../upload_store.ts";
import { chunkBytesMin } from "./cut_parts.ts";
import { ObjectUploads } from "./object_uploads.ts";
import { SessionHold } from "./session_hold.ts";
import type { SessionFile, SharedPlace } from "./session_file.ts";
import { SharedUpload } from "./shared_upload.ts";

export class SharedUploads implements UploadStore {
  readonly chunkBytesMin: number;
  readonly #fetches: ObjectUploads;
  readonly #scratch: ScratchUploads;
  readonly #place: SharedPlace;

  constructor(scratch: Pick<Scratch, "uploads" | "room">, place: SharedPlace) {
    this.chunkBytesMin = chunkBytesMin(place.store.limits);
    this.#fetches = new ObjectUploads(scratch, place);
    this.#scratch = scratch.uploads;
    this.#place = place;
  }

  create(id: string, repository: string): Promise<void> {
    if (isFetch(id)) return this.#fetches.create(id, repository);
    return this.#place.sessions.create(id, repository);
  }

  async hold(id: string, repository: string | null): Promise<HeldUpload | "busy" | null> {
    if (isFetch(id)) return this.#fetches.hold(id, repository);
    const { sessions } = this.#place;
    const holder = randomUUID();
    const session = await sessions.take(id, holder);
    if (session === null || session === "busy") return session;
    const hold = new SessionHold(this.#place, id, holder);
    return new SharedUpload({ place: this.#place, files: this.#filesOf(id), hold, session });
  }

  /** What is fetched alone: others cannot see it grow. */
  async follow(id: string, repository: string): Promise<FollowedUpload | null> {
    return isFetch(id) ? this.#fetches.follow(id, repository) : null;
  }

  stat(id: string, repository: string | null): Promise<UploadInfo | null> {
    return isFetch(id) ? this.#fetches.stat(id, repository) : this.#place.sessions.find(id);
  }

  async ids(): Promise<string[]> {
    const files = await this.#scratch.ids();
    return [...(await this.#place.sessions.ids()), ...files.filter(isFetch)];
  }

  room(): Promise<Room> {
    return this.#fetches.room();
  }

  async removeStale(): Promise<number> {
    let removed = 0;
    for (const file of await this.#scratch.ids()) {
      const id = sessionOf(file);
      if (id === null || (await this.#place.sessions.find(id))?.file === file) continue;
      const upload = await this.#scratch.hold(file, null);
      // Somebody is at work on it.
      if (upload === null || upload === "busy") continue;
      try {
        // It may have been noted, and let go, in between.
        if ((await this.#place.sessions.find(id))?.file === file) continue;
        await upload.discard();
        removed += 1;
      } finally {
        await upload.close();
      }
    }
    return removed;
  }

  #filesOf(id: string) {
    return {
      open: async (file: string): Promise<SessionFile | null> => {
        const upload = await this.#scratch.hold(file, null);
        return upload === null || upload === "busy" ? null : { file, upload };
      },
      make: async (): Promise<SessionFile> => {
        const file = `${id}${fileMark}${randomBytes(8).toString("hex")}`;
        await this.#scratch.create(file, "");
        const upload = await this.#scratch.hold(file, null);
        if (upload !== null && upload !== "busy") return { file, upload };
        throw new Error(`storage: the file of the upload ${id} vanished`);
      },
    };
  }
}

/** Between the id of a session and what names its file. */
const fileMark = "~";

function sessionOf(file: string): string | null {
  const at = file.lastIndexOf(fileMark);
  return at < 0 ? null : file.slice(0, at);
}
