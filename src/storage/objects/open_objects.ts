/**
 * Opens a store of objects for content, beside a place on this machine where uploads grow.
 *
 * There are no layouts: a bucket is read through the registry. Metadata look at bytes under their lock by the rows that
 * stand beside them, so nothing here says how.
 */
import type { Scratch } from "../scratch_uploads.ts";
import type { Stores } from "../stores.ts";
import type { UploadSessions } from "../upload_sessions.ts";
import { ObjectBlobs } from "./object_blobs.ts";
import { ObjectUploads } from "./object_uploads.ts";
import { SharedUploads } from "./shared_uploads.ts";
import { objectUpkeep } from "./remove_objects.ts";
import { ReservedKeys } from "./reserved_keys.ts";
import type { ObjectPlace } from "./write_object.ts";

export interface ObjectsOptions extends Omit<ObjectPlace, "keys"> {
  readonly scratch: Scratch;
  /** Of uploads that any replica goes on with; null where this machine is the only one. */
  readonly sessions: UploadSessions | null;
  /** How long an address that a client is sent to is good; null sends nobody elsewhere. */
  readonly redirectSeconds: number | null;
}

/** Closing it closes the scratch, and neither the store nor the records. */
export function openObjects(opened: ObjectsOptions): Stores {
  const { scratch, sessions } = opened;
  const options = { ...opened, keys: new ReservedKeys(opened) };
  return {
    blobs: new ObjectBlobs(options),
    uploads:
      sessions === null
        ? new ObjectUploads(scratch, options)
        : new SharedUploads(scratch, { ...options, sessions }),
    layouts: null,
    upkeep: objectUpkeep(options),
    close: () => scratch.close(),
  };
}
