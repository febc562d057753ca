// What search costs: `scripts/bun bench/search.ts [--quick] [--only queries|fill|push|peer] [--zot-go FILE]`.
//
// *queries*: 100,000 images in 2,000 repositories, in this process; each query of the interfaces again and again, with
// its CPU time at the middle and at the 99th part of a hundred. *fill*: a root of 10,000 images that search has not
// seen, summarised as a start does it. *push*: what search adds to the CPU time of a push (`search_push.ts`). *peer*, with
// `--zot-go`: what queries cost here and in zot (Go) (`search_peer.ts`). It prints the figures and judges nothing.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { everyone } from "../src/auth/caller.ts";
import { QueryEngine } from "../src/extensions/search/execute_query.ts";
import { fillWork } from "../src/extensions/search/fill.ts";
import { RepositoryIndex } from "../src/extensions/search/repository_index.ts";
import { Searching } from "../src/extensions/search/searching.ts";
import { Sight } from "../src/extensions/search/sight.ts";
import { systemClock } from "../src/lib/clock.ts";
import { recordCommit } from "../src/metadata/records.ts";
import { Connection } from "../src/metadata/sqlite/connection.ts";
import { finish } from "../src/metadata/sql/statements.ts";
import { SqliteEngine } from "../src/metadata/sqlite/sqlite_engine.ts";
import { summaryTables } from "../src/metadata/sqlite/summary_tables.ts";
import { summaries, summaryVersion, type NewSummary } from "../src/metadata/summaries.ts";
import { digestOf, type Digest } from "../src/oci/digest.ts";
import { mediaTypes } from "../src/oci/media_types.ts";
import { pushManifest } from "../src/registry/push_manifest.ts";
import { metadataFile } from "../src/storage/layout.ts";
import { tempDirectory } from "../test/harness.ts";
import { openRoot, pushBlob } from "../test/registry/world.ts";
import { measurePeer } from "./search_peer.ts";
import { measurePush } from "./search_push.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    "zot-go": { type: "string", default: "" },
  },
});

