// Cases: pulling manifests in every way that clients ask for them.
import { mediaTypes } from "../../oci/media_types.ts";
import {
  expectBody,
  expectDigest,
  expectHeader,
  expectLength,
  expectNoBody,
  expectNoHeader,
  expectStatus,
  expectThat,
  expectType,
} from "../expect.ts";
import { type Case, positive, scenario, type Scenario } from "../suite.ts";
import { Unsupported } from "../verdict.ts";
import { once } from "./once.ts";

const should = { level: "should" } as const;

export function manifestPullScenarios(): Scenario[] {
  return [scenario("manifest", "manifest.pull", "Pulling manifests", pullCases)];
}

const accepts: readonly [id: string, title: string, lines: readonly string[]][] = [
  ["no-accept", "without Accept", []],
  ["accept-any", "with Accept: */*", ["*/*"]],
  ["accept-list", "with Accept as one list", [`${mediaTypes.ociIndex}, ${mediaTypes.ociImage}`]],
  [
    "accept-lines",
    "with several Accept lines",
    [mediaTypes.ociIndex, mediaTypes.ociImage, mediaTypes.dockerImage],
  ],
  [
    "accept-weights",
    "with weights in Accept",
    [`${mediaTypes.dockerImage};q=0.5, ${mediaTypes.ociImage};q=0.9, */*;q=0.1`],
  ],
];

const pulled = once(async (t) => {
  const tag = t.name("pull");
  return { tag, image: await t.pushImage({ tag }) };
});

const pullCases: readonly Case[] = [
  ...accepts.map(([id, title, lines]) =>
    positive(id, `GET ${title} gives the manifest`, "manifestGet", async (t) => {
      const { tag, image } = await pulled(t);
      const headers = lines.map((line) => ["Accept", line] as const);
      for (const reference of [tag, image.digest]) {
        const url = `/v2/${t.repository}/manifests/${reference}`;
        const answer = await t.client.exchange({ method: "GET", url, headers });
        expectStatus(answer, 200);
        expectBody(answer, image.bytes);
        expectType(answer, image.mediaType);
      }
    }),
  ),
  positive(
    "other-accept",
    "GET by digest with other types in Accept gives the bytes of the digest, or 404 or 406",
    "manifestGet",
    async (t) => {
      const { image } = await pulled(t);
      const headers = [["Accept", "application/vnd.example.other+json"]] as const;
      const answer = await t.client.manifestGet(t.repository, image.digest, { headers });
      expectStatus(answer, [200, 404, 406]);
      if (answer.status === 200) expectBody(answer, image.bytes);
    },
  ),
  positive(
    "type-no-parameters",
    "Content-Type comes without parameters",
    "manifestTypeParameters",
    async (t) => {
      const { tag } = await pulled(t);
      const answer = await t.client.manifestGet(t.repository, tag);
      expectThat(
        !expectHeader(answer, "Content-Type").includes(";"),
        "Content-Type has parameters",
      );
    },
    should,
  ),
  positive("no-coding", "A manifest is not compressed on the way", "contentCoding", async (t) => {
    const { tag, image } = await pulled(t);
    const headers = [["Accept-Encoding", "zstd, gzip, br"]] as const;
    const answer = await t.client.manifestGet(t.repository, tag, { headers });
    expectNoHeader(answer, "Content-Encoding");
    expectLength(answer, image.bytes.length);
    expectBody(answer, image.bytes);
  }),
  positive("head-parity", "HEAD has the headers of GET", "headParity", async (t) => {
    const { tag, image } = await pulled(t);
    for (const reference of [tag, image.digest]) {
      const get = await t.client.manifestGet(t.repository, reference);
      const head = await t.client.manifestHead(t.repository, reference);
      for (const name of ["Content-Length", "Content-Type", "Docker-Content-Digest", "ETag"]) {
        const [ofGet, ofHead] = [get.headers.get(name), head.headers.get(name)];
        expectThat(
          ofGet === ofHead,
          `${name}: GET has ${ofGet ?? "none"}, HEAD ${ofHead ?? "none"}`,
        );
      }
    }
  }),
  positive("head-no-body", "HEAD sends nothing after its headers", "headParity", async (t) => {
    const { tag } = await pulled(t);
    expectNoBody(await t.client.manifestHead(t.repository, tag, { readPastEnd: true }));
  }),
  positive(
    "if-none-match",
    "If-None-Match with the ETag is answered with 304",
    "ifNoneMatch",
    async (t) => {
      const { tag } = await pulled(t);
      const etag = (await t.client.manifestHead(t.repository, tag)).headers.get("ETag");
      if (etag === null) throw new Unsupported("Manifests have no ETag");
      const headers = [["If-None-Match", etag]] as const;
      const answer = await t.client.manifestGet(t.repository, tag, { headers });
      expectStatus(answer, 304);
      expectNoBody(answer);
    },
    should,
  ),
  positive(
    "encoded-colon",
    "The colon of a digest may be percent-encoded in the path",
    "manifestGet",
    async (t) => {
      const { image } = await pulled(t);
      const answer = await t.client.manifestGet(t.repository, image.digest.replace(":", "%3A"));
      expectStatus(answer, 200);
      expectBody(answer, image.bytes);
    },
    should,
  ),
  positive(
    "digest-required",
    "GET by tag and by digest names the digest",
    "manifestDigestHeader",
    async (t) => {
      const { tag, image } = await pulled(t);
      for (const reference of [tag, image.digest]) {
        const answer = await t.client.manifestGet(t.repository, reference);
        expectDigest(answer, image, { required: true });
      }
    },
    { since: "dev" },
  ),
];
