// What a query costs here and in zot (Go), over HTTP, with the same content: an OCI layout of many repositories that both
// take in as it lies on disk. The figure of each query is the ratio of CPU time of all processes of a server.

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mediaTypes } from "../src/oci/media_types.ts";
import {
  checkoutProgram,
  eventually,
  freePort,
  startService,
  tempDirectory,
} from "../test/harness.ts";
import { cpuOf } from "./server_cpu.ts";

const imagesOfRepository = 100;
/** The first questions compile what runs. */
const warmQueries = 20;
/** How long a server may take to know all images. */
const readyMs = 1_200_000;

interface Blob {
  readonly digest: string;
  readonly size: number;
}

function put(directory: string, content: string): Blob {
  const hex = createHash("sha256").update(content).digest("hex");
  writeFileSync(join(directory, hex), content);
  return { digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
}

const nameOf = (at: number): string => `team-${at % 10}/app-${at}`;
const created = (image: number): string =>
  new Date(1_700_000_000_000 + image * 3_600_000).toISOString();

/** Writes repositories as layouts; gives what they take to know. */
function writeContent(root: string, images: number): void {
  for (let at = 0; at < images / imagesOfRepository; at += 1) {
    const directory = join(root, nameOf(at));
    const blobs = join(directory, "blobs", "sha256");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const manifests = Array.from({ length: imagesOfRepository }, (_, of) => {
      const image = at * imagesOfRepository + of;
      const layers = [`base ${at % 20}`, `layer ${image}`].map((text) => put(blobs, text));
      const config = put(
        blobs,
        JSON.stringify({
          os: "linux",
          architecture: image % 3 === 0 ? "arm64" : "amd64",
          created: created(image),
          config: { Labels: { "org.opencontainers.image.title": `app ${at}` } },
          rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
          history: layers.map((_, step) => ({ created_by: `RUN step ${step} of ${image}` })),
        }),
      );
      const manifest = put(
        blobs,
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.ociImage,
          config: { mediaType: mediaTypes.ociConfig, ...config },
          layers: layers.map((layer) => ({ mediaType: mediaTypes.ociLayer, ...layer })),
        }),
      );
      const annotations = { "org.opencontainers.image.ref.name": `1.${of}` };
      return { mediaType: mediaTypes.ociImage, ...manifest, annotations };
    });
    writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  }
}

const repositoryFields =
  "Page{TotalCount ItemCount} Repos{Name LastUpdated Size Platforms{Os Arch} IsStarred IsBookmarked " +
  "NewestImage{Tag Description IsSigned Licenses Vendor Labels} StarCount DownloadCount}";
const imageFields =
  "Page{TotalCount ItemCount} Results{RepoName Tag Digest Manifests{Digest Platform{Os Arch} Size Layers{Digest}} LastUpdated IsSigned}";

function queriesOf(layer: string): Readonly<Record<string, string>> {
  const global = (text: string, page: string, fields = repositoryFields): string =>
    `{GlobalSearch(query:"${text}",requestedPage:{${page}}){${fields}}}`;
  return {
    "home: newest": global("", "limit:2 sortBy:UPDATE_TIME"),
    explore: global("", "limit:10 offset:0 sortBy:RELEVANCE"),
    "search: app-1": global("app-1", "limit:9 sortBy:RELEVANCE"),
    "suggestions: one repository": global(`${nameOf(7)}:1.1`, "limit:9", "Images{RepoName Tag}"),
    "one image": `{Image(image:"${nameOf(7)}:1.7"){RepoName Tag Size IsSigned Manifests{Layers{Size Digest} Platform{Os Arch}} Referrers{Digest}}}`,
    "a repository with its 100 tags": `{ExpandedRepoInfo(repo:"${nameOf(7)}"){Images{Manifests{Digest Platform{Os Arch} Size} Tag LastUpdated Vendor IsDeletable} Summary{Name Size}}}`,
    "digest of a layer": `{ImageListForDigest(id:"${layer}"){${imageFields}}}`,
    "all images, page by time": `{ImageList(repo:"",requestedPage:{limit:20 offset:500 sortBy:UPDATE_TIME}){${imageFields}}}`,
    "based on": `{BaseImageList(image:"${nameOf(7)}:1.7",requestedPage:{limit:10}){${imageFields}}}`,
  };
}

interface Side {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

async function ask(side: Side, query: string): Promise<string> {
  const url = `${side.url}/v2/_zot/ext/search?query=${encodeURIComponent(query)}`;
  const answer = await fetch(url);
  const text = await answer.text();
  if (answer.status !== 200)
    throw new Error(`${side.name}: ${answer.status} ${text.slice(0, 200)}`);
  return text;
}

async function startSide(
  name: string,
  program: string,
  place: { readonly directory: string; readonly images: number },
): Promise<Side & AsyncDisposable> {
  const { directory, images } = place;
  const root = join(directory, name);
  writeContent(root, images);
  const port = await freePort();
  const file = join(directory, `${name}.json`);
  const config = {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: root, gc: false },
    http: { address: "127.0.0.1", port: String(port) },
    log: { level: "error" },
    extensions: { search: { enable: true } },
  };
  writeFileSync(file, JSON.stringify(config));
  const before = performance.now();
  const service = startService([program, "serve", file]);
  const side = { name, url: `http://127.0.0.1:${port}`, pid: service.pid };
  const count = `{ImageList(repo:"",requestedPage:{limit:1}){Page{TotalCount}}}`;
  await eventually(
    `${name} knows all images`,
    async () => {
      if (!service.running()) throw new Error(service.stderr().join("\n"));
      const text = await ask(side, count).catch(() => "");
      return text.includes(`"TotalCount":${images}`);
    },
    readyMs,
  );
  console.log(
    `${name}: knows ${images} images after ${((performance.now() - before) / 1_000).toFixed(0)} s ` +
      `and ${(cpuOf(side.pid) / 1e6).toFixed(1)} s of CPU`,
  );
  return { ...side, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

/** CPU milliseconds of a query, by the middle of some turns. */
async function cost(side: Side, query: string, turns: number): Promise<number> {
  const perTurn = 5;
  const costs: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const before = cpuOf(side.pid);
    for (let at = 0; at < perTurn; at += 1) await ask(side, query);
    costs.push((cpuOf(side.pid) - before) / 1_000 / perTurn);
  }
  return costs.toSorted((a, b) => a - b)[Math.floor(turns / 2)] ?? Number.NaN;
}

/** Prints the costs of each query in both. */
export async function measurePeer(zotGo: string, images: number): Promise<void> {
  await using directory = await tempDirectory("zot-bench-search");
  const place = { directory: directory.path, images };
  await using ours = await startSide("ours", checkoutProgram, place);
  await using theirs = await startSide("zot", zotGo, place);
  const layer = `sha256:${createHash("sha256").update("layer 707").digest("hex")}`;
  for (const [name, query] of Object.entries(queriesOf(layer))) {
    for (let at = 0; at < warmQueries; at += 1) await ask(ours, query);
    await ask(theirs, query);
    const [own, other] = [await cost(ours, query, 21), await cost(theirs, query, 5)];
    console.log(
      `${name.padEnd(32)} ${own.toFixed(2).padStart(8)} ms here, ${other.toFixed(2).padStart(8)} ms in zot (Go): ` +
        `${(other / own).toFixed(1)} times`,
    );
  }
}
