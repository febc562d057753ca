// Cases: pushing manifests well, pulling them in every way clients ask, and moving tags.
import { chunkedBody } from "../../client/transport.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import type { ManifestContent } from "../content.ts";
import {
  expectBody,
  expectDigest,
  expectHeader,
  expectLength,
  expectLocation,
  expectNoBody,
  expectNoHeader,
  expectStatus,
  expectThat,
  expectType,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Unsupported } from "../verdict.ts";
import { once } from "./once.ts";

const should = { level: "should" } as const;

export function manifestScenarios(): Scenario[] {
  return [
    scenario("manifest", "manifest.missing", "Manifests that are not there", missingCases()),
    scenario("manifest", "manifest.push", "Pushing manifests", pushCases()),
    scenario("manifest", "manifest.pull", "Pulling manifests", pullCases()),
    scenario(
      "manifest",
      "manifest.tag-parameters",
      "Tags given with the push",
      tagParameterCases(),
    ),
  ];
}

function missingCases(): Case[] {
  return [
    negative(
      "by-digest",
      "GET by an unknown digest is answered with 404",
      "manifestMissing",
      async (t) => {
        expectStatus(await t.client.manifestGet(t.repository, t.blob().digest), 404);
      },
    ),
    negative(
      "by-tag",
      "GET by an unknown tag is answered with 404",
      "manifestMissing",
      async (t) => {
        expectStatus(await t.client.manifestGet(t.repository, t.name("missing")), 404);
      },
    ),
    negative(
      "head",
      "HEAD by an unknown tag is answered with 404 and no body",
      "headMissing",
      async (t) => {
        const answer = await t.client.manifestHead(t.repository, t.name("missing"));
        expectStatus(answer, 404);
        expectNoBody(answer);
      },
    ),
    negative(
      "malformed-get",
      "GET by a malformed digest is answered with 404 or 400",
      "referenceGrammar",
      async (t) => {
        expectStatus(
          await t.client.manifestGet(t.repository, "sha256:baddigeststring"),
          [404, 400],
        );
      },
    ),
    negative(
      "malformed-put",
      "PUT by a malformed digest is refused with 400",
      "referenceGrammar",
      async (t) => {
        const image = await pushedBlobs(t);
        const { mediaType, bytes } = image;
        const manifest = { mediaType, body: bytes };
        expectStatus(
          await t.client.manifestPut(t.repository, "sha256:baddigeststring", manifest),
          400,
        );
      },
    ),
    negative(
      "blob-is-no-manifest",
      "A blob is not found among the manifests",
      "manifestMissing",
      async (t) => {
        const blob = await t.pushBlob(t.maker().blob(Buffer.from(`{"run":"${t.name("json")}"}`)));
        expectStatus(await t.client.manifestGet(t.repository, blob.digest), 404);
      },
    ),
    negative(
      "isolation",
      "A manifest of one repository is 404 in another",
      "manifestMissing",
      async (t) => {
        const { digest } = await t.pushImage();
        expectStatus(await t.client.manifestGet(t.secondRepository, digest), 404);
      },
    ),
  ];
}

/** An image whose blobs are pushed and which itself is not. */
async function pushedBlobs(t: Trial): Promise<ManifestContent> {
  const maker = t.maker();
  const image = maker.image({ layerCount: 1 });
  for (const blob of maker.blobs.values()) await t.pushBlob(blob);
  return image;
}

