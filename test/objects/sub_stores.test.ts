// Several stores of one registry, some of them stores of objects: where content lies, mounts between them, which pairs of
// metadata and buckets a start takes, and what becomes of the others while one does not answer.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import pino from "pino";
import { checkConfig } from "../../src/config/load.ts";
import type { Log } from "../../src/lib/log.ts";
import { collectOffline, startServer } from "../../src/server.ts";
import type { OfflineLine } from "../../src/server/collect_offline.ts";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { FakeS3 } from "./fake_s3.ts";
import { driverOf, manifestHeaders, manifestOf, sha256 } from "./object_registry.ts";

interface Line {
  readonly msg?: unknown;
}

interface World extends AsyncDisposable {
  readonly main: FakeS3;
  readonly team: FakeS3;
  readonly path: (name: string) => string;
  /** `where`: what lies in a store of objects. */
  readonly storage: (where: { main: boolean; team: boolean }, entry?: object) => object;
  readonly lines: Line[];
  /** Starts, runs something, stops; what the start said, or "served". */
  readonly served: (storage: object, work?: (url: string) => Promise<void>) => Promise<string>;
}

async function opened(): Promise<World> {
  const [main, team] = [await FakeS3.start(), await FakeS3.start()];
  const directory = await tempDirectory("zot-sub-objects");
  const path = (name: string): string => join(directory.path, name);
  for (const name of ["main", "team"]) await mkdir(path(name));
  const lines: Line[] = [];
  const written = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const log = (): Log => {
    const made = pino({ level: "info" }, written);
    return Object.assign(made, { access: pino({ level: "silent" }) });
  };
  return {
    main,
    team,
    path,
    lines,
    storage: (where, entry = {}) => ({
      rootDirectory: path("main"),
      ...(where.main ? { storageDriver: driverOf(main) } : {}),
      subPaths: {
        "/team": {
          rootDirectory: path("team"),
          gc: true,
          ...(where.team ? { storageDriver: driverOf(team) } : {}),
          ...entry,
        },
      },
    }),
    served: async (storage, work = async () => {}) => {
      try {
        const server = await startServer(configOf(storage), log());
        try {
          await work(server.url);
        } finally {
          await server.stop();
        }
        return "served";
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const fake of [main, team]) await fake[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function configOf(storage: object) {
  const loaded = checkConfig({ storage, http: { address: "127.0.0.1", port: "0", workers: 1 } });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  return loaded.config;
}

const layer = sample(100_000);
const config = sample(500, 3);
const manifest = new Uint8Array(manifestOf(config, [layer]));

async function pushBlob(url: string, at: string, bytes: Uint8Array): Promise<number> {
  const target = `${url}/v2/${at}/blobs/uploads/?digest=${sha256(bytes)}`;
  return (await fetch(target, { method: "POST", body: Buffer.from(bytes) })).status;
}

async function push(url: string, at: string): Promise<void> {
  for (const bytes of [layer, config]) expect(await pushBlob(url, at, bytes)).toBe(201);
  const target = `${url}/v2/${at}/manifests/v1`;
  const put = await fetch(target, { method: "PUT", headers: manifestHeaders, body: manifest });
  expect(put.status).toBe(201);
}

async function pull(url: string, at: string): Promise<void> {
  const tag = await fetch(`${url}/v2/${at}/manifests/v1`);
  expect([tag.status, new Uint8Array(await tag.arrayBuffer())]).toEqual([200, manifest]);
  for (const bytes of [layer, config]) {
    const blob = await fetch(`${url}/v2/${at}/blobs/${sha256(bytes)}`);
    expect([blob.status, new Uint8Array(await blob.arrayBuffer())]).toEqual([200, bytes]);
  }
}

async function mount(url: string, to: string, from: string, bytes: Uint8Array): Promise<number> {
  const target = `${url}/v2/${to}/blobs/uploads/?mount=${sha256(bytes)}&from=${from}`;
  return (await fetch(target, { method: "POST" })).status;
}

const contentIn = (fake: FakeS3): number =>
  [...fake.objects.keys()].filter((key) => key.startsWith("objects/")).length;

const pairs = [
  { says: "a directory, and a bucket beside it", main: false, team: true },
  { says: "a bucket, and a directory beside it", main: true, team: false },
  { says: "two buckets", main: true, team: true },
];

describe.each(pairs)("$says", (where) => {
  test("content lies where its name says, is served by the next start, and mounts are copies", async () => {
    await using world = await opened();
    const { main, team, path, served, storage } = world;
    const lies = (name: string, at: string): boolean =>
      existsSync(join(path(name), at, "blobs/sha256", sha256(layer).slice(7)));
    const both = ["base/app", "team/app"];
    const first = async (url: string): Promise<void> => {
      for (const at of both) await push(url, at);
      for (const at of both) await pull(url, at);
      // Manifests lie with the metadata.
      expect([contentIn(main), contentIn(team)]).toEqual([where.main ? 2 : 0, where.team ? 2 : 0]);
      expect([lies("main", "base/app"), lies("team", "team/app")]).toEqual([
        !where.main,
        !where.team,
      ]);
      // Between the two, and within one.
      expect(await mount(url, "team/other", "base/app", layer)).toBe(201);
      expect(await mount(url, "base/other", "team/app", layer)).toBe(201);
      const blob = await fetch(`${url}/v2/team/other/blobs/${sha256(layer)}`);
      expect(new Uint8Array(await blob.arrayBuffer())).toEqual(layer);
      const listed = (await (await fetch(`${url}/v2/_catalog`)).json()) as object;
      expect(listed).toMatchObject({ repositories: expect.arrayContaining(both) });
    };
    expect(await served(storage(where), first)).toBe("served");
    const again = async (url: string): Promise<void> => {
      for (const at of both) await pull(url, at);
      for (const at of both) {
        const gone = await fetch(`${url}/v2/${at}/manifests/v1`, { method: "DELETE" });
        expect(gone.status).toBe(202);
      }
    };
    expect(await served(storage(where), again)).toBe("served");
    expect(world.lines.filter(({ msg }) => /could not|failed/.test(String(msg)))).toEqual([]);
  });

  test("collection without a server takes names away in both; a dry run takes none", async () => {
    await using world = await opened();
    const { served, storage } = world;
    const both = ["base/app", "team/app"];
    const loose = async (url: string): Promise<void> => {
      for (const at of both) expect(await pushBlob(url, at, layer)).toBe(201);
    };
    expect(await served(storage(where), loose)).toBe("served");
    const told: string[] = [];
    const options = {
      deleteUntagged: false,
      olderThanMs: 0,
      line: ({ what, repository, reference }: OfflineLine) =>
        told.push(`${what} ${repository} ${reference}`),
      problem: (text: string) => told.push(text),
    };
    for (const [dryRun, blobs] of [
      [true, 2],
      [false, 2],
      [false, 0],
    ] as const) {
      told.length = 0;
      const totals = await collectOffline(configOf(storage(where)), { ...options, dryRun });
      expect(totals).toMatchObject({ blobs, failed: 0 });
      if (blobs > 0) {
        for (const at of both) expect(told).toContain(`delete ${at} ${sha256(layer)}`);
      }
    }
    const gone = async (url: string): Promise<void> => {
      for (const at of both) {
        expect((await fetch(`${url}/v2/${at}/blobs/${sha256(layer)}`)).status).toBe(404);
      }
    };
    expect(await served(storage(where), gone)).toBe("served");
  });
});

describe("a start", () => {
  const inBoth = { main: true, team: true };

  test("takes a store for one entry of one registry", async () => {
    await using world = await opened();
    const { served, storage, main, team, path } = world;
    const entry = (key: string, fake: FakeS3): object => ({
      rootDirectory: path("main"),
      storageDriver: driverOf(main),
      subPaths: { [key]: { rootDirectory: path("team"), storageDriver: driverOf(fake) } },
    });
    expect(await served(storage(inBoth), (url) => push(url, "team/app"))).toBe("served");
    const registry = JSON.parse(String(main.objects.get("registry.json")?.bytes)) as { id: string };
    expect(JSON.parse(String(team.objects.get("registry.json")?.bytes))).toEqual({
      id: `${registry.id}/team`,
    });
    // Of another entry, though it goes by another name; of the main store; and the other way round.
    const renamed = await served(entry("/web", team));
    expect(renamed).toStartWith(
      'storage.subPaths["/team"].storageDriver: expected the store that holds',
    );
    expect(renamed).toContain("(s3 bucket bucket), got none; name it again");
    const swapped = { ...storage(inBoth), storageDriver: driverOf(team) };
    const line = await served({ ...swapped, subPaths: {} });
    expect(line).toContain(`found that of another one (${registry.id}/team)`);
    // A registry of its own, with the other one's store.
    for (const name of ["other", "otherteam"]) await mkdir(path(name));
    const foreign = await served({
      rootDirectory: path("other"),
      subPaths: { "/team": { rootDirectory: path("otherteam"), storageDriver: driverOf(team) } },
    });
    expect(foreign).toBe(
      'storage.subPaths["/team"].storageDriver: expected the store of names below team/ of this registry, ' +
        `found that of another one (${registry.id}/team); give another bucket or rootdirectory`,
    );
    expect(await served(storage(inBoth), (url) => pull(url, "team/app"))).toBe("served");
  });

  test("does not look for names where their content does not lie", async () => {
    await using world = await opened();
    const { served, storage, team, path, main } = world;
    const alone = { rootDirectory: path("main"), storageDriver: driverOf(main) };
    expect(await served(alone, (url) => push(url, "team/app"))).toBe("served");
    expect(await served(storage(inBoth))).toBe(
      'storage.subPaths["/team"].storageDriver: expected no repositories below team/ yet, found some whose content ' +
        "lies elsewhere, and is not moved; remove the entry, or copy them (zot copy) to a registry that has it",
    );
    expect(await served(alone, (url) => pull(url, "team/app"))).toBe("served");
    // A bucket whose mark was removed.
    const web = {
      ...alone,
      subPaths: { "/web": { rootDirectory: path("team"), storageDriver: driverOf(team) } },
    };
    expect(await served(web, (url) => push(url, "web/app"))).toBe("served");
    const mark = team.objects.get("registry.json")!;
    team.objects.delete("registry.json");
    expect(await served(web)).toContain(
      'storage.subPaths["/web"].storageDriver: expected registry.json there',
    );
    team.objects.set("registry.json", mark);
    expect(await served(web, (url) => pull(url, "web/app"))).toBe("served");
  });

  test("files are not taken for objects, nor objects for files", async () => {
    await using world = await opened();
    const { served, storage } = world;
    expect(await served(storage({ main: true, team: false }), (url) => push(url, "team/app"))).toBe(
      "served",
    );
    expect(await served(storage(inBoth))).toContain("expected no repositories below team/ yet");
    expect(await served(storage({ main: true, team: false }), (url) => pull(url, "team/app"))).toBe(
      "served",
    );
    await using other = await opened();
    expect(await other.served(other.storage(inBoth), (url) => push(url, "team/app"))).toBe(
      "served",
    );
    expect(await other.served(other.storage({ main: true, team: false }))).toContain(
      "name it again",
    );
  });

  test("an entry whose names are all gone may go; its objects are told of", async () => {
    await using world = await opened();
    const { served, storage, path, main } = world;
    expect(await served(storage(inBoth))).toBe("served");
    const alone = { rootDirectory: path("main"), storageDriver: driverOf(main) };
    expect(await served(alone)).toBe("served");
    expect(world.lines.map(({ msg }) => msg)).toContain(
      "storage.subPaths: nothing lies in s3 bucket bucket any more; what is left there is not removed",
    );
    expect(await served(storage(inBoth), (url) => push(url, "team/app"))).toBe("served");
  });

  test("says of each store that cannot be used why, without secrets", async () => {
    await using world = await opened();
    const { served, storage } = world;
    const wrong = {
      storageDriver: driverOf(world.team, { bucket: "none", secretkey: "tops3cret" }),
    };
    const line = await served(storage({ main: false, team: true }, wrong));
    expect(line).toStartWith('storage.subPaths["/team"].storageDriver: s3 bucket none at ');
    expect(line).toEndWith("expected a bucket that is there; create it, or change bucket");
    expect(line).not.toContain("tops3cret");
  });
});

test("while one store does not answer its names are 503, and all others are served; then it goes on", async () => {
  await using world = await opened();
  const { team, storage, served, lines } = world;
  const [other, own] = [sample(70_000, 5), sample(80_000, 6)];
  const said = (text: string) => () => lines.some(({ msg }) => String(msg).includes(text));
  const work = async (url: string): Promise<void> => {
    for (const at of ["base/app", "team/app"]) await push(url, at);
    expect(await pushBlob(url, "team/app", own)).toBe(201);
    team.fault = () => ({ status: 503, code: "SlowDown" });
    const pulled = await fetch(`${url}/v2/team/app/blobs/${sha256(layer)}`);
    expect([pulled.status, Number(pulled.headers.get("retry-after")) > 0]).toEqual([503, true]);
    expect(await pushBlob(url, "team/app", other)).toBe(503);
    // A copy cannot be made: the client sends the bytes, and hears of it then.
    expect(await mount(url, "base/other", "team/app", own)).toBe(202);
    await pull(url, "base/app");
    expect(await pushBlob(url, "base/app", other)).toBe(201);
    await eventually("its outage is told", said("names below team/ are answered 503 meanwhile"));
    for (const path of ["/livez", "/readyz", "/startupz"]) {
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    }
    team.fault = () => null;
    await eventually("it is told that it is over", said("the store answers again"));
    await pull(url, "team/app");
    expect(await pushBlob(url, "team/app", other)).toBe(201);
  };
  expect(await served(storage({ main: true, team: true }), work)).toBe("served");
});
