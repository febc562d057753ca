// Random pushes, mounts, moves, deletes and collection on a server of four workers, and what it says about bytes
// compared with two counts: of the rows, by plain SQL, and of the files on disk, which knows nothing of rows.
//
// After every so many operations all clients wait, and the figures must become those of both counts. Nothing is held for
// an undo, so that files are what repositories have, once the sweep is done.

import { Database } from "bun:sqlite";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { eventually, startZot, tempDirectory, type Zot } from "../harness.ts";
import { manifestType, sha256 } from "./journal.ts";
import { randomOf } from "./load.ts";

export interface AccountingOptions {
  readonly operations: number;
  readonly seed: number;
  /** Operations between two comparisons. */
  readonly every?: number;
  /** Changes the root behind the server's back before the last comparison: the mistake that must be seen. */
  readonly planted?: (root: string) => void;
}

export interface AccountingResult {
  readonly problems: readonly string[];
  readonly comparisons: number;
  /** Requests that changed something. */
  readonly changes: number;
}

const workers = 4;
const clients = 8;
const repositories = ["team/app", "team/app/base", "team/web", "other"] as const;
const tags = ["v1", "v2", "v3", "main"] as const;
const layers = Array.from(
  { length: 14 },
  (_, index) => new Uint8Array(Buffer.alloc(1_000 + 137 * index, `layer ${index} `)),
);

