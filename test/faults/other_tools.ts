// Another tool works in the directory of a server under load, as badly as tools can: it writes back copies of
// index.json that are long out of date, leaves files that nobody can read, and the server is killed in between.
//
// What was acknowledged must stand: no tag moves back, no deleted one returns, nothing pushed is gone.
// What the tool does follows from the seed and the number of acknowledgements, not from time.

import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, startZot, tempDirectory } from "../harness.ts";
import { Journal, manifestType, sha256 } from "./journal.ts";
import { randomOf, startLoad } from "./load.ts";
import { checkAtRest, type KillResult } from "./processes_killed.ts";

export interface ToolOptions {
  readonly cycles: number;
  readonly seed: number;
}

export interface ToolResult extends KillResult {
  /** Old copies that were written over a newer index.json. */
  readonly staleWrites: number;
}

const repositories = ["load/r0", "load/r1", "load/r2"];
const toolTag = /has the tag tool-/;

export async function workBeside({ cycles, seed }: ToolOptions): Promise<ToolResult> {
  await using directory = await tempDirectory("zot-tools");
  const rootDirectory = `${directory.path}/root`;
  const journal = new Journal();
  const problems: string[] = [];
  const random = randomOf(seed);
  const config = { http: { workers: 2 } };
  let failures = 0;
  let staleWrites = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    await using zot = await startZot({ rootDirectory, config });
    const load = startLoad({ url: zot.url, journal, clients: 6, seed: seed + cycle });
    await load.acknowledged(60);
    const copies = await readAll(rootDirectory);
    await load.acknowledged(40 + random(60));
    for (const [repository, text] of copies) {
      await writeBack(rootDirectory, repository, text, `${cycle}-${random(1000)}`);
      staleWrites += 1;
    }
    const bad = await leaveBadFiles(rootDirectory, cycle);
    await load.acknowledged(60);
    if (random(2) === 0) await zot.kill();
    await load.stop();
    failures += load.failures();
    for (const path of bad) await rm(path, { recursive: true, force: true });
  }
  await using zot = await startZot({ rootDirectory, config });
  // The last copies are taken in by now: it is ready when it has looked everywhere.
  await eventually("ready", async () => (await fetch(`${zot.url}/readyz`)).status === 200);
  problems.push(...(await journal.check(zot.url)));
  const code = await zot.stop();
  if (code !== 0) problems.push(`the last server ended with ${code}`);
  const atRest = checkAtRest(rootDirectory, journal);
  problems.push(...atRest.filter((problem) => !toolTag.test(problem)));
  return { problems, acknowledged: journal.acknowledged, failures, staleWrites };
}

async function readAll(root: string): Promise<Map<string, string>> {
  const copies = new Map<string, string>();
  for (const repository of repositories) {
    const path = join(root, repository, "index.json");
    await eventually(`${repository} has an index.json with tags`, () => existsSync(path));
    copies.set(repository, readFileSync(path, "utf8"));
  }
  return copies;
}

/** Adds an image to the copy and puts it in the place of whatever stands there now. */
async function writeBack(root: string, repository: string, text: string, name: string) {
  const directory = join(root, repository);
  const write = async (bytes: Uint8Array) => {
    const digest = sha256(bytes);
    await writeFile(join(directory, "blobs/sha256", digest.slice("sha256:".length)), bytes);
    return { digest, size: bytes.length };
  };
  const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const config = await write(encode({ name }));
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [],
  };
  const annotations = { "org.opencontainers.image.ref.name": `tool-${name}` };
  const entry = { mediaType: manifestType, ...(await write(encode(manifest))), annotations };
  const index = JSON.parse(text) as { manifests: object[] };
  index.manifests.push(entry);
  const path = join(directory, "index.json");
  await writeFile(`${path}.tool`, JSON.stringify(index));
  await rename(`${path}.tool`, path);
}

/** A directory where a blob should be, and bytes under another name; returns what is to be removed at the end. */
async function leaveBadFiles(root: string, cycle: number): Promise<string[]> {
  const bad: string[] = [];
  for (const repository of repositories) {
    const pathOf = (text: string): string =>
      join(root, repository, "blobs/sha256", sha256(new TextEncoder().encode(text)).slice(7));
    const [directory, damaged] = [pathOf(`directory ${cycle}`), pathOf(`damaged ${cycle}`)];
    await mkdir(directory);
    await writeFile(damaged, "something else");
    bad.push(directory, damaged);
  }
  return bad;
}
