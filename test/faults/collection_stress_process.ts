// One of several processes that push, untag, delete and collect the same few images of one root at once.
//
//     collection_stress_process.ts <root> <roles, with commas> <seed> <actions> [planted bug]
//
// Roles: `push`, which asks for blobs as clients do before it sends what is missing, and names them; `untag`, which
// removes tags and manifests; `collect`; and `audit`, which looks under the writer's lock. Prints one line per problem.
// The planted bug is a mistake that must be seen, made here and nowhere in the product; those that need no second process
// are in `test/model`.

import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/lib/clock.ts";
import { ApiError } from "../../src/oci/errors.ts";
import { digestOf, type Digest } from "../../src/oci/digest.ts";
import { Collector } from "../../src/registry/collection/collector.ts";
import { keepFor } from "../../src/registry/collection/keep_for.ts";
import { removeManifest, removeTag } from "../../src/registry/delete.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import type { LayoutRegistry } from "../../src/registry/registry.ts";
import { sweepOrphans } from "../../src/registry/sweep_orphans.ts";
import { blobKey, metadataFile } from "../../src/storage/layout.ts";
import { sample } from "../contracts/store_samples.ts";
import { collecting as collectionSettings } from "../registry/collecting.ts";
import {
  changedCommits,
  image,
  openRoot,
  pushBlob,
  putManifest,
  repository,
} from "../registry/world.ts";
import { randomOf } from "./load.ts";

export const gcDelayMs = 300;

const shared = sample(1_500, 9);

/** Images of which each has a layer of its own, and all have one layer. */
export const images = [1, 2, 3].map((seed) => {
  const own = image(seed);
  const layer = { ...own.descriptor, digest: digestOf("sha256", shared), size: shared.length };
  const layers = [
    ...(JSON.parse(new TextDecoder().decode(own.bytes)) as { layers: object[] }).layers,
    layer,
  ];
  const made = image(seed, { layers });
  return { ...made, blobs: [...made.blobs, shared], tag: `v${seed}` };
});

type Image = (typeof images)[number];

/** A round decides, and removes a moment later whatever has happened since. */
export const plantedBug = "collects-without-the-protocol";

/** A round takes some milliseconds. */
const roundMsMax = 500;
/** A part of the delay that is promised to who was told, in spite of what remembers it. */
const promisedMs = gcDelayMs * 0.8;

async function push(registry: LayoutRegistry, one: Image): Promise<void> {
  const toldAt = performance.now();
  for (const blob of one.blobs) {
    const content = { repository, digest: digestOf("sha256", blob), sizeBytes: blob.length };
    const isHere = (await registry.metadata.blobRecord(repository, content.digest)) !== null;
    if (!isHere || !(await keepFor(registry, content, "blob"))) await pushBlob({ registry }, blob);
  }
  // A client does something else meanwhile.
  await sleep(gcDelayMs / 3);
  try {
    await putManifest({ registry }, one.bytes, one.tag);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isLate = performance.now() - toldAt > promisedMs;
    if (error.reason === "MANIFEST_BLOB_UNKNOWN" && !isLate)
      console.log(`told and collected: ${one.tag}: ${error.message}`);
  }
}

async function untag(registry: LayoutRegistry, one: Image, byDigest: boolean): Promise<void> {
  const request = { repository, by: null };
  const work = byDigest
    ? removeManifest(registry, { ...request, target: one.digest })
    : removeTag(registry, { ...request, target: one.tag, tagIs: null });
  await work.catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
  });
}

/** Whatever was decided is done, a moment later. */
function careless(registry: LayoutRegistry): LayoutRegistry {
  return changedCommits(registry, async (commit, commits) => {
    if (!("repository" in commit) || commit.by !== ":gc") return commits(commit);
    await sleep(gcDelayMs);
    return commits({ ...commit, preconditions: [] });
  });
}

