// Every table of requests and answers (test/http/rows) holds over a store of objects, too, with redirects on and off.

import { afterAll } from "bun:test";
import { testRows, testStories, type Row } from "../http/row.ts";
import { liveUploadStories } from "../http/rows/live_uploads.ts";
import { baseRows } from "../http/rows/base.ts";
import { blobRows } from "../http/rows/blobs.ts";
import { historyRows } from "../http/rows/history.ts";
import { invalidManifestRows } from "../http/rows/invalid_manifests.ts";
import { listRows } from "../http/rows/lists.ts";
import { manifestRows } from "../http/rows/manifests.ts";
import { mountRows } from "../http/rows/mounts.ts";
import { pastRows } from "../http/rows/past.ts";
import { setTagsRows } from "../http/rows/set_tags.ts";
import { undoRows } from "../http/rows/undo.ts";
import { uploadRows } from "../http/rows/uploads.ts";
import { FakeS3 } from "./fake_s3.ts";

const fake = await FakeS3.start();
afterAll(() => fake[Symbol.asyncDispose]());

/** A store of its own for each server. */
let places = 0;
export function onObjects(more: object = {}): { storage: object } {
  places += 1;
  return {
    storage: {
      ...more,
      storageDriver: {
        name: "s3",
        bucket: "bucket",
        regionendpoint: fake.url,
        secure: false,
        accesskey: "fake",
        secretkey: "x",
        rootdirectory: `place${places}`,
      },
    },
  };
}

const tables: Readonly<Record<string, readonly Row[]>> = {
  base: baseRows,
  blobs: blobRows,
  history: historyRows,
  "invalid manifests": invalidManifestRows,
  lists: listRows,
  manifests: manifestRows,
  mounts: mountRows,
  past: pastRows,
  "set tags": setTagsRows,
  undo: undoRows,
  uploads: uploadRows,
};

/** A file is sent with a line that keeps the runtime from reading the Range its own way. */
const isOfFiles = ({ steps }: Row): boolean =>
  steps.some(({ answer, has }) => answer === 200 && has !== undefined && "content-range" in has);

for (const [name, rows] of Object.entries(tables)) {
  testRows(
    name,
    rows.filter((row) => !isOfFiles(row)),
    onObjects(),
  );
}
testStories("live uploads", liveUploadStories, onObjects());
