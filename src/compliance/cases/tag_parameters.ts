// Cases: tags that are given as parameters with the push of a manifest by digest [end-7b].
import { expectBody, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken } from "../verdict.ts";

export function tagParameterScenarios(): Scenario[] {
  return [
    scenario("manifest", "manifest.tag-parameters", "Tags given with the push", tagParameterCases),
  ];
}

const dev = { since: "dev", level: "may" } as const;
const put = async (t: Trial, tags: readonly string[]) => {
  const image = await t.pushImageBlobs();
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

const tagParameterCases: readonly Case[] = [
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
