// Before and after `npm pack`: puts the viewer's files, with their licence, and the name of the commit into the package,
// and takes them out again.
//
// The package then needs no `swagger-ui-dist`, whose own dependency reports every installation to its makers
// (`overrides` in package.json, which holds in this checkout only).

import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { viewerFiles } from "../src/api/viewer.ts";
import { commitFile, commitOf } from "../src/lib/program_commit.ts";

const root = join(import.meta.dir, "..");
const source = join(root, "node_modules/swagger-ui-dist");
const target = join(root, "src/api/viewer");
const licences = ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"];

await rm(target, { recursive: true, force: true });
await rm(join(root, commitFile), { force: true });
if (process.argv[2] !== "--remove") {
  const commit = commitOf(root);
  if (commit !== null) await writeFile(join(root, commitFile), `${commit}\n`);
  await mkdir(target);
  for (const name of [...viewerFiles, ...licences]) {
    await copyFile(join(source, name), join(target, name));
  }
}