function pushCases(): Case[] {
  return [
    positive(
      "by-tag",
      "A manifest pushed by tag can be pulled by tag and by digest",
      "manifestPut",
      async (t) => {
        const image = await pushedBlobs(t);
        const tag = t.name("by-tag");
        const { mediaType, bytes } = image;
        const answer = await t.client.manifestPut(t.repository, tag, { mediaType, body: bytes });
        expectStatus(answer, 201);
        expectLocation(answer);
        expectBody(await t.client.manifestGet(t.repository, tag), bytes);
        expectBody(await t.client.manifestGet(t.repository, image.digest), bytes);
      },
    ),
    positive(
      "digest-header",
      "The answer names the digest",
      "manifestPutDigest",
      async (t) => {
        const image = await pushedBlobs(t);
        const { mediaType, bytes } = image;
        for (const reference of [image.digest, t.name("tag")]) {
          const answer = await t.client.manifestPut(t.repository, reference, {
            mediaType,
            body: bytes,
          });
          expectStatus(answer, 201);
          expectDigest(answer, image, { required: true });
        }
      },
      should,
    ),
    positive("chunked", "A manifest sent in HTTP chunks is accepted", "manifestPut", async (t) => {
      const { mediaType, bytes, digest } = await pushedBlobs(t);
      const body = chunkedBody(bytes, 100);
      expectStatus(await t.client.manifestPut(t.repository, digest, { mediaType, body }), 201);
      expectBody(await t.client.manifestGet(t.repository, digest), bytes);
    }),
    positive(
      "odd-bytes",
      "Odd white space, order and escapes are kept byte for byte",
      "manifestBytes",
      async (t) => {
        const maker = t.maker();
        const config = await t.pushBlob(maker.blob(Buffer.from("{}")));
        const text =
          `\n{ "layers":\t[ ],\r\n "annotations": {"k\\u0065y": "v\\/\\u00e4 ${t.name("odd")}"},` +
          `"config":{"size":2,"digest":"${config.digest}","mediaType":"${mediaTypes.ociEmpty}"},` +
          `"artifactType":"application/vnd.example.odd","mediaType":"${mediaTypes.ociImage}","schemaVersion":2 } \n\n`;
        const odd = await t.pushManifest(maker.manifest(text, mediaTypes.ociImage));
        const answer = await t.client.manifestGet(t.repository, odd.digest);
        expectStatus(answer, 200);
        expectBody(answer, odd.bytes);
      },
    ),
    positive("again", "The same manifest again is accepted", "manifestPut", async (t) => {
      const image = await t.pushImage();
      await t.pushManifest(image);
      await t.pushManifest(image, t.name("again"));
      expectBody(await t.client.manifestGet(t.repository, image.digest), image.bytes);
    }),
    positive(
      "moves-tag",
      "Pushing another manifest to a tag moves the tag, and the old one stays by digest",
      "atomicTag",
      async (t) => {
        const tag = t.name("moves");
        const first = await t.pushImage({ tag });
        const second = await t.pushImage({ tag });
        const answer = await t.client.manifestGet(t.repository, tag);
        expectStatus(answer, 200);
        expectBody(answer, second.bytes);
        expectDigest(await t.client.manifestHead(t.repository, tag), second);
        expectStatus(await t.client.manifestGet(t.repository, first.digest), 200);
      },
    ),
    positive("many-tags", "One manifest can have many tags", "manifestPut", async (t) => {
      const image = await t.pushImage();
      const tags = Array.from({ length: 5 }, () => t.name("many"));
      for (const tag of tags) await t.pushManifest(image, tag);
      for (const tag of tags)
        expectBody(await t.client.manifestGet(t.repository, tag), image.bytes);
    }),
    positive(
      "type-parameters",
      "Parameters of the Content-Type are ignored",
      "manifestPutParameters",
      async (t) => {
        const { mediaType, bytes, digest } = await pushedBlobs(t);
        const manifest = { mediaType: `${mediaType}; charset=utf-8`, body: bytes };
        expectStatus(await t.client.manifestPut(t.repository, digest, manifest), 201);
        expectType(await t.client.manifestGet(t.repository, digest), mediaType);
      },
      should,
    ),
    positive(
      "no-media-type-member",
      "An OCI manifest without a mediaType member is accepted",
      "manifestMediaTypeMissing",
      async (t) => {
        const maker = t.maker();
        const config = await t.pushBlob(maker.blob(Buffer.from("{}")));
        const members = {
          schemaVersion: 2,
          config: { mediaType: mediaTypes.ociEmpty, digest: config.digest, size: 2 },
          layers: [],
          annotations: { run: t.name("run") },
        };
        const manifest = maker.manifest(members, mediaTypes.ociImage);
        const { mediaType, bytes, digest } = manifest;
        expectStatus(
          await t.client.manifestPut(t.repository, digest, { mediaType, body: bytes }),
          201,
        );
        expectType(await t.client.manifestGet(t.repository, digest), mediaTypes.ociImage);
      },
      should,
    ),
    positive(
      "docker-type",
      "A Docker schema 2 manifest is accepted and keeps its type",
      "manifestContentType",
      async (t) => {
        const maker = t.maker();
        const config = await t.pushBlob(maker.blob(Buffer.from(`{"run":"${t.name("docker")}"}`)));
        const members = {
          schemaVersion: 2,
          mediaType: mediaTypes.dockerImage,
          config: {
            mediaType: "application/vnd.docker.container.image.v1+json",
            digest: config.digest,
            size: config.bytes.length,
          },
          layers: [],
        };
        const { bytes, digest } = maker.manifest(members, mediaTypes.dockerImage);
        const manifest = { mediaType: mediaTypes.dockerImage, body: bytes };
        expectStatus(await t.client.manifestPut(t.repository, digest, manifest), 201);
        const headers = [["Accept", mediaTypes.dockerImage]] as const;
        expectType(
          await t.client.manifestGet(t.repository, digest, { headers }),
          mediaTypes.dockerImage,
        );
      },
      should,
    ),
    positive(
      "head-after-push",
      "What was pushed is there at once, also for HEAD by tag",
      "headExists",
      async (t) => {
        const tag = t.name("fresh");
        expectStatus(await t.client.manifestHead(t.repository, tag), 404);
        const image = await t.pushImage({ tag });
        const answer = await t.client.manifestHead(t.repository, tag);
        expectStatus(answer, 200);
        expectLength(answer, image.bytes.length);
      },
    ),
  ];
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

function pullCases(): Case[] {
  const shared = once(async (t) => {
    const tag = t.name("pull");
    return { tag, image: await t.pushImage({ tag }) };
  });
  return [
    ...accepts.map(([id, title, lines]) =>
      positive(
        id,
        `GET ${title} gives the manifest`,
        "manifestGet",
        async (t) => {
          const { tag, image } = await shared(t);
          const headers = lines.map((line) => ["Accept", line] as const);
          for (const reference of [tag, image.digest]) {
            const url = `/v2/${t.repository}/manifests/${reference}`;
            const answer = await t.client.exchange({ method: "GET", url, headers });
            expectStatus(answer, 200);
            expectBody(answer, image.bytes);
            expectType(answer, image.mediaType);
          }
        },
        id === "no-accept" ? should : {},
      ),
    ),
    positive(
      "other-accept",
      "GET by digest with other types in Accept gives the bytes of the digest, or 404 or 406",
      "manifestGet",
      async (t) => {
        const { image } = await shared(t);
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
        const { tag } = await shared(t);
        const answer = await t.client.manifestGet(t.repository, tag);
        expectThat(
          !expectHeader(answer, "Content-Type").includes(";"),
          "Content-Type has parameters",
        );
      },
      should,
    ),
    positive("no-coding", "A manifest is not compressed on the way", "contentCoding", async (t) => {
      const { tag, image } = await shared(t);
      const headers = [["Accept-Encoding", "zstd, gzip, br"]] as const;
      const answer = await t.client.manifestGet(t.repository, tag, { headers });
      expectNoHeader(answer, "Content-Encoding");
      expectLength(answer, image.bytes.length);
      expectBody(answer, image.bytes);
    }),
    positive("head-parity", "HEAD has the headers of GET", "headParity", async (t) => {
      const { tag, image } = await shared(t);
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
      const { tag } = await shared(t);
      expectNoBody(await t.client.manifestHead(t.repository, tag, { readPastEnd: true }));
    }),
    positive(
      "if-none-match",
      "If-None-Match with the ETag is answered with 304",
      "ifNoneMatch",
      async (t) => {
        const { tag } = await shared(t);
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
        const { image } = await shared(t);
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
        const { tag, image } = await shared(t);
        for (const reference of [tag, image.digest]) {
          const answer = await t.client.manifestGet(t.repository, reference);
          expectDigest(answer, image, { required: true });
        }
      },
      { since: "dev" },
    ),
  ];
}

function tagParameterCases(): Case[] {
  const dev = { since: "dev", level: "may" } as const;
  const put = async (t: Trial, tags: readonly string[]) => {
    const image = await pushedBlobs(t);
    const { mediaType, bytes, digest } = image;
    const answer = await t.client.manifestPut(t.repository, digest, {
      mediaType,
      body: bytes,
      tags,
    });
    return { image, answer };
  };
  const acceptedTags = (lines: readonly string[]): string[] =>
    lines.flatMap((line) => line.split(",")).map((tag) => tag.trim());
  return [
    positive(
      "ten",
      "Ten tags are set by one push, and named in OCI-Tag",
      "manifestTagParametersTen",
      async (t) => {
        const tags = Array.from({ length: 10 }, () => t.name("ten"));
        const { image, answer } = await put(t, tags);
        expectStatus(answer, 201);
        const accepted = acceptedTags(answer.headers.all("OCI-Tag"));
        for (const tag of tags) expectThat(accepted.includes(tag), `Expected ${tag} in OCI-Tag`);
        for (const tag of tags)
          expectBody(await t.client.manifestGet(t.repository, tag), image.bytes);
      },
      dev,
    ),
    negative(
      "honest",
      "Only tags that OCI-Tag names are set",
      "manifestTagHeader",
      async (t) => {
        const tag = t.name("honest");
        const { answer } = await put(t, [tag]);
        expectStatus(answer, [201, 400]);
        const accepted = acceptedTags(answer.headers.all("OCI-Tag")).includes(tag);
        const { status } = await t.client.manifestHead(t.repository, tag);
        expectThat(
          accepted === (status === 200),
          `OCI-Tag ${accepted ? "names" : "does not name"} the tag, HEAD is ${status}`,
        );
      },
      { since: "dev" },
    ),
    negative(
      "invalid",
      "An invalid tag is not set, and the push is refused or leaves it out",
      "tagGrammar",
      async (t) => {
        const { answer } = await put(t, ["bad:tag"]);
        expectStatus(answer, [400, 201]);
        expectThat(
          !acceptedTags(answer.headers.all("OCI-Tag")).includes("bad:tag"),
          "OCI-Tag names an invalid tag",
        );
      },
      { since: "dev" },
    ),
    negative(
      "too-many",
      "Far too many tags are refused with 414, 431 or 400, or all set",
      "manifestTagParametersMany",
      async (t) => {
        const tags = Array.from({ length: 500 }, (_, at) => `${t.seed}-${at}`);
        const { answer } = await put(t, tags);
        expectStatus(answer, [201, 400, 414, 431]);
        if (answer.status !== 201) return;
        const accepted = acceptedTags(answer.headers.all("OCI-Tag"));
        const ignored = answer.headers.all("OCI-Tag").length === 0;
        if (!ignored && accepted.length !== tags.length)
          throw new Broken(`${accepted.length} of ${tags.length} tags were set`);
      },
      dev,
    ),
  ];
}
