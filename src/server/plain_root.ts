/** Files of layouts that no server serves, as a command looks at them: by their path alone. */
import { MiB } from "../lib/bytes.ts";
import { algorithmOf, type Digest } from "../oci/digest.ts";
import { FileCheck } from "../storage/filesystem/file_check.ts";

/** Read and hashed at once. */
const sliceBytes = MiB;

/** Hashes files, one after the other. */
export class FileHashes {
  readonly #onRead: (bytes: number) => void;

  /** `onRead` hears of each slice. */
  constructor(onRead: (bytes: number) => void) {
    this.#onRead = onRead;
  }

  /** The digest of a file's bytes, by the algorithm of another one. @throws as reading a file does. */
  digest(path: string, as: Digest): Digest {
    const check = new FileCheck(path, algorithmOf(as));
    try {
      for (let bytes = 1; bytes > 0;) {
        bytes = check.next(sliceBytes);
        this.#onRead(bytes);
      }
      return check.digest();
    } finally {
      check.close();
    }
  }
}
