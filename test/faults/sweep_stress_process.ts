// One of several processes that push, mount, delete and sweep the same few blobs of one root at once.
//
//     sweep_stress_process.ts <root> <role> <seed> <actions> [planted bug]
//
// With OBJECTS=<url> content lies in a store that speaks as S3 does; a sweep then removes at once what nothing names.
// With HELD=1 what is deleted is held for some milliseconds, deletes are undone, and sweepers end holds.
// Roles: `work` (pushes, mounts and deletes), `sweep`, and `audit`, which looks under the writer's lock, where every
// named blob must have its bytes and no orphan may be named. Prints one line per problem. The planted bugs are mistakes
// that the audit must catch, made here and nowhere in the product.

import { Database } from "bun:sqlite";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/lib/clock.ts";
import type { AnyCommit, Commit, CommitOutcome } from "../../src/metadata/metadata.ts";
import { digestOf, type Digest } from "../../src/oci/digest.ts";
import { removeBlob } from "../../src/registry/delete.ts";
import { endHolds } from "../../src/registry/history/end_holds.ts";
import { undelete } from "../../src/registry/history/restore.ts";
import { LayoutProjector } from "../../src/registry/layout_projector.ts";
import { mountBlob } from "../../src/registry/mount_blob.ts";
import { hasLayouts, type Registry } from "../../src/registry/registry.ts";
import { sweepOrphans } from "../../src/registry/sweep_orphans.ts";
import { blobKey, metadataFile } from "../../src/storage/layout.ts";
import { sample } from "../contracts/store_samples.ts";
import { objects } from "../../src/metadata/objects.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import type { StoreUpkeep } from "../../src/storage/stores.ts";
import { openObjectRoot } from "../objects/object_world.ts";
import { openS3Store } from "../objects/open_store.ts";
import { noUndo, openRoot, pushBlob } from "../registry/world.ts";

/** What every process works on. */
export const stressed = {
  repositories: ["team/app", "team/other"],
  blobs: [1, 2].map((seed) => sample(100, seed)),
};

export const plantedBugs = {
  /** A sweep looks whether anything names the bytes, and removes them afterwards, outside of the lock. */
  "removes-after-a-look": "named blob without bytes",
  /** A push names its bytes without asking whether a sweep took them meanwhile. */
  "push-without-check": "named blob without bytes",
  /** The same for a mount. */
  "mount-without-check": "named blob without bytes",
  /** What is named again stays in the list of the sweep. */
  "keeps-orphans": "orphan that is named",
  /** A push of what undo holds leaves the held row where it is. */
  "keeps-held": "content that is live and held",
  /** What lost its last name is not given to the sweep. */
  "forgets-orphans": "bytes that nothing names",
} as const;

export type PlantedBug = keyof typeof plantedBugs;

const isHolding = process.env["HELD"] === "1";
/** Long enough for some undos, and short enough for some ends. */
const heldMs = 5;

const storeUrl = process.env["OBJECTS"];

/** The root of a test, whose content lies in files, or in the store that it names. */
export function openStressed(root: string, undo?: Registry["undo"], url = storeUrl) {
  const settings = undo === undefined ? {} : { undo };
  return url === undefined
    ? openRoot(root, systemClock, true, () => {}, settings)
    : openObjectRoot(root, openS3Store({ regionendpoint: url }).store, {
        clock: systemClock,
        ...settings,
      });
}

/** Loops of each `work` process. */
const loops = 4;

