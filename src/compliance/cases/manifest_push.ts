// Cases: manifests that are not there, pushing manifests well, and moving tags.
import { chunkedBody } from "../../client/transport.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import {
  expectBody,
  expectDigest,
  expectLength,
  expectLocation,
  expectNoBody,
  expectStatus,
  expectType,
  expectPushed,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";

const should = { level: "should" } as const;

export function manifestPushScenarios(): Scenario[] {
  return [
    scenario("manifest", "manifest.missing", "Manifests that are not there", missingCases),
    scenario("manifest", "manifest.push", "Pushing manifests", pushCases),
  ];
}

const missingCases: readonly Case[] = [
  negative(
    "by-digest",
    "GET by an unknown digest is answered with 404",
    "manifestMissing",
    async (t) => {
      expectStatus(await t.client.manifestGet(t.repository, t.blob().digest), 404);
    },
  ),
  negative("by-tag", "GET by an unknown tag is answered with 404", "manifestMissing", async (t) => {
    expectStatus(await t.client.manifestGet(t.repository, t.name("missing")), 404);
  }),
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
      expectStatus(await t.client.manifestGet(t.repository, "sha256:baddigeststring"), [404, 400]);
    },
  ),
  negative(
    "malformed-put",
    "PUT by a malformed digest is refused with 400",
    "referenceGrammar",
    async (t) => {
      const image = await t.pushImageBlobs();
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

const pushCases: readonly Case[] = [
  positive(
    "by-tag",
    "A manifest pushed by tag can be pulled by tag and by digest",
    "manifestPut",
    async (t) => {
      const image = await t.pushImageBlobs();
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
      const image = await t.pushImageBlobs();
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
    const { mediaType, bytes, digest } = await t.pushImageBlobs();
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
    await expectPushed(t.pushManifest(image));
    await expectPushed(t.pushManifest(image, t.name("again")));
    expectBody(await t.client.manifestGet(t.repository, image.digest), image.bytes);
  }),
  positive(
    "moves-tag",
    "Pushing another manifest to a tag moves the tag",
    "manifestGet",
    async (t) => {
      const tag = t.name("moves");
      const first = await t.pushImage({ tag });
      // Read before and after, so that a cache would be noticed.
      expectBody(await t.client.manifestGet(t.repository, tag), first.bytes);
      expectStatus(await t.client.manifestHead(t.repository, tag), 200);
      const second = await t.pushImage({ tag });
      const answer = await t.client.manifestGet(t.repository, tag);
      expectStatus(answer, 200);
      expectBody(answer, second.bytes);
      expectDigest(await t.client.manifestHead(t.repository, tag), second);
    },
  ),
  positive(
    "old-stays",
    "The manifest that a tag moved away from stays by digest",
    "atomicTag",
    async (t) => {
      const tag = t.name("stays");
      const first = await t.pushImage({ tag });
      await t.pushImage({ tag });
      expectStatus(await t.client.manifestGet(t.repository, first.digest), 200);
    },
    should,
  ),
  positive("many-tags", "One manifest can have many tags", "manifestPut", async (t) => {
    const image = await t.pushImage();
    const tags = Array.from({ length: 5 }, () => t.name("many"));
    for (const tag of tags) await expectPushed(t.pushManifest(image, tag));
    for (const tag of tags) expectBody(await t.client.manifestGet(t.repository, tag), image.bytes);
  }),
  positive(
    "type-parameters",
    "Parameters of the Content-Type are ignored",
    "manifestPutParameters",
    async (t) => {
      const { mediaType, bytes, digest } = await t.pushImageBlobs();
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
