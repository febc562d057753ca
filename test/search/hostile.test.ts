// Queries and images that mean harm: each gets a clear answer, and none spoils what others see.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { SearchWorld } from "./search_world.ts";

interface Found {
  readonly ImageList: {
    readonly Results: readonly {
      readonly RepoName: string;
      readonly Description: string;
      readonly Manifests: readonly {
        readonly Platform: object;
        readonly Layers: readonly object[];
        readonly History: readonly {
          readonly Layer: object | null;
          readonly HistoryDescription: { readonly EmptyLayer: boolean };
        }[];
      }[];
    }[];
  };
}

let world: SearchWorld;

beforeAll(async () => {
  world = await SearchWorld.start({ http: { manifestBytesMax: "8MiB" } });
  await world.push("good/app", "v1", { config: { os: "linux", created: "2026-01-01T00:00:00Z" } });
  await world.settled();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

describe("queries", () => {
  const list = (name: string): string => `${name}:ImageList(repo:""){Results{Tag}}`;
  const nested = (depth: number): string => "{a".repeat(depth) + "}".repeat(depth);
  test.each<[string, string, RegExp]>([
    ["no text", "", /Syntax Error/],
    ["no GraphQL", "{{", /Syntax Error/],
    ["an unknown query", "{Nothing}", /Cannot query field/],
    [
      "40 aliases",
      `{${Array.from({ length: 40 }, (_, at) => list(`a${at}`)).join(" ")}}`,
      /up to 20 aliases/,
    ],
    ["16 levels", nested(16), /up to 15 deep/],
    ["a depth bomb", nested(700), /up to 15 deep/],
    [
      "a bomb of lists",
      `{ImageList(repo:${"[".repeat(3_000)}${"]".repeat(3_000)}){Results{Tag}}}`,
      /./,
    ],
    ["two operations", "query A{__typename} query B{__typename}", /one operation/],
    ["a mutation", "mutation{x}", /./],
    ["a subscription", "subscription{x}", /./],
    [
      "an introspection bomb",
      `{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}`,
      /./,
    ],
    ["fragments in a circle", "{...A} fragment A on Query{...B} fragment B on Query{...A}", /./],
    ["a text with quotes", `{GlobalSearch(query:"a"b"){Page{TotalCount}}}`, /Syntax Error/],
  ])("%s is refused, not run", async (_name, query, problem) => {
    const { status, data, errors } = await world.post({ query });
    expect([status, data]).toEqual([422, null]);
    expect(errors?.[0]?.message).toMatch(problem);
  });

  test("words by the ten thousand are not read", async () => {
    const { status, errors } = await world.post({ query: `{${"a ".repeat(20_000)}}` });
    expect([status, errors?.[0]?.message]).toEqual([422, expect.stringContaining("tokens")]);
  });

  test.each<[string, string, string]>([
    ["a negative limit", `{ImageList(repo:"",requestedPage:{limit:-1}){Results{Tag}}}`, "limit"],
    ["a negative offset", `{ImageList(repo:"",requestedPage:{offset:-1}){Results{Tag}}}`, "offset"],
    ["a long text", `{GlobalSearch(query:"${"x".repeat(300)}"){Page{TotalCount}}}`, "256 bytes"],
    ["a text of no kind", `{GlobalSearch(query:":"){Page{TotalCount}}}`, "invalid search query"],
    [
      "an order that is none",
      `{ImageList(repo:"",requestedPage:{sortBy:SEVERITY}){Results{Tag}}}`,
      "sort",
    ],
    ["no reference", `{Image(image:"good/app"){Tag}}`, "no reference provided"],
    [
      "an image that is not there",
      `{Image(image:"good/app:v9"){Tag}}`,
      "can't find image: good/app:v9",
    ],
    ["a digest that is none", `{Referrers(repo:"good/app",digest:"x"){Digest}}`, "digest"],
  ])("%s is an error of its query", async (_name, query, says) => {
    const { status, data, errors } = await world.query(query);
    expect([status, data]).toEqual([200, null]);
    expect(errors?.[0]?.message).toContain(says);
  });

  test("a request that looks at every tag again and again is told to stop", async () => {
    const scan = (at: number): string => `a${at}:GlobalSearch(query:":no"){Page{TotalCount}}`;
    const { errors } = await world.query(`{${[1, 2, 3, 4].map(scan).join(" ")}}`);
    expect(errors?.map(({ message }) => message)).toEqual([
      "more than 2 searches for tags: ask for fewer at once",
    ]);
    expect((await world.query(`{${scan(1)} ${scan(2)}}`)).errors).toBeNull();
  });

  test("bodies that are too large, no JSON, or nested are refused", async () => {
    const post = async (body: string): Promise<number> =>
      (
        await world.send("POST", "/v2/_zot/ext/search", {
          headers: { "content-type": "application/json" },
          body,
        })
      ).status;
    expect(await post(JSON.stringify({ query: "x".repeat(70_000) }))).toBe(413);
    expect(await post("{")).toBe(400);
    expect(await post("[".repeat(1_000) + "]".repeat(1_000))).toBe(400);
    expect(await post("[]")).toBe(422);
    const variables = encodeURIComponent("[1]");
    const at = `/v2/_zot/ext/search?query={__typename}&variables=${variables}`;
    expect((await world.send("GET", at)).status).toBe(400);
  });

  test("introspection has an answer of bounded length", async () => {
    const { data } = await world.query(
      `{__schema{queryType{fields{name args{name} type{name kind}} __typename} types{name fields{name}}}}`,
    );
    expect(JSON.stringify(data).length).toBeLessThan(50_000);
  });
});

describe("images", () => {
  const bomb = "[".repeat(100_000) + "]".repeat(100_000);
  const hostile = "<script>alert(1)</script>\u202e\"';--\u0000\ud800";
  const many = Array.from({ length: 20_000 }, () => ({ created_by: "RUN x" }));

  test("each odd one is listed beside the good one, and spoils nothing", async () => {
    const odd: Record<string, Parameters<SearchWorld["push"]>[2]> = {
      "odd/no-json": { config: "this is no JSON" },
      "odd/bomb": { config: bomb },
      "odd/list": { config: [1, 2, 3] },
      "odd/types": {
        config: { os: 5, architecture: [], created: {}, history: "x", config: { Labels: [1] } },
      },
      "odd/history": { config: { history: many, os: "linux" } },
      "odd/more-steps": { config: { history: [{}, {}, {}, {}] }, layers: ["one"] },
      "odd/huge": { config: { os: "linux", pad: "x".repeat(2_000_000) } },
      "odd/texts": {
        annotations: {
          "org.opencontainers.image.title": hostile,
          "org.opencontainers.image.vendor": hostile,
          "org.opencontainers.image.source": "javascript:alert(1)",
          "org.opencontainers.image.description": "y".repeat(1_000_000),
        },
      },
      "odd/no-layers": { layers: [] },
      "odd/repeated": { layers: Array.from({ length: 2_000 }, () => "same") },
    };
    for (const [name, parts] of Object.entries(odd)) await world.push(name, "v1", parts);
    await world.index("odd/empty", "v1", []);
    await world.settled();
    const { data, errors } = await world.query(
      `{ImageList(repo:""){Page{TotalCount} Results{RepoName Title Vendor Source Description Size LastUpdated
        Manifests{Platform{Os Arch} Layers{Digest} History{Layer{Digest} HistoryDescription{CreatedBy EmptyLayer}}}}}}`,
    );
    expect(errors).toBeNull();
    const { Results } = (data as unknown as Found).ImageList;
    const of = (name: string) => Results.find(({ RepoName }) => RepoName === name);
    expect(Results.map(({ RepoName }) => RepoName)).toEqual(
      expect.arrayContaining([...Object.keys(odd), "odd/empty", "good/app"]),
    );
    // As text, without what no text can hold.
    expect(of("odd/texts")).toMatchObject({
      Source: "javascript:alert(1)",
      Title: "<script>alert(1)</script>\u202e\"';--\ufffd",
    });
    expect(of("odd/texts")?.Description).toHaveLength(4_096);
    const manifest = (name: string) => of(name)?.Manifests[0];
    for (const name of ["odd/no-json", "odd/bomb", "odd/list", "odd/types", "odd/huge"]) {
      expect([name, manifest(name)?.Platform]).toEqual([name, { Os: "", Arch: "" }]);
    }
    expect(manifest("odd/history")?.History).toHaveLength(1_000);
    expect(manifest("odd/more-steps")?.History.map((step) => step.Layer)).toEqual([
      expect.anything(),
      null,
      null,
      null,
    ]);
    // zui takes a layer from every entry that is not empty.
    expect(
      manifest("odd/more-steps")?.History.map(
        ({ HistoryDescription: { EmptyLayer } }) => EmptyLayer,
      ),
    ).toEqual([false, true, true, true]);
    expect(manifest("odd/no-layers")?.Layers).toEqual([]);
    expect(manifest("odd/repeated")?.Layers).toHaveLength(1_000);
    expect(of("odd/empty")?.Manifests).toEqual([]);
  });

  test("a manifest of megabytes is summarised elsewhere, and one with attestations shows its platforms", async () => {
    const layers = Array.from({ length: 9_000 }, (_, at) => ({
      mediaType: mediaTypes.ociLayer,
      digest: `sha256:${at.toString(16).padStart(64, "0")}`,
      size: 1,
      urls: ["https://example.com/x"],
    })).map((layer) => ({
      ...layer,
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
    }));
    await world.push("odd/wide", "v1", { layers: [], members: { layers } });
    await world.settled();
    const { Image } = await world.data(
      `{Image(image:"odd/wide:v1"){Size Manifests{Layers{Digest}}}}`,
    );
    const found = Image as { Size: string; Manifests: { Layers: unknown[] }[] };
    expect(Number(found.Size)).toBeGreaterThan(9_000);
    expect(found.Manifests[0]?.Layers).toHaveLength(1_000);
  });
});
