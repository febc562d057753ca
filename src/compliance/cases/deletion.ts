// Cases: deletion beyond the data sets: what it takes along, what it leaves, and what is not there.
import { expectBody, expectJson, expectStatus, expectThat, expectPushed } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Wrong } from "../verdict.ts";

const disabled = { unsupported: [400, 405] };

export function deletionScenarios(): Scenario[] {
  return [
    scenario("delete", "delete.tag", "Deleting tags", tagCases),
    scenario("delete", "delete.manifest", "Deleting manifests", manifestCases),
    scenario("delete", "delete.blob", "Deleting blobs", blobCases),
  ];
}

async function listed(t: Trial): Promise<unknown[]> {
  const answer = await t.client.tagsList(t.repository);
  if (answer.status === 404) return [];
  expectStatus(answer, 200);
  const { tags } = expectJson(answer);
  return Array.isArray(tags) ? tags : [];
}

const tagCases: readonly Case[] = [
  positive("delete", "DELETE of a tag is answered with 202", "tagDelete", async (t) => {
    const tag = t.name("delete");
    await t.pushImage({ tag });
    expectStatus(await t.client.manifestDelete(t.repository, tag), 202, disabled);
  }),
  negative(
    "gone",
    "The tag is 404 and not in the list",
    "tagDeleted",
    async (t) => {
      const tag = t.name("gone");
      await t.pushImage({ tag });
      expectStatus(await t.client.manifestDelete(t.repository, tag), 202);
      expectStatus(await t.client.manifestGet(t.repository, tag), 404);
      expectThat(!(await listed(t)).includes(tag), "The deleted tag is still listed");
    },
    { after: ["delete"] },
  ),
  positive(
    "keeps-manifest",
    "The manifest stays by digest, and its other tags stay",
    "tagDeleteKeeps",
    async (t) => {
      const [tag, other] = [t.name("one"), t.name("other")];
      const image = await t.pushImage({ tag });
      await t.pushManifest(image, other);
      expectStatus(await t.client.manifestDelete(t.repository, tag), 202);
      for (const reference of [image.digest, other]) {
        const answer = await t.client.manifestGet(t.repository, reference);
        if (answer.status === 404) throw new Wrong(`${reference} is gone with the tag`);
        expectBody(answer, image.bytes);
      }
    },
    { after: ["delete"], level: "should" },
  ),
  negative(
    "twice",
    "Deleting it again is answered with 404",
    "end9",
    async (t) => {
      const tag = t.name("twice");
      await t.pushImage({ tag });
      expectStatus(await t.client.manifestDelete(t.repository, tag), 202);
      expectStatus(await t.client.manifestDelete(t.repository, tag), 404);
    },
    { after: ["delete"] },
  ),
  positive(
    "push-again",
    "A deleted tag can be pushed again",
    "deleteThenPush",
    async (t) => {
      const tag = t.name("again");
      const image = await t.pushImage({ tag });
      expectStatus(await t.client.manifestDelete(t.repository, tag), 202);
      await expectPushed(t.pushManifest(image, tag));
      expectBody(await t.client.manifestGet(t.repository, tag), image.bytes);
    },
    { after: ["delete"] },
  ),
  negative(
    "unknown",
    "Deleting a tag that is not there is answered with 404",
    "end9",
    async (t) => {
      await t.pushImage();
      const answer = await t.client.manifestDelete(t.repository, t.name("unknown"));
      expectStatus(answer, 404, disabled);
    },
  ),
];