const digest = (text: string): Digest =>
  `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;
const [imagesOfAll, repositoriesOfAll] = values.quick ? [10_000, 200] : [100_000, 2_000];
/** One repository has as many tags as a busy one. */
const busyTags = values.quick ? 500 : 5_000;
const layersOfImage = 6;
const hour = 3_600_000;

const nameOf = (at: number): string => (at === 0 ? "busy/app" : `team-${at % 40}/app-${at}`);

function summaryOf(image: number, repository: number): NewSummary {
  return {
    digest: digest(`manifest ${image}`),
    kind: "image",
    artifactType: mediaTypes.ociConfig,
    config: { digest: digest(`config ${image}`), mediaType: mediaTypes.ociConfig },
    platform: { os: "linux", arch: image % 3 === 0 ? "arm64/v8" : "amd64" },
    updatedAt: 1_700_000_000_000 + image * hour,
    annotatedAt: null,
    sizeBytes: 50_000_000 + image,
    texts: { title: `app ${repository}`, description: "An image of the benchmark", vendor: "us" },
    annotatedVendor: `vendor ${repository % 7}`,
    layers: Array.from({ length: layersOfImage }, (_, at) => ({
      digest: digest(at === 0 ? `base ${repository % 50}` : `layer ${image} ${at}`),
      sizeBytes: 8_000_000,
    })),
    children: [],
    names: [],
  };
}

/** Writes what pushes and the follower would have written. */
function fill(path: string): void {
  const database = new Connection(path, { strict: true });
  const add = {
    repository: database.query<unknown, [string]>(
      "INSERT INTO repositories (name, created_at) VALUES (?1, 0)",
    ),
    manifest: database.query<unknown, [number, string, string]>(
      "INSERT INTO manifests (repository, digest, media_type, size, pushed_at) VALUES (?1, ?2, ?3, 500, 0)",
    ),
    tag: database.query<unknown, [number, string, string, number]>(
      "INSERT INTO tags VALUES (?1, ?2, ?3, ?4)",
    ),
  };
  const work = { engine: new SqliteEngine(database), now: 0 };
  const tags = new Map<number, string[]>();
  database.transaction(() => {
    for (let at = 0; at < repositoriesOfAll; at += 1) add.repository.run(nameOf(at));
    for (let image = 0; image < imagesOfAll; image += 1) {
      const at = image < busyTags ? 0 : 1 + (image % (repositoriesOfAll - 1));
      const tag = `1.${Math.floor(image / 100)}.${image % 100}`;
      const summary = summaryOf(image, at);
      add.manifest.run(at + 1, summary.digest, mediaTypes.ociImage);
      add.tag.run(at + 1, tag, summary.digest, 1_700_000_000_000 + image * hour);
      finish(summaryTables.apply(work, { kind: "summarise", repository: nameOf(at), summary }));
      tags.set(at, [...(tags.get(at) ?? []), tag]);
    }
    for (const [at, all] of tags) {
      finish(summaryTables.apply(work, { kind: "set-images", repository: nameOf(at), tags: all }));
    }
  })();
  database.close();
}

const repositoryFields =
  "Page{TotalCount ItemCount} Repos{Name LastUpdated Size Platforms{Os Arch} IsStarred IsBookmarked " +
  "NewestImage{Tag Vulnerabilities{MaxSeverity Count} Description IsSigned SignatureInfo{Tool IsTrusted Author} " +
  "Licenses Vendor Labels} StarCount DownloadCount}";
const imageFields =
  "Page{TotalCount ItemCount} Results{RepoName Tag Digest Manifests{Digest Platform{Os Arch} Size Layers{Digest}} LastUpdated IsSigned}";
const search = (text: string, page: string, filter = ""): string =>
  `{GlobalSearch(query:"${text}",requestedPage:{${page}}${filter}){${repositoryFields}}}`;

const queries: Readonly<Record<string, string>> = {
  "home: most pulled": search("", "limit:3 sortBy:DOWNLOADS"),
  "home: newest": search("", "limit:2 sortBy:UPDATE_TIME"),
  "home: bookmarks": search("", "limit:2", ",filter:{IsBookmarked:true}"),
  "explore, page 1": search("", "limit:10 offset:0 sortBy:RELEVANCE"),
  "explore, page 100, linux": search("", "limit:10 offset:990", ',filter:{Os:["linux"]}'),
  "search: app-1": search("app-1", "limit:9 sortBy:RELEVANCE"),
  "suggestions: busy/app:1.4": `{GlobalSearch(query:"busy/app:1.4",requestedPage:{limit:9}){Page{TotalCount} Images{RepoName Tag}}}`,
  "tags: :1.777": `{GlobalSearch(query:":1.77",requestedPage:{limit:9}){Page{TotalCount} Images{RepoName Tag}}}`,
  "digest of a layer": `{ImageListForDigest(id:"${digest("layer 77 3")}"){${imageFields}}}`,
  "digest of a base (2,000 images)": `{ImageListForDigest(id:"${digest("base 7")}",requestedPage:{limit:10}){${imageFields}}}`,
  "one image": `{Image(image:"busy/app:1.2.3"){RepoName Tag Size IsSigned Manifests{Layers{Size Digest} Platform{Os Arch}} Referrers{Digest}}}`,
  "busy repository, 50 tags by time": `{ImageList(repo:"busy/app",requestedPage:{limit:50 sortBy:UPDATE_TIME}){${imageFields}}}`,
  "busy repository, all tags": `{ExpandedRepoInfo(repo:"busy/app"){Images{Manifests{Digest Platform{Os Arch} Size} Tag LastUpdated Vendor IsDeletable} Summary{Name Size}}}`,
  "all images, page by name": `{ImageList(repo:"",requestedPage:{limit:20 offset:5000}){${imageFields}}}`,
  "all images, page by time": `{ImageList(repo:"",requestedPage:{limit:20 offset:5000 sortBy:UPDATE_TIME}){${imageFields}}}`,
  "based on": `{BaseImageList(image:"busy/app:1.2.3",requestedPage:{limit:10}){${imageFields}}}`,
};

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function measureQueries(): Promise<void> {
  await using directory = await tempDirectory("zot-bench-search");
  const root = join(directory.path, "root");
  const opened = await openRoot(root, systemClock, true, () => {});
  const { registry } = opened;
  const before = cpuMs();
  fill(join(root, metadataFile));
  console.log(
    `${imagesOfAll} images in ${repositoriesOfAll} repositories, written in ${((cpuMs() - before) / 1_000).toFixed(1)} s of CPU`,
  );
  const index = new RepositoryIndex(registry.metadata);
  const engine = new QueryEngine((error) => console.error(error));
  const run = async (query: string, ids: ReadonlySet<number> | null): Promise<string> => {
    const { status, text } = await engine.run(
      { query, variables: null, operationName: null },
      async () => {
        await index.refresh();
        const sight = new Sight(index, ids);
        return new Searching(registry, { caller: everyone, showsWho: true, sight });
      },
    );
    if (status !== 200 || text.startsWith('{"errors"')) throw new Error(text.slice(0, 300));
    return text;
  };
  await run('{GlobalSearch(query:"",requestedPage:{limit:1}){Page{TotalCount}}}', null);
  const few = new Set(index.all.filter((_, at) => at % 100 === 0).map(({ id }) => id));
  for (const [who, ids] of [
    ["all", null],
    ["1 % of the repositories", few],
  ] as const) {
    console.log(`\na caller who may read ${who}: ms of CPU`);
    for (const [name, query] of Object.entries(queries)) {
      const isBusy = name.includes("busy") || name.includes("one image") || name === "based on";
      if (ids !== null && isBusy && !ids.has(index.find("busy/app")?.id ?? -1)) continue;
      const spent: number[] = [];
      let length = 0;
      for (let turn = 0; turn < (values.quick ? 20 : 100); turn += 1) {
        const started = cpuMs();
        length = (await run(query, ids)).length;
        spent.push(cpuMs() - started);
      }
      spent.sort((a, b) => a - b);
      const at = (part: number): string =>
        (spent[Math.floor(part * (spent.length - 1))] ?? 0).toFixed(2);
      console.log(
        `${name.padEnd(36)} p50 ${at(0.5).padStart(7)}  p99 ${at(0.99).padStart(7)}  ${length} bytes`,
      );
    }
  }
  await opened.close();
}

/** A root of images that search has not seen. */
async function measureFill(): Promise<void> {
  await using directory = await tempDirectory("zot-bench-search");
  const opened = await openRoot(join(directory.path, "root"), systemClock, true, () => {});
  const { registry } = opened;
  const images = values.quick ? 1_000 : 10_000;
  const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  for (let at = 0; at < images; at += 1) {
    const repository = `team/app-${at % 100}`;
    const history = Array.from({ length: layersOfImage }, (_, step) => ({
      created_by: `RUN step ${step} of ${at}`,
    }));
    const config = bytes({
      os: "linux",
      architecture: "amd64",
      created: "2026-01-01T00:00:00Z",
      history,
      at,
    });
    const layers = [`base ${at % 10}`, `layer ${at}`].map((text) => Buffer.from(text));
    for (const blob of [config, ...layers]) await pushBlob({ registry }, blob, repository);
    const described = (blob: Uint8Array, mediaType: string) => ({
      mediaType,
      digest: digestOf("sha256", blob),
      size: blob.length,
    });
    await pushManifest(registry, {
      repository,
      reference: { kind: "tag", tag: `v${at}` },
      tags: [],
      bytes: bytes({
        schemaVersion: 2,
        mediaType: mediaTypes.ociImage,
        config: described(config, mediaTypes.ociConfig),
        layers: layers.map((blob) => described(blob, mediaTypes.ociLayer)),
      }),
      contentType: mediaTypes.ociImage,
      tagIs: null,
      by: null,
    });
  }
  await registry.metadata.commit(
    recordCommit(summaries, { kind: "begin-round", version: summaryVersion }),
  );
  const [startedMs, before] = [performance.now(), cpuMs()];
  await fillWork.run(registry, 1, new AbortController().signal);
  const seconds = (performance.now() - startedMs) / 1_000;
  const cpu = (cpuMs() - before) / 1_000;
  console.log(
    `${images} images summarised in ${seconds.toFixed(1)} s (${Math.round(images / seconds)}/s), ` +
      `${cpu.toFixed(1)} s of CPU (${Math.round(images / cpu)}/s)`,
  );
  await opened.close();
}

if (values.only === "" || values.only === "queries") await measureQueries();
if (values.only === "" || values.only === "fill") await measureFill();
if (values.only === "" || values.only === "push") await measurePush(values.quick ? 20 : 100);
if (values["zot-go"] !== "" && (values.only === "" || values.only === "peer")) {
  await measurePeer(values["zot-go"], values.quick ? 1_000 : 10_000);
}
