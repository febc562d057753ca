// Bytes for metadata whose tests are not about them: all content is there, and none is ever moved.

import type { BytesUnderLock } from "../../src/metadata/metadata.ts";

export const noBytes: BytesUnderLock = {
  present: () => true,
  remove: () => undefined,
  stamp: () => null,
  quarantine: () => null,
};