const manifestCases: readonly Case[] = [
  positive(
    "delete",
    "DELETE of a manifest by digest is answered with 202",
    "manifestDelete",
    async (t) => {
      const { digest } = await t.pushImage();
      expectStatus(await t.client.manifestDelete(t.repository, digest), 202, disabled);
    },
  ),
  negative(
    "takes-tags",
    "The digest and every tag of it are 404, and the tags are not listed",
    "manifestDeleted",
    async (t) => {
      const tags = [t.name("one"), t.name("two"), t.name("three")];
      const image = await t.pushImage();
      for (const tag of tags) await t.pushManifest(image, tag);
      expectStatus(await t.client.manifestDelete(t.repository, image.digest), 202);
      for (const reference of [image.digest, ...tags]) {
        expectStatus(await t.client.manifestGet(t.repository, reference), 404);
      }
      const left = await listed(t);
      const still = tags.filter((tag) => left.includes(tag));
      expectThat(
        still.length === 0,
        `Tags of the deleted manifest are listed: ${still.join(", ")}`,
      );
    },
    { after: ["delete"] },
  ),
  positive(
    "keeps-others",
    "Other manifests with the same blobs stay",
    "manifestDelete",
    async (t) => {
      const maker = t.maker();
      const configBytes = Buffer.from(`{"run":"${t.name("shared")}"}`);
      const images = ["a", "b"].map((name) =>
        maker.image({ layerCount: 0, configBytes, annotations: { name } }),
      );
      await t.pushAll(maker);
      const [first, second] = images;
      expectStatus(await t.client.manifestDelete(t.repository, first?.digest ?? ""), 202);
      const answer = await t.client.manifestGet(t.repository, second?.digest ?? "");
      if (answer.status === 404) throw new Wrong("Another manifest is gone too");
      expectStatus(answer, 200);
    },
    { after: ["delete"] },
  ),
  negative(
    "twice",
    "Deleting it again is answered with 404",
    "end9",
    async (t) => {
      const { digest } = await t.pushImage();
      expectStatus(await t.client.manifestDelete(t.repository, digest), 202);
      expectStatus(await t.client.manifestDelete(t.repository, digest), 404);
    },
    { after: ["delete"] },
  ),
  positive(
    "push-again",
    "A deleted manifest can be pushed again",
    "deleteThenPush",
    async (t) => {
      const maker = t.maker();
      const image = maker.image({ layerCount: 1 });
      await t.pushAll(maker);
      expectStatus(await t.client.manifestDelete(t.repository, image.digest), 202);
      await expectPushed(t.pushAll(maker));
      expectBody(await t.client.manifestGet(t.repository, image.digest), image.bytes);
    },
    { after: ["delete"] },
  ),
  negative(
    "unknown",
    "Deleting a digest that is not there is answered with 404",
    "end9",
    async (t) => {
      await t.pushImage();
      expectStatus(await t.client.manifestDelete(t.repository, t.blob().digest), 404, disabled);
    },
  ),
  negative(
    "unknown-repository",
    "Deleting in a repository that does not exist is answered with 404",
    "manifestDeleteUnknown",
    async (t) => {
      const repository = `${t.repository}/never-${t.seed}`;
      expectStatus(await t.client.manifestDelete(repository, t.blob().digest), 404, disabled);
    },
  ),
  negative(
    "malformed",
    "Deleting a malformed digest is refused with 400, or 404",
    "referenceGrammar",
    async (t) => {
      expectStatus(await t.client.manifestDelete(t.repository, "sha256:bad"), [400, 404], {
        unsupported: [405],
      });
    },
  ),
  negative(
    "other-repository",
    "Deleting in one repository leaves the same manifest in another",
    "deleteIsLocal",
    async (t) => {
      const maker = t.maker();
      const image = maker.image({ layerCount: 1 });
      await t.pushAll(maker);
      await t.pushAll(maker, t.secondRepository);
      expectStatus(await t.client.manifestDelete(t.repository, image.digest), 202);
      const answer = await t.client.manifestGet(t.secondRepository, image.digest);
      if (answer.status === 404) throw new Wrong("The manifest is gone from the other repository");
      expectBody(answer, image.bytes);
    },
    { after: ["delete"] },
  ),
];

const blobCases: readonly Case[] = [
  positive("delete", "DELETE of a blob is answered with 202", "blobDelete", async (t) => {
    const { digest } = await t.pushBlob(t.blob());
    expectStatus(await t.client.blobDelete(t.repository, digest), 202, disabled);
  }),
  negative(
    "unknown",
    "Deleting a blob that is not there is answered with 404",
    "blobDeleteUnknown",
    async (t) => {
      await t.pushBlob(t.blob());
      expectStatus(await t.client.blobDelete(t.repository, t.blob().digest), 404, disabled);
    },
  ),
  negative(
    "twice",
    "Deleting it again is answered with 404",
    "blobDeleteUnknown",
    async (t) => {
      const { digest } = await t.pushBlob(t.blob());
      expectStatus(await t.client.blobDelete(t.repository, digest), 202);
      expectStatus(await t.client.blobDelete(t.repository, digest), 404);
    },
    { after: ["delete"] },
  ),
  negative(
    "malformed",
    "Deleting a malformed digest is refused with 400, or 404",
    "digestGrammar",
    async (t) => {
      expectStatus(await t.client.blobDelete(t.repository, "sha256:bad"), [400, 404], {
        unsupported: [405],
      });
    },
  ),
  positive(
    "push-again",
    "A deleted blob can be pushed again",
    "deleteThenPush",
    async (t) => {
      const blob = await t.pushBlob(t.blob());
      expectStatus(await t.client.blobDelete(t.repository, blob.digest), 202);
      await expectPushed(t.pushBlob(blob));
      expectBody(await t.client.blobGet(t.repository, blob.digest), blob.bytes);
    },
    { after: ["delete"] },
  ),
  negative(
    "other-repository",
    "Deleting in one repository leaves the same blob in another",
    "deleteIsLocal",
    async (t) => {
      const blob = await t.pushBlob(t.blob());
      await t.pushBlob(blob, t.secondRepository);
      expectStatus(await t.client.blobDelete(t.repository, blob.digest), 202);
      const answer = await t.client.blobGet(t.secondRepository, blob.digest);
      if (answer.status === 404) throw new Wrong("The blob is gone from the other repository");
      expectBody(answer, blob.bytes);
    },
    { after: ["delete"] },
  ),
];
