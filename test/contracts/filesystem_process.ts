// A process of its own on a root directory, for tests of locks and digests across processes.
//
//     filesystem_process.ts <root> hold <id>                 holds an upload until its input ends
//     filesystem_process.ts <root> digest <id> <algorithm>   prints an upload's digest
//     filesystem_process.ts <root> work                      finishes, replaces and shares once, durably

import { systemClock } from "../../src/lib/clock.ts";
import { digestOf, isAlgorithm } from "../../src/oci/digest.ts";
import { openFilesystem } from "../../src/storage/filesystem/open_filesystem.ts";
import { held, sample, uploaded } from "./store_samples.ts";

const [rootDirectory = "", what, id = "", algorithm = ""] = process.argv.slice(2);
const stores = openFilesystem({ rootDirectory, durable: true, clock: systemClock });

if (what === "hold") {
  const upload = await held(stores.uploads, id);
  console.log("held");
  for await (const _ of Bun.stdin.stream()) continue;
  await upload.close();
} else if (what === "digest" && isAlgorithm(algorithm)) {
  const upload = await held(stores.uploads, id);
  process.stdout.write(await upload.digest(algorithm));
  await upload.close();
} else {
  const bytes = sample(1000);
  const digest = digestOf("sha256", bytes);
  await stores.prepare();
  await uploaded(stores.uploads, "one", bytes);
  const upload = await held(stores.uploads, "one");
  await upload.finish("team", digest);
  await upload.discard();
  await upload.close();
  await stores.files.replace("team/replaced", sample(10));
  await stores.files.replace("team/replaced", sample(20));
  await stores.blobs.share(digest, { from: "team", to: "other", mayCopy: true });
}
await stores.close();
