// Several stores by the first component of names (`storage.subPaths`), as a client, an operator and zot's examples have
// them: where content lies, mounts between stores, moved entries, and what a start says of them.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "./contracts/store_samples.ts";
import { eventually, run, startZot, tempDirectory, testedProgram, type Zot } from "./harness.ts";
import { config, content, image, layer, type Content } from "./http/content.ts";
import { reasonOf } from "./reason_of.ts";

const command = await testedProgram();

interface Places extends AsyncDisposable {
  readonly main: string;
  readonly team: string;
  readonly path: string;
  /** A configuration with the stores that are named, and more of `storage`. */
  readonly storage: (more?: object, entry?: object) => object;
}

async function places(): Promise<Places> {
  const directory = await tempDirectory("zot-stores");
  const [main, team] = [join(directory.path, "main"), join(directory.path, "team")];
  return {
    main,
    team,
    path: directory.path,
    storage: (more = {}, entry = {}) => ({
      storage: {
        rootDirectory: main,
        subPaths: { "/team": { rootDirectory: team, ...entry } },
        ...more,
      },
    }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function pushBlob(url: string, at: string, pushed: Content): Promise<void> {
  const path = `${url}/v2/${at}/blobs/uploads/?digest=${pushed.digest}`;
  const answer = await fetch(path, { method: "POST", body: Buffer.from(pushed.bytes) });
  expect(answer.status).toBe(201);
}

async function pushImage(url: string, at: string, tag: string): Promise<void> {
  for (const blob of [config, layer]) await pushBlob(url, at, blob);
  const pushed = image();
  const answer = await fetch(`${url}/v2/${at}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": pushed.mediaType },
    body: Buffer.from(pushed.bytes),
  });
  expect(answer.status).toBe(201);
}

async function pulls(url: string, at: string, tag: string): Promise<boolean> {
  const manifest = await fetch(`${url}/v2/${at}/manifests/${tag}`);
  if (manifest.status !== 200) return false;
  for (const { digest, bytes } of [config, layer]) {
    const blob = await fetch(`${url}/v2/${at}/blobs/${digest}`);
    if (blob.status !== 200) return false;
    expect(Buffer.compare(Buffer.from(await blob.arrayBuffer()), Buffer.from(bytes))).toBe(0);
  }
  return true;
}

const fileOf = (root: string, at: string, { digest }: Content): string =>
  join(root, at, "blobs/sha256", digest.slice(7));

async function mount(url: string, to: string, from: string, { digest }: Content) {
  const path = `${url}/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`;
  return (await fetch(path, { method: "POST" })).status;
}

async function refusedStart(options: object): Promise<string> {
  const reason = await reasonOf(
    startZot({ config: options }).then(async (zot: Zot) => {
      await zot[Symbol.asyncDispose]();
    }),
  );
  return String(reason);
}

describe("content", () => {
  test("lies where its name says, and is served and listed together", async () => {
    await using at = await places();
    await using zot = await startZot({ config: at.storage() });
    for (const name of ["base/app", "team/app", "team"]) await pushImage(zot.url, name, "v1");
    for (const name of ["base/app", "team/app", "team"]) {
      expect(await pulls(zot.url, name, "v1")).toBe(true);
    }
    const here = (root: string, name: string) => existsSync(fileOf(root, name, layer));
    // A name of one component lies in the main store, as in zot.
    expect([here(at.main, "base/app"), here(at.main, "team"), here(at.main, "team/app")]).toEqual([
      true,
      true,
      false,
    ]);
    expect([here(at.team, "base/app"), here(at.team, "team"), here(at.team, "team/app")]).toEqual([
      false,
      false,
      true,
    ]);
    const catalog = (await (await fetch(`${zot.url}/v2/_catalog`)).json()) as object;
    expect(catalog).toEqual({ repositories: ["base/app", "team", "team/app"] });
    await eventually("both stores have their index.json", async () => {
      const indexes = await Promise.all(
        [join(at.main, "base/app"), join(at.team, "team/app")].map((directory) =>
          readFile(join(directory, "index.json"), "utf8"),
        ),
      );
      return indexes.every((text) => text.includes(image().digest));
    });
    expect(await zot.stop()).toBe(0);
  });

  test("is shared within a store that says so, and in no other", async () => {
    await using at = await places();
    await using zot = await startZot({ config: at.storage() });
    const links = async (root: string, name: string) =>
      (await stat(fileOf(root, name, layer))).nlink;
    for (const name of ["base/one", "base/two", "team/one", "team/two"]) {
      await pushBlob(zot.url, name, layer);
    }
    expect(await links(at.main, "base/one")).toBe(2);
    // As in zot, an entry shares nothing unless it says so.
    expect(await links(at.team, "team/one")).toBe(1);
    await zot.configure(at.storage({}, { dedupe: true }));
    await zot.waitForLog(
      "the file is in force",
      ({ msg }) => msg === "the configuration was changed",
    );
    await pushBlob(zot.url, "team/three", layer);
    expect(await links(at.team, "team/three")).toBe(2);
  });

  test("is mounted from one store into the other as a copy of its own", async () => {
    await using at = await places();
    await using zot = await startZot({ config: at.storage() });
    const large = content(sample(5_000_000));
    for (const [from, to] of [
      ["base/app", "team/app"],
      ["team/other", "base/other"],
    ] as const) {
      for (const blob of [layer, large]) {
        await pushBlob(zot.url, from, blob);
        expect(await mount(zot.url, to, from, blob)).toBe(201);
        const got = await fetch(`${zot.url}/v2/${to}/blobs/${blob.digest}`);
        const bytes = Buffer.from(await got.arrayBuffer());
        expect(Buffer.compare(bytes, Buffer.from(blob.bytes))).toBe(0);
        await fetch(`${zot.url}/v2/${from}/blobs/${blob.digest}`, { method: "DELETE" });
      }
    }
    for (const root of [at.main, at.team]) {
      expect(await readdir(join(root, "_zot/uploads"))).toEqual([]);
    }
    // Damaged bytes are never copied: the client sends them.
    await pushBlob(zot.url, "base/bad", content("good"));
    await writeFile(fileOf(at.main, "base/bad", content("good")), "evil");
    expect(await mount(zot.url, "team/bad", "base/bad", content("good"))).toBe(202);
  });
});

test("a mount from another store takes what a repository beside the target has", async () => {
  await using at = await places();
  await using zot = await startZot({ config: at.storage({}, { dedupe: true }) });
  // Many that have it lie in the other store.
  for (let count = 0; count < 5; count += 1) await pushBlob(zot.url, `base/app${count}`, layer);
  expect(await mount(zot.url, "team/one", "base/app1", layer)).toBe(201);
  expect(await mount(zot.url, "team/two", "base/app1", layer)).toBe(201);
  await pushBlob(zot.url, "team/three", layer);
  expect((await stat(fileOf(at.team, "team/one", layer))).nlink).toBe(3);
  // Whoever may not read the source gets nothing from beside either: it is asked first.
  expect(await mount(zot.url, "team/four", "base/none", layer)).toBe(202);
});

describe("collection", () => {
  test("is what the entry says, and changes while the server runs", async () => {
    await using at = await places();
    const fast = { gcDelay: "1ms", gcInterval: "1s", undo: { window: "0s" } };
    await using zot = await startZot({ config: at.storage({ gc: true, ...fast }) });
    for (const name of ["base/app", "team/app"]) await pushBlob(zot.url, name, layer);
    const gone = (root: string, name: string) =>
      eventually(`${name} is collected`, () => !existsSync(fileOf(root, name, layer)));
    await gone(at.main, "base/app");
    // An entry collects nothing unless it says so, as in zot.
    expect(existsSync(fileOf(at.team, "team/app", layer))).toBe(true);
    const entry = { gc: true, gcDelay: "1ms", gcInterval: "1s" };
    await zot.configure(at.storage({ gc: false, ...fast }, entry));
    await zot.waitForLog(
      "the file is in force",
      ({ msg }) => msg === "the configuration was changed",
    );
    await pushBlob(zot.url, "base/two", layer);
    await gone(at.team, "team/app");
    expect(existsSync(fileOf(at.main, "base/two", layer))).toBe(true);
  }, 120_000);

  test("retention has the rules of each store", async () => {
    await using at = await places();
    const keeping = (patterns: string[]) => ({
      retention: { policies: [{ repositories: ["**"], keepTags: [{ patterns }] }] },
    });
    const fast = { gc: true, gcDelay: "1h", gcInterval: "1s" };
    await using zot = await startZot({
      config: at.storage({ ...fast, ...keeping(["^main$"]) }, { ...fast, ...keeping(["^team$"]) }),
    });
    for (const name of ["base/app", "team/app"]) {
      for (const tag of ["main", "team"]) await pushImage(zot.url, name, tag);
    }
    const tags = async (name: string) =>
      ((await (await fetch(`${zot.url}/v2/${name}/tags/list`)).json()) as { tags: string[] }).tags;
    await eventually("one tag is left in each", async () => {
      return (await tags("base/app")).length === 1 && (await tags("team/app")).length === 1;
    });
    expect(await tags("base/app")).toEqual(["main"]);
    expect(await tags("team/app")).toEqual(["team"]);
    const explained = await run(command, ["retention", "explain", `${zot.host}/team/app`]);
    expect(explained.stdout).toContain('storage.subPaths["/team"].retention.policies[0]');
  }, 120_000);
});

describe("root directories", () => {
  test("of two registries are never one: a second server is refused", async () => {
    await using at = await places();
    await using zot = await startZot({ config: at.storage() });
    const other = { storage: { rootDirectory: join(at.path, "other") } };
    expect(
      await refusedStart({
        storage: { ...other.storage, subPaths: { "/team": { rootDirectory: at.team } } },
      }),
    ).toContain(
      `expected a directory of this registry, but ${at.team} is part of that in ${at.main}`,
    );
    expect(await refusedStart({ storage: { rootDirectory: at.team } })).toContain(
      "found it served by another zot",
    );
    expect(await zot.stop()).toBe(0);
    // Nobody serves it now, and it is that registry's all the same.
    expect(
      await refusedStart({
        storage: { ...other.storage, subPaths: { "/x": { rootDirectory: at.team } } },
      }),
    ).toContain("is part of that in");
  });

  test("of servers that share them are the same for all", async () => {
    await using at = await places();
    const shared = (stores: object) => ({
      storage: { rootDirectory: at.main, shared: true, subPaths: stores },
    });
    const both = shared({ "/team": { rootDirectory: at.team } });
    await using first = await startZot({ config: both });
    await using second = await startZot({ config: both });
    await pushImage(first.url, "team/app", "v1");
    expect(await pulls(second.url, "team/app", "v1")).toBe(true);
    const web = { "/web": { rootDirectory: join(at.path, "web") } };
    for (const stores of [{ "/team": { rootDirectory: at.team }, ...web }, web]) {
      expect(await refusedStart(shared(stores))).toMatch(
        /expected the entries of the other servers on|names below team\/ would lie in/,
      );
    }
    await using third = await startZot({ config: both });
    expect(await pulls(third.url, "team/app", "v1")).toBe(true);
  }, 120_000);

  test("that a link makes one are refused", async () => {
    await using at = await places();
    await mkdir(at.main);
    await run("ln", ["-s", at.main, at.team]);
    expect(await refusedStart(at.storage())).toContain(
      `expected a directory beside that of storage.rootDirectory, but it leads to ${at.main}`,
    );
  });

  test("are taken up again after all of the main one's own files were lost", async () => {
    await using at = await places();
    {
      await using zot = await startZot({ config: at.storage() });
      for (const name of ["base/app", "team/app"]) await pushImage(zot.url, name, "v1");
      expect(await zot.stop()).toBe(0);
    }
    await rm(join(at.main, "_zot"), { recursive: true });
    await using zot = await startZot({ config: at.storage() });
    for (const name of ["base/app", "team/app"]) {
      await eventually("it was read in", () => pulls(zot.url, name, "v1"));
    }
    expect(await zot.stop()).toBe(0);
  });

  test("whose disk is not mounted stop the start, and nothing is made in their place", async () => {
    await using at = await places();
    {
      await using zot = await startZot({ config: at.storage() });
      await pushImage(zot.url, "team/app", "v1");
      expect(await zot.stop()).toBe(0);
    }
    const away = `${at.team}.away`;
    await rename(at.team, away);
    const line = `storage.subPaths["/team"]: names below team/ lay in ${at.team}, and there is no store`;
    expect(await refusedStart(at.storage())).toContain(line);
    const offline = await run(command, ["gc", "-r", at.main]);
    expect(offline).toMatchObject({ code: 1 });
    expect(offline.stderr).toContain(line);
    expect(existsSync(at.team)).toBe(false);
    await mkdir(at.team);
    expect(await refusedStart(at.storage())).toContain(line);
    await rm(at.team, { recursive: true });
    await rename(away, at.team);
    await using zot = await startZot({ config: at.storage() });
    expect(await pulls(zot.url, "team/app", "v1")).toBe(true);
  });
});

describe("an entry that is new, or gone", () => {
  test("over content that is there stops the start with the way to move it, and it is served from there", async () => {
    await using at = await places();
    const alone = { storage: { rootDirectory: at.main } };
    {
      await using zot = await startZot({ config: alone });
      for (const name of ["team/app", "team/deep/er", "base/app"]) {
        await pushImage(zot.url, name, "v1");
      }
      expect(await zot.stop()).toBe(0);
    }
    const verified = async (options: object) => {
      const file = join(at.path, "config.json");
      await writeFile(file, JSON.stringify(options));
      return run(command, ["verify", file]);
    };
    const refused = await refusedStart(at.storage());
    const way = `mkdir -p ${at.team} && mv ${join(at.main, "team")} ${join(at.team, "team")}`;
    expect(refused).toContain(
      `storage.subPaths["/team"]: names below team/ would lie in ${at.team}, but team/app, team/deep/er lie in ${at.main}; ` +
        `move it while no server runs: ${way}`,
    );
    expect(await verified(at.storage())).toMatchObject({ code: 1 });
    // Nothing was changed by the refusal.
    {
      await using zot = await startZot({ config: alone });
      expect(await pulls(zot.url, "team/app", "v1")).toBe(true);
      expect(await zot.stop()).toBe(0);
    }
    expect(await run("sh", ["-c", way])).toMatchObject({ code: 0 });
    expect(await verified(at.storage())).toMatchObject({ code: 0 });
    {
      await using zot = await startZot({ config: at.storage() });
      for (const name of ["team/app", "team/deep/er", "base/app"]) {
        expect(await pulls(zot.url, name, "v1")).toBe(true);
      }
      expect(await zot.stop()).toBe(0);
    }
    // And back again.
    expect(await refusedStart(alone)).toContain(`names below team/ would lie in ${at.main}`);
    await rename(join(at.team, "team"), join(at.main, "team"));
    await using zot = await startZot({ config: alone });
    expect(await pulls(zot.url, "team/app", "v1")).toBe(true);
  }, 120_000);

  test("with a repository of that name alone, which stays, is moved by the line as it stands", async () => {
    await using at = await places();
    {
      await using zot = await startZot({ config: { storage: { rootDirectory: at.main } } });
      for (const name of ["team", "team/app"]) await pushImage(zot.url, name, "v1");
      expect(await zot.stop()).toBe(0);
    }
    const refused = await refusedStart(at.storage());
    const way = /no server runs: (mkdir .*), then remove/.exec(refused)?.[1] ?? "false";
    expect(await run("sh", ["-c", way])).toMatchObject({ code: 0 });
    await rm(join(at.main, "team/app"), { recursive: true });
    await using zot = await startZot({ config: at.storage() });
    for (const name of ["team", "team/app"]) expect(await pulls(zot.url, name, "v1")).toBe(true);
  });

  test("over layouts that the registry never knew warns of them, and serves the rest", async () => {
    await using at = await places();
    await using made = await tempDirectory("zot-made");
    {
      await using zot = await startZot({ rootDirectory: made.path });
      await pushImage(zot.url, "base/app", "v1");
      expect(await zot.stop()).toBe(0);
    }
    // As a root of zot's with an entry has it: what lay there before the entry came is hidden.
    await mkdir(join(at.main, "team"), { recursive: true });
    await mkdir(join(at.team, "other"), { recursive: true });
    await cp(join(made.path, "base/app"), join(at.main, "team/app"), { recursive: true });
    await cp(join(made.path, "base/app"), join(at.team, "other/app"), { recursive: true });
    await using zot = await startZot({ config: at.storage() });
    const said = (what: string) =>
      zot.waitForLog(what, ({ msg }) => typeof msg === "string" && msg.includes(what));
    await said(`team/app lies in ${at.main}, and is not served: its name lies in ${at.team}`);
    await said(`other/app lies in ${at.team}, and is not served: its name lies in ${at.main}`);
    expect((await fetch(`${zot.url}/v2/team/app/tags/list`)).status).toBe(404);
  });
});

describe("commands on a root that no server serves", () => {
  test("look at every store, and at none alone", async () => {
    await using at = await places();
    {
      await using zot = await startZot({ config: at.storage({ gc: false }) });
      for (const name of ["base/app", "team/app"]) {
        await pushImage(zot.url, name, "v1");
        await pushBlob(zot.url, name, content("nobody names it"));
      }
      const running = await run(command, ["gc", "-r", at.main]);
      expect(running.stderr).toContain("found it served by another zot");
      expect(await zot.stop()).toBe(0);
    }
    const alone = await run(command, ["gc", "-r", at.team]);
    expect(alone).toMatchObject({ code: 1 });
    expect(alone.stderr).toContain(
      `${at.team} is a store of the registry in ${at.main}: give that`,
    );
    const inside = await run(command, ["gc", "-r", join(at.team, "team/app")]);
    expect(inside.stderr).toContain(`lies in the root directory ${at.main}: give that`);
    const lone = content("nobody names it");
    const dry = await run(command, ["gc", "-r", at.main, "-d"]);
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(existsSync(fileOf(at.team, "team/app", lone))).toBe(true);
    const real = await run(command, ["gc", "-r", at.main]);
    expect(real).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout.replace(" (dry run)", "")).toBe(real.stdout);
    expect(real.stdout).toContain("0 manifests, 2 blobs");
    expect(existsSync(fileOf(at.team, "team/app", lone))).toBe(false);
    const file = join(at.path, "config.json");
    await writeFile(file, JSON.stringify(at.storage()));
    await writeFile(fileOf(at.team, "team/app", layer), "damaged");
    for (const given of [[file], ["-r", at.main]]) {
      const scrubbed = await run(command, ["scrub", ...given]);
      expect(scrubbed.code).toBe(3);
      expect(scrubbed.stdout).toMatch(/base\/app .* ok/);
      expect(scrubbed.stdout).toMatch(/team\/app .* affected/);
    }
  }, 120_000);
});

test("the metrics page tells the room of every store", async () => {
  await using at = await places();
  await using zot = await startZot({
    config: { ...at.storage(), extensions: { metrics: { enable: true } } },
  });
  const page = await (await fetch(`${zot.url}/metrics`)).text();
  for (const labels of ['{state="free"}', '{state="free",path="/team"}']) {
    expect(page).toContain(`zot_storage_filesystem_bytes${labels} `);
  }
});
