// A power cut right after a repository that another tool made was served for the first time: the tool flushed nothing,
// and what was answered must be there afterwards, byte for byte.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesOf, image, named } from "../registry/world.ts";
import { checkRoot } from "./check_root.ts";
import { sha256 } from "./journal.ts";
import { ext4Disk } from "./power_cut.ts";
import { startFaultServer } from "./server_process.ts";

export interface IntakeCutResult {
  readonly problems: readonly string[];
  /** Files that were served before a cut. */
  readonly served: number;
}

/** `images` is how many a tool copies in at once in each cycle. */
export async function cutAfterIntake(images: readonly number[]): Promise<IntakeCutResult> {
  await using disk = await ext4Disk();
  const root = join(disk.path, "root");
  const problems: string[] = [];
  let served: string[] = [];
  let total = 0;
  for (const [cycle, count] of images.entries()) {
    const server = await startFaultServer(root);
    problems.push(...(await unserved(server.url, served)));
    const paths = await copyIn(root, `team/made${cycle}`, cycle, count);
    problems.push(...(await unserved(server.url, paths)));
    served = [...served, ...paths];
    total += paths.length;
    disk.cut();
    await server.kill();
    await disk.remount();
    problems.push(...checkRoot(root).violations);
  }
  await using server = await startFaultServer(root);
  problems.push(...(await unserved(server.url, served)));
  await server.kill();
  return { problems, served: total };
}

/** Writes a layout as a tool does that flushes nothing; returns what the registry should serve of it. */
async function copyIn(root: string, repository: string, cycle: number, count: number) {
  const blobs = join(root, repository, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const paths: string[] = [];
  const entries: object[] = [];
  for (let index = 0; index < count; index += 1) {
    const made = image(cycle * 1000 + index);
    for (const bytes of [...made.blobs, made.bytes]) {
      const digest = sha256(bytes);
      await writeFile(join(blobs, digest.slice("sha256:".length)), bytes);
      const kind = bytes === made.bytes ? "manifests" : "blobs";
      paths.push(`${repository}/${kind}/${digest}`);
    }
    entries.push(named(made.descriptor, `v${index}`));
  }
  await writeFile(join(root, repository, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const index = bytesOf({ schemaVersion: 2, manifests: entries });
  await writeFile(join(root, repository, "index.json"), index);
  return paths;
}

/** What is not answered with the bytes of its digest. */
async function unserved(url: string, paths: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const path of paths) {
    const answer = await fetch(`${url}/v2/${path}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const isWhole = answer.status === 200 && path.endsWith(sha256(bytes));
    if (!isWhole) problems.push(`${path}: ${answer.status} with ${bytes.length} bytes`);
  }
  return problems;
}
