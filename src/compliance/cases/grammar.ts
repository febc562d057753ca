// THE tables of names, tags and digests: what is well-formed works, what is not is refused.
//
// A name that breaks the grammar must not create a repository: a push to it is answered with 4xx. What
// the path already rules out (an empty name, a slash in a tag) is not a case of its own.
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { expectBody, expectStatus, expectPushed } from "../expect.ts";
import { type Case, type Level, negative, positive, scenario, type Scenario } from "../suite.ts";
import { Broken, Skipped } from "../verdict.ts";
import type { Trial } from "../trial.ts";

export function grammarScenarios(): Scenario[] {
  return [
    scenario("grammar", "grammar.name", "Repository names", nameCases),
    scenario("grammar", "grammar.tag", "Tags", tagCases()),
    scenario("grammar", "grammar.digest", "Digests", digestCases),
  ];
}

const badNames: readonly [id: string, suffix: string, title: string][] = [
  ["upper-case", "Upper", "Upper case"],
  ["two-dots", "a..b", "Two dots"],
  ["three-underscores", "a___b", "Three underscores"],
  ["dot-underscore", "a._b", "A dot and an underscore"],
  ["leading-dash", "-a", "A component that begins with a dash"],
  ["trailing-dash", "a-", "A component that ends with a dash"],
  ["leading-dot", ".a", "A component that begins with a dot"],
  ["leading-underscore", "_a", "A component that begins with an underscore"],
  ["empty-component", "/a", "An empty component"],
  ["encoded-slash", "a%2Fb", "An encoded slash"],
  ["encoded-dots", "%2e%2e/%2e%2e/a", "Encoded dots that lead upwards"],
  ["backslash", "a%5Cb", "A backslash"],
  ["nul", "a%00b", "A NUL character"],
  ["space", "a%20b", "A space"],
  ["umlaut", "%C3%A4", "A letter outside ASCII"],
];

const goodNames: readonly [id: string, suffix: string, title: string][] = [
  ["two-dashes", "a--b", "Two dashes"],
  ["two-underscores", "a__b", "Two underscores"],
  ["dots-and-digits", "0.9.a-1_2", "Dots, digits, a dash and an underscore"],
  ["blobs-component", "blobs", "A component named blobs"],
  ["uploads-component", "blobs/uploads", "Components named blobs and uploads"],
  ["manifests-component", "manifests", "A component named manifests"],
  ["tags-component", "tags/list", "Components named tags and list"],
  ["deep", "a/b/c/d/e/f/g", "Seven more components"],
  ["long", `${"l".repeat(60)}/${"o".repeat(60)}`, "A name of more than 120 characters"],
];

const nameCases: readonly Case[] = [
  ...badNames.map(([id, suffix, title]) =>
    negative(
      `bad-${id}`,
      `${title} in a name is refused`,
      "nameGrammar",
      async (t) => {
        const url = `/v2/${t.repository}/${suffix}/blobs/uploads/`;
        const answer = await t.client.exchange({ method: "POST", url, redirectsMax: 0 });
        // A server may normalise the path first (RFC 3986 §6.2.2); then it is another, right name.
        const location = answer.headers.get("Location") ?? "";
        if (id === "encoded-dots" && answer.status === 202 && !/\.\.|%2e/i.test(location)) return;
        refused(answer.status);
      },
      // What a path with dots or double slashes means is also a matter of HTTP libraries.
      {
        level: ["encoded-slash", "encoded-dots", "empty-component"].includes(id)
          ? "should"
          : "must",
      },
    ),
  ),
  negative(
    "bad-too-long",
    "A name of more than 255 characters is refused",
    "nameGrammar",
    async (t) => {
      const url = `/v2/${t.repository}/${"a".repeat(300)}/blobs/uploads/`;
      refused((await t.client.exchange({ method: "POST", url })).status);
    },
    { level: "should" },
  ),
  ...goodNames.map(([id, suffix, title]) =>
    positive(
      `good-${id}`,
      `${title}: such a repository takes a blob and gives it back`,
      "nameGrammar",
      async (t) => {
        const repository = `${t.repository}/${suffix}`;
        const blob = t.blob();
        const start = await t.client.uploadStart(repository);
        if (start.status === 401 || start.status === 403)
          throw new Skipped("No permission for other repositories");
        expectStatus(start, 202);
        await expectPushed(t.pushBlob(blob, repository));
        const answer = await t.client.blobGet(repository, blob.digest);
        expectStatus(answer, 200);
        expectBody(answer, blob.bytes);
      },
    ),
  ),
];

