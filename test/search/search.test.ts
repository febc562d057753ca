// Search over real pushes: what is found, by which text, and what an answer looks like.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { SearchWorld, type Pushed } from "./search_world.ts";

let world: SearchWorld;
let app: Pushed;

beforeAll(async () => {
  world = await SearchWorld.start();
  app = await world.push("team/app", "v1", {
    layers: ["base", "app"],
    config: {
      os: "linux",
      architecture: "arm64",
      variant: "v8",
      created: "2026-01-01T00:00:00Z",
      history: [
        { created_by: "COPY base", created: "2025-12-01T00:00:00Z" },
        { created_by: "ENV x=1", empty_layer: true },
        { created_by: "COPY app" },
      ],
    },
    annotations: { "org.opencontainers.image.title": "App" },
  });
  await world.push("team/base", "3.20", { layers: ["base"], config: { os: "linux" } });
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test("an image has its facts, layers and history", async () => {
  const { Image } = await world.data(
    `{Image(image:"team/app:v1"){RepoName Tag Digest Size LastUpdated Title IsSigned Vulnerabilities{Count}
      Manifests{ConfigDigest Platform{Os Arch} Layers{Digest} History{Layer{Digest} HistoryDescription{Created CreatedBy EmptyLayer}}}}}`,
  );
  const [base, own] = app.layers;
  expect(Image).toEqual({
    RepoName: "team/app",
    Tag: "v1",
    Digest: app.digest,
    Size: String(app.size),
    LastUpdated: "2026-01-01T00:00:00Z",
    Title: "App",
    IsSigned: false,
    Vulnerabilities: null,
    Manifests: [
      {
        ConfigDigest: app.config,
        Platform: { Os: "linux", Arch: "arm64/v8" },
        Layers: [{ Digest: base }, { Digest: own }],
        History: [
          {
            Layer: { Digest: base },
            HistoryDescription: {
              Created: "2025-12-01T00:00:00Z",
              CreatedBy: "COPY base",
              EmptyLayer: false,
            },
          },
          {
            Layer: null,
            HistoryDescription: { Created: null, CreatedBy: "ENV x=1", EmptyLayer: true },
          },
          {
            Layer: { Digest: own },
            HistoryDescription: { Created: null, CreatedBy: "COPY app", EmptyLayer: false },
          },
        ],
      },
    ],
  });
});

test("repositories and images are found by texts, digests and layers", async () => {
  const found = await world.data(
    `{name:GlobalSearch(query:"app"){Page{TotalCount ItemCount} Images{Tag} Repos{Name Rank NewestImage{Tag}}}
      tags:GlobalSearch(query:"team/app:v"){Page{TotalCount} Repos{Name} Images{RepoName Tag}}
      tag:GlobalSearch(query:":.2"){Images{RepoName Tag}}
      layer:ImageListForDigest(id:"${app.layers[0]!.slice(7, 20)}"){Results{RepoName}}
      base:BaseImageList(image:"team/app:v1"){Results{RepoName}}
      derived:DerivedImageList(image:"team/base:3.20"){Results{RepoName}}}`,
  );
  expect(found).toEqual({
    name: {
      Page: { TotalCount: 1, ItemCount: 1 },
      Images: [],
      Repos: [{ Name: "team/app", Rank: 1, NewestImage: { Tag: "v1" } }],
    },
    tags: { Page: { TotalCount: 1 }, Repos: null, Images: [{ RepoName: "team/app", Tag: "v1" }] },
    tag: { Images: [{ RepoName: "team/base", Tag: "3.20" }] },
    layer: { Results: [{ RepoName: "team/app" }, { RepoName: "team/base" }] },
    base: { Results: [{ RepoName: "team/base" }] },
    derived: { Results: [{ RepoName: "team/app" }] },
  });
});

test("what cannot be answered says so", async () => {
  const none = await world.query(`{CVEListForImage(image:"team/app:v1"){Tag}}`);
  expect([none.status, none.errors?.[0]?.message, none.data]).toEqual([
    200,
    "cve search is disabled",
    null,
  ]);
  expect((await world.query(`{NoSuchQuery}`)).status).toBe(422);
  expect((await world.query(`{{`)).status).toBe(422);
});