/** Small numbers that differ by seed. */
function* chances(seed: number): Generator<number, never> {
  for (let state = seed * 2_654_435_761 + 1; ;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A registry whose commits wait a moment first, so that others come between, and which makes the planted mistake. */
function disturbed<T extends Registry>(registry: T, chance: () => number, planted: string): T {
  const { metadata } = registry;
  const skips = planted === "push-without-check";
  const commit = async (unit: AnyCommit): Promise<CommitOutcome> => {
    await sleep(chance() * 3);
    return metadata.commit(skips && "repository" in unit ? unchecked(unit) : unit);
  };
  return { ...registry, metadata: replaced(metadata, commit) };
}

function replaced(metadata: Registry["metadata"], commit: Registry["metadata"]["commit"]) {
  return new Proxy(metadata, {
    get(target, property) {
      if (property === "commit") return commit;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function unchecked(commit: Commit): Commit {
  return {
    ...commit,
    preconditions: commit.preconditions.filter(({ kind }) => kind !== "bytes-present"),
  };
}

async function work(registry: Registry, actions: number, chance: () => number, planted: string) {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)] as T;
  const mounting =
    planted === "mount-without-check"
      ? disturbed(registry, chance, "push-without-check")
      : registry;
  for (let action = 0; action < actions; action += 1) {
    const at = pick(stressed.repositories);
    const bytes = pick(stressed.blobs);
    const digest = digestOf("sha256", bytes);
    const request = { repository: at, digest, by: null };
    const what = chance();
    // A client that is told to try again does so; here the next action is as good.
    if (what < 0.3) await pushBlob({ registry }, bytes, at).catch(expectUnavailable);
    else if (what < 0.5) {
      const mayRead = (): boolean => true;
      await mountBlob(mounting, { ...request, from: null, mayRead });
    } else if (isHolding && what < 0.65) {
      await undelete(registry, { repository: at, digest, by: null }).catch(() => undefined);
    } else await removeBlob(registry, { ...request, target: digest }).catch(() => undefined);
  }
}

function expectUnavailable(error: unknown): void {
  if (!String(error).includes("swept while")) console.log(`push: ${String(error)}`);
}

async function sweep(
  { registry, upkeep }: { readonly registry: Registry; readonly upkeep: StoreUpkeep | null },
  rounds: number,
  root: string,
  planted: string,
) {
  const projector = hasLayouts(registry) ? new LayoutProjector(registry, () => {}) : null;
  for (let round = 0; round < rounds; round += 1) {
    // A sweep of a repository waits for its first index.json.
    if (round % 50 === 0) await projector?.run("all");
    await upkeep?.removeFreed(0);
    if (isHolding) await endHolds(registry);
    if (planted === "removes-after-a-look") await removeAfterLook(registry, root);
    // With a limit: an orphan that a planted bug keeps would be swept for ever.
    else await sweepOrphans(registry, { limit: 64 });
    await sleep(1);
  }
}

async function removeAfterLook({ metadata, layouts }: Registry, root: string): Promise<void> {
  for (const { repository, digest } of await metadata.orphans(9)) {
    const isNamed = (await metadata.blobRecord(repository, digest)) !== null;
    await sleep(2);
    if (isNamed) continue;
    if (layouts !== null) rmSync(join(root, blobKey(repository, digest)), { force: true });
    else {
      const from = { repository, name: digest };
      await metadata.commit(recordCommit(objects, { kind: "unname", from }));
    }
    await metadata.commit({
      repository,
      preconditions: [],
      changes: [{ kind: "sweep-orphan", digest }],
      by: null,
    });
  }
}

const namedSql =
  "SELECT r.name AS repository, b.digest AS digest FROM blobs b JOIN repositories r ON r.id = b.repository";

const objectSql =
  "SELECT 1 FROM objects_names n JOIN objects_keys k USING (key) WHERE n.repository = ? AND n.name = ? AND k.state = 'content'";

const heldSql = namedSql.replace("FROM blobs b", "FROM held_blobs b");

/** Problems of the root while nobody can commit. */
export function auditUnderLock(root: string, isOnObjects = false): string[] {
  const database = new Database(join(root, metadataFile), { strict: true });
  database.run("PRAGMA busy_timeout = 20000");
  type Row = { repository: string; digest: Digest };
  try {
    database.run("BEGIN IMMEDIATE");
    const named = database.query<Row, []>(namedSql).all();
    const isThere = ({ repository, digest }: Row): boolean =>
      isOnObjects
        ? database.query<Row, string[]>(objectSql).get(repository, digest) !== null
        : existsSync(join(root, blobKey(repository, digest)));
    const lost = named.filter((row) => !isThere(row));
    const orphans = database
      .query<Row, []>(`${namedSql} JOIN orphans USING (repository, digest)`)
      .all();
    const held = database.query<Row, []>(heldSql).all();
    const goneHeld = held.filter((row) => !isThere(row));
    const both = database.query<Row, []>(`${heldSql} JOIN blobs USING (repository, digest)`).all();
    const heldOrphans = database
      .query<Row, []>(`${heldSql} JOIN orphans USING (repository, digest)`)
      .all();
    database.run("ROLLBACK");
    return [
      ...goneHeld.map(
        ({ repository, digest }) => `held blob without bytes: ${repository} ${digest}`,
      ),
      ...both.map(
        ({ repository, digest }) => `content that is live and held: ${repository} ${digest}`,
      ),
      ...heldOrphans.map(
        ({ repository, digest }) => `orphan that is held: ${repository} ${digest}`,
      ),
      ...lost.map(({ repository, digest }) => `named blob without bytes: ${repository} ${digest}`),
      ...orphans.map(({ repository, digest }) => `orphan that is named: ${repository} ${digest}`),
    ];
  } finally {
    database.close();
  }
}

/** Makes the store itself err: rows of orphans that are not taken away, or not written. */
export function plantInStore(root: string, planted: string): void {
  const triggers: Readonly<Record<string, string>> = {
    "keeps-orphans":
      "CREATE TRIGGER planted BEFORE DELETE ON orphans WHEN EXISTS (SELECT 1 FROM blobs b " +
      "WHERE b.repository = OLD.repository AND b.digest = OLD.digest) BEGIN SELECT RAISE(IGNORE); END",
    "keeps-held":
      "CREATE TRIGGER planted BEFORE DELETE ON held_blobs WHEN EXISTS (SELECT 1 FROM blobs b " +
      "WHERE b.repository = OLD.repository AND b.digest = OLD.digest) BEGIN SELECT RAISE(IGNORE); END",
    "forgets-orphans":
      "CREATE TRIGGER planted BEFORE INSERT ON orphans BEGIN SELECT RAISE(IGNORE); END",
  };
  const trigger = triggers[planted];
  if (trigger === undefined) return;
  const database = new Database(join(root, metadataFile), { strict: true });
  database.run(trigger);
  database.close();
}

if (import.meta.main) {
  const [root = "", role = "", seed = "0", actions = "0", planted = ""] = process.argv.slice(2);
  const numbers = chances(Number(seed));
  const chance = (): number => numbers.next().value;
  const undo = () => ({ ...noUndo, windowMs: isHolding ? heldMs : 0 });
  const opened = await openStressed(root, undo);
  const { registry, close } = opened;
  const moved = disturbed(registry, chance, planted);
  if (role === "work") {
    const each = () => work(moved, Number(actions), chance, planted);
    await Promise.all(Array.from({ length: loops }, each));
  } else if (role === "sweep") {
    const { upkeep } = opened.stores;
    await sweep({ registry, upkeep }, Number(actions), root, planted);
  } else {
    for (let look = 0; look < Number(actions); look += 1) {
      for (const problem of auditUnderLock(root, storeUrl !== undefined)) console.log(problem);
      await sleep(2);
    }
  }
  await close();
}