/** Each has two or three of the layers. */
const images = Array.from({ length: 16 }, (_, index) => {
  const random = randomOf(index + 1);
  const named = Array.from({ length: 2 + (index % 2) }, () => layers[random(layers.length)]!);
  const descriptors = named.map((layer) => ({
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: sha256(layer),
    size: layer.length,
  }));
  const config = { ...descriptors[0], mediaType: "application/vnd.oci.image.config.v1+json" };
  const document = {
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: descriptors,
    annotations: { index: `${index}` },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  return { layers: named, bytes, digest: sha256(bytes) };
});

/** What a repository takes; of the registry its bytes alone. */
interface Figures {
  readonly linkedBytes: number;
  readonly ownBytes?: number;
  readonly digests?: number;
}

type Counted = Readonly<Record<string, Figures>>;
const registryName = "(all)";
/** Nothing but what was planted differs by then, so that there is nothing to wait for. */
const plantedMs = 1_000;

export async function runAccounting({
  operations,
  seed,
  every = 1_000,
  planted,
}: AccountingOptions): Promise<AccountingResult> {
  await using directory = await tempDirectory("zot-accounting");
  const root = join(directory.path, "root");
  const storage = { gcDelay: "2s", gcInterval: "1s", undo: { window: "0s" } };
  await using zot = await startZot({
    rootDirectory: root,
    config: { http: { workers }, storage },
  });
  const problems: string[] = [];
  let changes = 0;
  let comparisons = 0;
  for (let done = 0; done < operations; done += every) {
    const share = Math.ceil(Math.min(every, operations - done) / clients);
    const worked = await Promise.all(
      Array.from({ length: clients }, (_, index) =>
        work(zot, randomOf(seed * 7919 + done * clients + index), share),
      ),
    );
    changes += worked.reduce((sum, each) => sum + each.changes, 0);
    problems.push(...worked.flatMap((each) => each.problems));
    problems.push(
      ...(await compare(zot, root)).map((problem) => `after ${done + every}: ${problem}`),
    );
    comparisons += 1;
  }
  if (planted !== undefined) {
    planted(root);
    problems.push(...(await compare(zot, root, plantedMs)));
  }
  // What the server counts anew by itself must not have found a difference, either.
  const mended = zot.logs().filter((line) => line["msg"] === "a total was wrong, and is mended");
  problems.push(...mended.map((line) => `drift: ${JSON.stringify(line)}`));
  await zot.stop();
  return { problems, comparisons, changes };
}

async function work(zot: Zot, random: (below: number) => number, count: number) {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const problems: string[] = [];
  let changes = 0;
  for (let step = 0; step < count; step += 1) {
    const at = pick(repositories);
    const layer = pick(layers);
    const image = pick(images);
    const send = async (
      method: string,
      path: string,
      body?: Uint8Array<ArrayBuffer>,
      type?: string,
    ) => {
      const answer = await fetch(`${zot.url}/v2/${at}/${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
        ...(type === undefined ? {} : { headers: { "content-type": type } }),
      });
      await answer.arrayBuffer();
      if (answer.status >= 500) problems.push(`${method} ${path}: ${answer.status}`);
      if (answer.status < 300) changes += 1;
    };
    const pushLayer = (bytes: Uint8Array<ArrayBuffer>): Promise<void> =>
      send("POST", `blobs/uploads/?digest=${sha256(bytes)}`, bytes);
    const kinds: readonly (() => Promise<void>)[] = [
      () => pushLayer(layer),
      () => send("POST", `blobs/uploads/?mount=${sha256(layer)}&from=${pick(repositories)}`),
      async () => {
        for (const each of image.layers) await pushLayer(each);
        await send("PUT", `manifests/${pick(tags)}`, image.bytes, manifestType);
      },
      async () => {
        for (const each of image.layers) await pushLayer(each);
        await send("PUT", `manifests/${image.digest}`, image.bytes, manifestType);
      },
      () => send("PUT", `manifests/${pick(tags)}`, image.bytes, manifestType),
      () => send("DELETE", `manifests/${pick(tags)}`),
      () => send("DELETE", `manifests/${image.digest}`),
      () => send("DELETE", `blobs/${sha256(layer)}`),
    ];
    await pick(kinds)();
  }
  return { problems, changes };
}

/** What differs for good; nothing once the figures are those of both counts. */
async function compare(zot: Zot, root: string, timeoutMs?: number): Promise<string[]> {
  let last = "";
  const areEqual = async (): Promise<boolean> => {
    const told = await figuresOf(zot);
    const [rows, files] = [rowsOf(root), filesOf(root)];
    last = JSON.stringify({ told, rows, files });
    return Bun.deepEquals(told, rows) && Bun.deepEquals(told, files);
  };
  try {
    await eventually("the figures are those of the rows and of the files", areEqual, timeoutMs);
    return [];
  } catch {
    return [`it says, the rows say, and the files say: ${last}`];
  }
}

/** As the server tells them. Repositories that hold nothing are left out, as on disk. */
async function figuresOf(zot: Zot): Promise<Counted> {
  type Told = Figures & { readonly name: string; readonly isCounted: boolean };
  const answer = await fetch(`${zot.url}/v2/_zot/usage`);
  const body = (await answer.json()) as { total: Figures; repositories: Told[] };
  const told = body.repositories
    .filter(({ digests = 0 }) => digests > 0)
    .map(({ name, linkedBytes, ownBytes, digests }) => [name, { linkedBytes, ownBytes, digests }]);
  const { linkedBytes } = body.total;
  return Object.fromEntries([...told, [registryName, { linkedBytes }]]) as Counted;
}

type Sizes = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Of digests and their sizes by repository. */
function counted(all: Sizes): Counted {
  const sum = (sizes: Iterable<number>): number =>
    [...sizes].reduce((total, size) => total + size, 0);
  const holders = new Map<string, number>();
  const everything = new Map<string, number>();
  for (const sizes of all.values()) {
    for (const [digest, size] of sizes) {
      holders.set(digest, (holders.get(digest) ?? 0) + 1);
      everything.set(digest, size);
    }
  }
  const of = (sizes: ReadonlyMap<string, number>, own: number): Figures => ({
    linkedBytes: sum(sizes.values()),
    ownBytes: own,
    digests: sizes.size,
  });
  const each = [...all]
    .filter(([, sizes]) => sizes.size > 0)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, sizes]) => {
      const own = [...sizes]
        .filter(([digest]) => holders.get(digest) === 1)
        .map(([, size]) => size);
      return [name, of(sizes, sum(own))];
    });
  return Object.fromEntries([
    ...each,
    [registryName, { linkedBytes: sum(everything.values()) }],
  ]) as Counted;
}

function rowsOf(root: string): Counted {
  using database = new Database(join(root, "_zot/metadata.db"), { readonly: true });
  const rows = database
    .query<{ name: string; digest: string; size: number }, []>(
      "SELECT r.name AS name, b.digest AS digest, b.size AS size FROM repositories r " +
        "JOIN (SELECT repository, digest, size FROM blobs UNION SELECT repository, digest, size FROM manifests) b " +
        "ON b.repository = r.id",
    )
    .all();
  const all = new Map<string, Map<string, number>>();
  for (const { name, digest, size } of rows) {
    all.set(name, (all.get(name) ?? new Map<string, number>()).set(digest, size));
  }
  return counted(all);
}

function filesOf(root: string): Counted {
  const sizesIn = (directory: string): Map<string, number> => {
    if (!existsSync(directory)) return new Map();
    const names = readdirSync(directory);
    return new Map(
      names.flatMap((name) => {
        // The sweep may be faster.
        const found = statSync(join(directory, name), { throwIfNoEntry: false });
        return found === undefined ? [] : [[`sha256:${name}`, found.size] as const];
      }),
    );
  };
  return counted(
    new Map(repositories.map((name) => [name, sizesIn(join(root, name, "blobs/sha256"))])),
  );
}