/** Round after round, until the others are done. */
async function collect(
  registry: LayoutRegistry,
  planted: string,
  isDone: () => boolean,
): Promise<void> {
  const settings = () => collectionSettings({ gcDelay: gcDelayMs });
  const collector = new Collector({
    registry: planted === plantedBug ? careless(registry) : registry,
    report: (level, message, fields) => {
      if (level === "error") console.log(`${message}: ${JSON.stringify(fields)}`);
    },
    settings,
    isOffline: true,
  });
  const projector = new LayoutProjector(registry, () => {});
  while (!isDone()) {
    // A planted bug may find no end.
    await collector.round(AbortSignal.timeout(roundMsMax));
    await projector.run("all");
    await sweepOrphans(registry, { limit: 64 });
    await sleep(5);
  }
}

/** A manifest that collection removed less than the delay after a tag left it. */
const earlySql =
  "SELECT h.previous AS digest, h.at - max(t.at) AS ms FROM history h JOIN history t ON t.repository = h.repository " +
  "AND t.tag IS NOT NULL AND t.previous = h.previous AND t.sequence < h.sequence " +
  "WHERE h.tag IS NULL AND h.digest IS NULL AND h.by = ':gc' GROUP BY h.sequence HAVING ms < ?";

/** Problems of the root while nobody can commit. */
export function auditUnderLock(root: string): string[] {
  using database = new Database(join(root, metadataFile), { strict: true });
  database.run("PRAGMA busy_timeout = 20000");
  database.run("BEGIN IMMEDIATE");
  try {
    const of = (table: string): Set<string> =>
      new Set(
        database
          .query<{ digest: string }, []>(`SELECT digest FROM ${table}`)
          .all()
          .map(({ digest }) => digest),
      );
    const [manifests, blobs] = [of("manifests"), of("blobs")];
    const isThere = (digest: Digest): boolean =>
      blobs.has(digest) && existsSync(join(root, blobKey(repository, digest)));
    const lost = images
      .filter(({ digest }) => manifests.has(digest))
      .flatMap(({ tag, blobs: named }) =>
        named
          .map((blob) => digestOf("sha256", blob))
          .filter((digest) => !isThere(digest))
          .map((digest) => `manifest without its blob: ${tag} ${digest}`),
      );
    const early = database
      .query<{ digest: string; ms: number }, [number]>(earlySql)
      .all(gcDelayMs)
      .map(({ digest, ms }) => `collected early: ${digest} after ${ms} ms`);
    return [...lost, ...early];
  } finally {
    database.run("ROLLBACK");
  }
}

if (import.meta.main) {
  const [root = "", roles = "", seed = "0", actions = "0", planted = ""] = process.argv.slice(2);
  const random = randomOf(Number(seed));
  const { registry, close } = await openRoot(root, systemClock, true, () => {});
  const rules = { ...registry.retention, gcDelayMs, delayMs: gcDelayMs };
  const own = { ...registry, retention: rules };
  const one = (): Image => images[random(images.length)] as Image;
  const work: Readonly<Record<string, () => Promise<void>>> = {
    push: async () => {
      // Long enough for some images to become due, and to be pushed again while they go.
      await sleep(random(2 * gcDelayMs));
      await push(own, one());
    },
    untag: async () => {
      await sleep(random(gcDelayMs));
      await untag(own, one(), random(2) === 0);
    },
  };
  const repeat = async (role: string): Promise<void> => {
    for (let action = 0; action < Number(actions); action += 1) await work[role]?.();
  };
  const others = { areDone: false };
  const audit = async (): Promise<void> => {
    while (!others.areDone) {
      for (const problem of auditUnderLock(root)) console.log(problem);
      await sleep(30);
    }
  };
  const beside = [
    ...(roles.includes("collect") ? [collect(own, planted, () => others.areDone)] : []),
    ...(roles.includes("audit") ? [audit()] : []),
  ];
  await Promise.all(roles.split(",").map(repeat));
  others.areDone = true;
  await Promise.all(beside);
  await close();
}
