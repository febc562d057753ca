// Bytes for metadata whose tests are not about them: all content is there, and none is ever moved.

import { atOnce, type BytesUnderLock } from "../../src/metadata/sql/bytes_under_lock.ts";

export const noBytes: BytesUnderLock = atOnce({
  present: () => true,
  remove: () => undefined,
  stamp: () => null,
  quarantine: () => null,
});