/** Any 4xx, or a redirect to the normalised path, is a refusal; accepting or failing is not. */
function refused(status: number): void {
  if (status < 300) throw new Broken(`It was accepted with ${status}`);
  if (status >= 500) throw new Broken(`The registry failed with ${status}`);
}

const goodTags: readonly [id: string, tag: string, title: string][] = [
  ["one-character", "a", "One character"],
  ["long", "a".repeat(128), "128 characters"],
  ["mixed", "_A.b-C_1", "Letters, digits, dot, dash and underscore"],
  ["prototype", "__proto__", "The name of a built-in property"],
  ["digits", "20240101", "Digits"],
];

const badTags: readonly [id: string, tag: string, title: string, level: Level][] = [
  ["too-long", "a".repeat(129), "129 characters", "must"],
  ["leading-dot", ".a", "A leading dot", "must"],
  ["leading-dash", "-a", "A leading dash", "must"],
  ["plus", "a+b", "A plus sign", "must"],
  ["encoded-colon", "a%3Ab", "A colon", "must"],
  ["space", "a%20b", "A space", "must"],
  ["at", "a@b", "An at sign", "must"],
];

function tagCases(): Case[] {
  const push = async (t: Trial, tag: string) => {
    const maker = t.maker();
    const { mediaType, bytes } = maker.image({ layerCount: 0 });
    for (const blob of maker.blobs.values()) await t.pushBlob(blob);
    const answer = await t.client.manifestPut(t.repository, tag, { mediaType, body: bytes });
    return { answer, bytes };
  };
  return [
    ...goodTags.map(([id, tag, title]) =>
      positive(
        `good-${id}`,
        `${title}: such a tag can be pushed and pulled`,
        "tagGrammar",
        async (t) => {
          const { answer, bytes } = await push(t, tag);
          expectStatus(answer, 201);
          expectBody(await t.client.manifestGet(t.repository, tag), bytes);
        },
      ),
    ),
    ...badTags.map(([id, tag, title, level]) =>
      negative(
        `bad-${id}`,
        `${title} in a tag is refused`,
        "tagGrammar",
        async (t) => {
          refused((await push(t, tag)).answer.status);
        },
        { level },
      ),
    ),
  ];
}

const hex = "0123456789abcdef".repeat(4);
const badDigests: readonly [id: string, digest: string, title: string][] = [
  ["short", `sha256:${hex.slice(1)}`, "63 digits"],
  ["long", `sha256:${hex}0`, "65 digits"],
  ["upper-case", `sha256:${hex.toUpperCase()}`, "Upper-case digits"],
  ["no-colon", `sha256${hex}`, "No colon"],
  ["no-algorithm", `:${hex}`, "No algorithm"],
  ["no-hex", `sha256:${"g".repeat(64)}`, "Letters that are no digits"],
  ["unknown-algorithm", `sha384:${"0".repeat(96)}`, "An algorithm that is not registered"],
  ["weak-algorithm", `md5:${"0".repeat(32)}`, "MD5"],
];

const digestCases: readonly Case[] = [
  ...badDigests.map(([id, digest, title]) =>
    negative(
      `push-${id}`,
      `A push with such a digest is refused with 400: ${title}`,
      "badBlobDigest",
      async (t) => {
        const location = await t.startUpload();
        const answer = await t.client.uploadPut(location, digest, { body: t.blob().bytes });
        expectStatus(answer, 400);
      },
    ),
  ),
  ...badDigests.map(([id, digest, title]) =>
    negative(
      `pull-${id}`,
      `A pull with such a digest is 400 or 404: ${title}`,
      "blobMissing",
      async (t) => {
        expectStatus(await t.client.blobGet(t.repository, digest), [400, 404]);
      },
    ),
  ),
  negative(
    "upper-case-same",
    "Upper-case digits do not find a blob",
    "digestGrammar",
    async (t) => {
      const { digest } = await t.pushBlob(t.blob());
      const upper = digest.replace(/:.*/, (text) => text.toUpperCase());
      expectStatus(await t.client.blobHead(t.repository, upper), [400, 404]);
    },
    { level: "should" },
  ),
  negative(
    "manifest-weak",
    "A manifest by MD5 is refused with 400",
    "badBlobDigest",
    async (t) => {
      const maker = t.maker();
      const { bytes } = maker.image({ layerCount: 0 });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      const manifest = { mediaType: mediaTypes.ociImage, body: bytes };
      expectStatus(
        await t.client.manifestPut(t.repository, `md5:${"0".repeat(32)}`, manifest),
        [400, 404],
      );
      expectStatus(await t.client.manifestHead(t.repository, digestOf("sha256", bytes)), 404);
    },
    { level: "should" },
  ),
];
